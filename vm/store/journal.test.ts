/** The journal through its public face, on a storage in memory. */
import { describe, expect, test } from 'vitest';
import { Journal, type PagePlace } from './journal.ts';
import { MemoryStorage } from './memory-storage.ts';
import { PAGE_BYTES } from './storage.ts';

const KIB = 1024;
const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(7);
const options = { write: true, wallClockMs: 1000, random };

function page(fill: number): Uint8Array {
  return new Uint8Array(PAGE_BYTES).fill(fill);
}

function fresh(bytes = 4096 * KIB, segmentBytes = 64 * KIB): MemoryStorage {
  const storage = new MemoryStorage(bytes);
  Journal.format(storage, { segmentBytes, wallClockMs: 1000, random });
  return storage;
}

function commit(journal: Journal, writes: Record<number, number | null>): number {
  const pages = Object.entries(writes).map(([number, fill]) => ({
    page: Number(number),
    bytes: fill === null ? null : page(fill),
  }));
  return journal.commit({ pages, wallMs: 1, journalMs: 2 }).number;
}

function firstByte(journal: Journal, generation: number, number: number): number | null {
  const into = page(0);
  return journal.readPage(generation, number, into) ? (into[0] ?? null) : null;
}

describe('Journal.commit()', () => {
  test('keeps every generation readable, across opening anew', () => {
    const storage = fresh();
    const journal = Journal.open(storage, options);
    expect(journal.head.number).toBe(0);
    const history: Map<number, number>[] = [new Map()];
    for (let generation = 1; generation <= 120; generation++) {
      const next = new Map(history.at(-1));
      const writes: Record<number, number> = {};
      for (let k = 0; k < 3; k++) {
        const number = (generation * 7 + k * 1031) % 5000;
        writes[number] = generation;
        next.set(number, generation);
      }
      expect(commit(journal, writes)).toBe(generation);
      history.push(next);
    }
    for (const opened of [journal, Journal.open(storage, { ...options, write: false })]) {
      expect(opened.generations().map((g) => g.number)).toEqual(
        Array.from({ length: 121 }, (_, i) => 120 - i),
      );
      for (const [generation, pages] of history.entries()) {
        for (const [number, fill] of pages) {
          expect(firstByte(opened, generation, number)).toBe(fill);
        }
        expect(opened.pageCount(generation)).toBe(pages.size);
        expect([...opened.pageMap(generation)].map((p) => p.page)).toEqual(
          [...pages.keys()].sort((a, b) => a - b),
        );
      }
      expect(opened.verify().ok).toBe(true);
    }
  });

  test('writes a commit larger than a segment', () => {
    const storage = fresh();
    const journal = Journal.open(storage, options);
    const pages = Array.from({ length: 300 }, (_, index) => ({
      page: index * 3,
      bytes: page(index % 251),
    }));
    journal.commit({ pages, wallMs: 1, journalMs: 1 });
    const again = Journal.open(storage, options);
    for (let index = 0; index < 300; index++) {
      expect(firstByte(again, 1, index * 3)).toBe(index % 251);
    }
    expect(again.pageCount(1)).toBe(300);
  });

  test('drops pages', () => {
    const journal = Journal.open(fresh(), options);
    commit(journal, { 1: 1, 2: 2 });
    commit(journal, { 1: null });
    expect(firstByte(journal, 2, 1)).toBe(null);
    expect(firstByte(journal, 1, 1)).toBe(1);
    expect(journal.pageCount(2)).toBe(1);
  });
});

