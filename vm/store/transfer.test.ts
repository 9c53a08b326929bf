/** Export and import between journals in memory: whole, as differences, and of broken streams. */
import { describe, expect, test } from 'vitest';
import { Journal } from './journal.ts';
import { MemoryStorage } from './memory-storage.ts';
import { PAGE_BYTES } from './storage.ts';
import { StoreError } from './store-error.ts';
import { exportGeneration, importGeneration, type Source } from './transfer.ts';

const KIB = 1024;
const NOW = { wallMs: 5, journalMs: 6 };

function fresh(seed: number, bytes = 8192 * KIB): Journal {
  const storage = new MemoryStorage(bytes);
  const random = (count: number): Uint8Array => new Uint8Array(count).fill(seed);
  Journal.format(storage, { segmentBytes: 64 * KIB, wallClockMs: 0, random });
  return Journal.open(storage, { write: true, wallClockMs: 0, random, deltaBytesMax: 600 });
}

function put(journal: Journal, writes: readonly (readonly [number, number | null])[]): number {
  const pages = writes.map(([page, fill]) => ({
    page,
    bytes: fill === null ? null : new Uint8Array(PAGE_BYTES).fill(fill),
  }));
  return journal.commit({ pages, ...NOW, meta: Uint8Array.of(1, 2, 3) }).number;
}

function content(journal: Journal, generation: number): Map<number, number> {
  const found = new Map<number, number>();
  const bytes = new Uint8Array(PAGE_BYTES);
  for (const { page } of journal.pageMap(generation)) {
    journal.readPage(generation, page, bytes);
    found.set(page, bytes[0] as number);
  }
  return found;
}

function exported(journal: Journal, generation: number, base?: number): Uint8Array {
  const parts: Uint8Array[] = [];
  const wanted = base === undefined ? { generation } : { generation, base };
  exportGeneration(journal, wanted, (bytes) => parts.push(bytes.slice()));
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function sourceOf(bytes: Uint8Array): Source {
  let at = 0;
  return (count) => {
    at += count;
    return bytes.subarray(at - count, at);
  };
}

/** A journal with folds, drops, far pages and a rollback; its head is generation 9. */
function sample(): Journal {
  const journal = fresh(1);
  for (let round = 1; round <= 7; round++) {
    const writes = Array.from({ length: 90 }, (_, index) => [index * 3 * round, round] as const);
    put(journal, [...writes, [2 ** 40 + round, round]]);
  }
  put(journal, [
    [3, null],
    [2 ** 40 + 1, null],
    [70_000_000, 8],
  ]);
  journal.rollback(8, NOW);
  return journal;
}

describe('exportGeneration() and importGeneration()', () => {
  test('take a whole generation to another journal, whatever that held', () => {
    const from = sample();
    const to = fresh(2);
    put(to, [
      [1, 99],
      [3, 99],
      [500_000, 99],
    ]);
    const made = importGeneration(to, sourceOf(exported(from, 9)), NOW);
    expect(made).toMatchObject({ number: 2, kind: 'import', meta: Uint8Array.of(1, 2, 3) });
    expect(content(to, 2)).toEqual(content(from, 9));
    expect(content(to, 1).size).toBe(3);
    expect(to.verify().ok).toBe(true);
  });

  test('take differences along, onto the copy of what they differ from', () => {
    const from = sample();
    const to = fresh(2);
    importGeneration(to, sourceOf(exported(from, 5)), NOW);
    put(to, [[12, 77]]);
    const difference = exported(from, 8, 5);
    expect(difference.length).toBeLessThan(exported(from, 8).length);
    const made = importGeneration(to, sourceOf(difference), NOW);
    expect(made).toMatchObject({ number: 3, parent: 1 });
    expect(content(to, 3)).toEqual(content(from, 8));
    expect(content(to, 2).get(12)).toBe(77);
    // And further, from what was imported last; back into the journal it came from, too.
    put(from, [[12, 55]]);
    importGeneration(to, sourceOf(exported(from, 10, 8)), NOW);
    expect(content(to, 4)).toEqual(content(from, 10));
    expect(importGeneration(from, sourceOf(exported(from, 8, 5)), NOW).parent).toBe(5);
    expect(content(from, 11)).toEqual(content(from, 8));
  });

  test('refuse a difference whose base is not here', () => {
    const from = sample();
    const stream = exported(from, 8, 5);
    expect(() => importGeneration(fresh(2), sourceOf(stream), NOW)).toThrow(
      /difference from generation 5 of journal 0101.*import that generation first/,
    );
  });

  test('refuse every stream that is damaged or cut, and change nothing', () => {
    const from = sample();
    const stream = exported(from, 8, 7);
    const to = fresh(2);
    importGeneration(to, sourceOf(exported(from, 7)), NOW);
    const before = content(to, 1);
    const refused = (bytes: Uint8Array, what: string): void => {
      let code = 'taken';
      try {
        importGeneration(to, sourceOf(bytes), NOW);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        expect(error.message).toMatch(/^Cannot import[^\n]+$/);
        code = error.code;
      }
      expect(code, what).toMatch(/BAD_STREAM|NO_SUCH_GENERATION/);
    };
    for (let at = 0; at < stream.length; at += at < 800 ? 1 : 97) {
      const bytes = stream.slice();
      bytes[at] = (bytes[at] as number) ^ 0x10;
      // Zeros behind the text of the header are covered by its checksum, too.
      refused(bytes, `byte ${at}`);
    }
    for (let length = 0; length < stream.length; length += 331) {
      refused(stream.subarray(0, length), `cut at ${length}`);
    }
    expect(to.head.number).toBe(1);
    expect(content(to, 1)).toEqual(before);
    importGeneration(to, sourceOf(stream), NOW);
    expect(content(to, 2)).toEqual(content(from, 8));
  });

  test('refuse a generation that is too large for the journal, and go on', () => {
    const from = fresh(1);
    const writes = Array.from({ length: 700 }, (_, page) => [page, 4] as const);
    put(from, writes);
    const to = fresh(2, 1024 * KIB);
    put(to, [[1, 1]]);
    expect(() => importGeneration(to, sourceOf(exported(from, 1)), NOW)).toThrow(
      /JOURNAL_FULL|needs/,
    );
    expect(to.head.number).toBe(1);
    put(to, [[2, 2]]);
    expect(content(to, 2)).toEqual(
      new Map([
        [1, 1],
        [2, 2],
      ]),
    );
  });
});

describe('Journal.differences()', () => {
  test('are the pages that are not the same, both ways', () => {
    const journal = sample();
    for (const [before, after] of [
      [2, 7],
      [7, 2],
      [8, 9],
      [0, 8],
      [8, 0],
    ] as const) {
      const found = new Set(Array.from(journal.differences(before, after), ({ page }) => page));
      const one = content(journal, before);
      const other = content(journal, after);
      for (const page of [...one.keys(), ...other.keys()]) {
        if (one.get(page) !== other.get(page)) expect(found.has(page)).toBe(true);
        else if (before === 8 && after === 9) expect(found.has(page)).toBe(false);
      }
      for (const page of found) expect(one.has(page) || other.has(page)).toBe(true);
    }
  });
});
