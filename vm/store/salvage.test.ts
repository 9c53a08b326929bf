/** Salvage: what is left of a damaged journal, in a fresh one. */
import { describe, expect, test } from 'vitest';
import { Journal } from './journal.ts';
import { MemoryStorage } from './memory-storage.ts';
import { salvage } from './salvage.ts';
import { PAGE_BYTES } from './storage.ts';

const SEGMENT = 64 * 1024;
const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(4);
const options = { write: true, wallClockMs: 0, random };

function fresh(): MemoryStorage {
  const storage = new MemoryStorage(48 * SEGMENT);
  Journal.format(storage, { segmentBytes: SEGMENT, wallClockMs: 0, random });
  return storage;
}

describe('salvage()', () => {
  test('takes everything but what was destroyed, without any superblock', () => {
    const storage = fresh();
    const journal = Journal.open(storage, options);
    for (let fill = 1; fill <= 20; fill++) {
      const pages = [{ page: fill % 5, bytes: new Uint8Array(PAGE_BYTES).fill(fill) }];
      journal.commit({ pages, wallMs: fill, journalMs: fill });
    }
    journal.appendChange(new TextEncoder().encode('the change'));
    const victim = [...journal.pageMap(20)].find(({ page }) => page === 3);
    storage.write(victim?.offsetBytes ?? 0, new Uint8Array(PAGE_BYTES));
    for (const ring of [0, SEGMENT]) storage.write(ring, new Uint8Array(8 * PAGE_BYTES));
    expect(() => Journal.open(storage, options)).toThrow(/no superblock/);

    const damaged = Journal.openForSalvage(storage, options);
    expect(damaged.head.number).toBe(20);
    const target = Journal.open(fresh(), options);
    const report = salvage(damaged, target);
    expect(report).toMatchObject({ generations: 21, changes: 1 });
    expect(report.lost.some((line) => /1 pages are unreadable/.test(line))).toBe(true);
    const into = new Uint8Array(PAGE_BYTES);
    // Copies are numbered anew: generation n became n + 1, as the blank journal has its own 0.
    for (const [page, fill] of [
      [0, 20],
      [1, 16],
      [2, 17],
      [4, 19],
    ] as const) {
      expect(target.readPage(21, page, into)).toBe(true);
      expect(into[0]).toBe(fill);
    }
    expect(target.readPage(21, 3, into)).toBe(false);
    expect(target.readPage(15, 3, into)).toBe(true);
    expect(into[0]).toBe(13);
    expect(target.verify().ok).toBe(true);
  });
});
