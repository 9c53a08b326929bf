/** The change log: packed, read from anywhere, and when part of it is gone. */
import { describe, expect, test } from 'vitest';
import { STREAM_BYTES } from './changes.ts';
import { Journal } from './journal.ts';
import { MemoryStorage } from './memory-storage.ts';
import { PAGE_BYTES } from './storage.ts';

const KIB = 1024;
const random = (count: number): Uint8Array => new Uint8Array(count).fill(3);
const options = { write: true, wallClockMs: 0, random };
const text = (record: Uint8Array): string => new TextDecoder().decode(record);
const bytes = (record: string): Uint8Array => new TextEncoder().encode(record);

function fresh(): MemoryStorage {
  const storage = new MemoryStorage(16 * 1024 * KIB);
  Journal.format(storage, { segmentBytes: 256 * KIB, wallClockMs: 0, random });
  return storage;
}

/** Records of lengths that end in, at and over the borders of pages. */
function records(): string[] {
  const lengths = [0, 1, 50, STREAM_BYTES - 200, 30, STREAM_BYTES, 3 * STREAM_BYTES, 7, 40_000];
  return Array.from({ length: 40 }, (_, index) =>
    String.fromCharCode(97 + (index % 26)).repeat(lengths[index % lengths.length] as number),
  );
}

function commit(journal: Journal): void {
  journal.commit({ pages: [], wallMs: 0, journalMs: 0 });
}

describe('the change log', () => {
  test('gives back what was written, from every record on, waiting or packed', () => {
    const storage = fresh();
    let journal = Journal.open(storage, options);
    const numbers: number[] = [];
    for (const [index, record] of records().entries()) {
      numbers.push(journal.appendChange(bytes(record)));
      if (index % 5 === 3) commit(journal);
      if (index % 11 === 7) journal = Journal.open(storage, options);
    }
    for (const opened of [journal, Journal.open(storage, { ...options, write: false })]) {
      for (const [index, number] of numbers.entries()) {
        const found = [...opened.changes(number)];
        expect(found.map(({ record }) => text(record))).toEqual(records().slice(index));
        expect(found[0]?.number).toBe(number);
        // From a position between two records the next one comes first.
        if (index > 0) expect([...opened.changes(number - 1)][0]?.number).toBe(number);
      }
      for (const count of [1, 3, 17, 100]) {
        const last = opened.lastChanges(count).map(({ record }) => text(record));
        expect(last).toEqual(records().slice(-count));
      }
    }
    expect(journal.verify().ok).toBe(true);
  });

  test('is taken back by no rollback', () => {
    const journal = Journal.open(fresh(), options);
    commit(journal);
    journal.appendChange(bytes('first'));
    commit(journal);
    journal.appendChange(bytes('second'));
    journal.rollback(0, { wallMs: 0, journalMs: 0 });
    expect([...journal.changes()].map(({ record }) => text(record))).toEqual(['first', 'second']);
    expect([...journal.changes(journal.generation(1)?.changes)]).toHaveLength(2);
    expect([...journal.changes(journal.generation(2)?.changes)]).toHaveLength(1);
  });

  test('costs little: small records share pages', () => {
    const journal = Journal.open(fresh(), options);
    for (let index = 0; index < 300; index++) {
      journal.appendChange(bytes(`${index}: inbox add: 'a letter'`));
      if (index % 3 === 0) commit(journal);
    }
    expect(journal.changesEnd / STREAM_BYTES).toBeLessThan(3);
    expect(journal.lastChanges(1000)).toHaveLength(300);
  });

  test('goes on behind a page that is lost, and says so', () => {
    const storage = fresh();
    const journal = Journal.open(storage, options);
    const line = 'x'.repeat(1000);
    for (let index = 0; index < 20; index++) journal.appendChange(bytes(`${index} ${line}`));
    commit(journal);
    commit(journal);
    // The page that ends the log is one of those that rot.
    const lost = [1, Math.floor(journal.changesEnd / STREAM_BYTES)];
    for (const k of lost) {
      for (let at = 0; at < storage.sizeBytes; at += PAGE_BYTES) {
        const block = new Uint8Array(PAGE_BYTES);
        storage.read(at, block);
        const view = new DataView(block.buffer);
        if (text(block.subarray(0, 4)) !== 'PCHG' || view.getUint32(8, true) !== k) continue;
        block[100] = (block[100] as number) ^ 1;
        storage.write(at, block);
      }
    }
    const again = Journal.open(storage, options);
    expect(() => [...again.changes()]).toThrow(/Cannot read block 3\/1/);
    again.appendChange(bytes('after'));
    commit(again);
    const damages: string[] = [];
    const found = [
      ...Journal.open(storage, options).changes(0, ({ message }) => damages.push(message)),
    ];
    expect(damages).toHaveLength(2);
    expect(found.map(({ record }) => text(record).split(' ')[0])).toEqual(
      expect.arrayContaining(['0', '1', '2', '10', '14', 'after']),
    );
    // Pages 1 and 4 hold the whole or a part of nine records.
    expect(found).toHaveLength(12);
    expect(found.every(({ record }) => /^(\d+ x{1000}|after)$/.test(text(record)))).toBe(true);
  });
});