describe('Journal.stage()', () => {
  test('writes pages ahead of their commit, which takes them along', () => {
    const storage = fresh();
    const journal = Journal.open(storage, options);
    commit(journal, { 1: 1, 2: 1, 3: 1 });
    const stage = (writes: [number, number][]): PagePlace[] =>
      journal.stage({
        pages: writes.map(([number, fill]) => ({ page: number, bytes: page(fill) })),
        journalMs: 2,
      });
    stage([
      [1, 2],
      [2, 2],
    ]);
    journal.appendChange(new Uint8Array(10));
    const [place] = stage([[2, 3]]);
    const bytes = page(0);
    storage.read(place?.offsetBytes ?? 0, bytes);
    expect(bytes).toEqual(page(3));
    expect(journal.head.number).toBe(1);
    expect([1, 2, 3].map((n) => firstByte(journal, 1, n))).toEqual([1, 1, 1]);
    // Whoever opens it now finds nothing of them.
    expect(Journal.open(storage, { ...options, write: false }).pageCount(1)).toBe(3);
    commit(journal, { 3: 4 });
    expect(journal.head.pages).toBe(3);
    const again = Journal.open(storage, options);
    expect([1, 2, 3].map((n) => firstByte(again, 2, n))).toEqual([2, 3, 4]);
    expect([1, 2, 3].map((n) => firstByte(again, 1, n))).toEqual([1, 1, 1]);
    expect(again.verify().ok).toBe(true);
  });

  test('is forgotten by unstage, by a rollback and by opening anew', () => {
    const storage = fresh();
    let journal = Journal.open(storage, options);
    commit(journal, { 1: 1 });
    const forget: (() => void)[] = [
      () => journal.unstage(),
      () => void journal.rollback(journal.head.number, { wallMs: 1, journalMs: 1 }),
      () => {
        journal = Journal.open(storage, options);
      },
    ];
    for (const each of forget) {
      journal.stage({ pages: [{ page: 1, bytes: page(9) }], journalMs: 1 });
      each();
      const number = commit(journal, { 2: 2 });
      expect(firstByte(journal, number, 1)).toBe(1);
    }
  });

  test('takes segments that vacuum leaves alone', () => {
    const storage = fresh();
    const journal = Journal.open(storage, { ...options, retention: 'manual' });
    const pages = Array.from({ length: 40 }, (_, index) => ({ page: index, bytes: page(7) }));
    journal.stage({ pages, journalMs: 1 });
    for (let round = 1; round <= 600; round++) {
      journal.label(0, `round ${round}`);
      if (round % 50 === 0) for (const _ of journal.vacuum());
    }
    commit(journal, { 100: 1 });
    expect(journal.verify().problems).toEqual([]);
    for (let index = 0; index < 40; index++) expect(firstByte(journal, 1, index)).toBe(7);
  });
});

describe('Journal.rollback()', () => {
  test('is a new generation and can be undone', () => {
    const journal = Journal.open(fresh(), options);
    commit(journal, { 1: 1, 2: 1 });
    commit(journal, { 1: 2, 3: 2 });
    const back = journal.rollback(1, { wallMs: 5, journalMs: 6 });
    expect(back).toMatchObject({ number: 3, parent: 1, kind: 'rollback' });
    expect([1, 2, 3].map((n) => firstByte(journal, 3, n))).toEqual([1, 1, null]);
    journal.rollback(2, { wallMs: 7, journalMs: 8 });
    expect([1, 2, 3].map((n) => firstByte(journal, 4, n))).toEqual([2, 1, 2]);
  });

  test('leaves the change log alone', () => {
    const storage = fresh();
    const journal = Journal.open(storage, options);
    const text = (s: string): Uint8Array => new TextEncoder().encode(s);
    journal.appendChange(text('one'));
    commit(journal, { 1: 1 });
    journal.appendChange(text('two'));
    journal.rollback(0, { wallMs: 1, journalMs: 1 });
    journal.appendChange(text('three'.repeat(2000)));
    const read = (j: Journal): string[] =>
      [...j.changes()].map((c) => new TextDecoder().decode(c.record));
    expect(read(journal)).toEqual(['one', 'two', 'three'.repeat(2000)]);
    expect(read(Journal.open(storage, options))).toEqual(read(journal));
    expect([...journal.changes(journal.head.changes)]).toHaveLength(1);
  });
});
