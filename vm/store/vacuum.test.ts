/** Vacuum over and over: what it moved once it must be able to move again. */
import { expect, test } from 'vitest';
import { Journal } from './journal.ts';
import { MemoryStorage } from './memory-storage.ts';
import { PAGE_BYTES } from './storage.ts';

const SEGMENT = 64 * 1024;
const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(3);
const options = { write: true, wallClockMs: 0, random, retention: 'manual' as const };

test('vacuum takes the nodes of the relocation table along', () => {
  const storage = new MemoryStorage(128 * SEGMENT);
  Journal.format(storage, { segmentBytes: SEGMENT, wallClockMs: 0, random });
  const journal = Journal.open(storage, { ...options, deltaBytesMax: 600 });
  let chance = 1;
  const below = (bound: number): number => {
    chance = (Math.imul(chance, 1103515245) + 12345) >>> 0;
    return (chance >>> 8) % bound;
  };
  for (let round = 0; round < 150; round++) {
    const first = below(500);
    const pages = Array.from({ length: 1 + below(25) }, (_, index) => ({
      page: first + index * 7,
      bytes: new Uint8Array(PAGE_BYTES).fill(round),
    }));
    journal.commit({ pages, wallMs: 0, journalMs: 0 });
    const old = journal.generations().filter(() => below(3) === 0);
    journal.forget(old.map(({ number }) => number).filter((number) => number <= round));
    if (below(2) === 0)
      for (const _ of journal.vacuum()) expect(journal.head.number).toBe(round + 1);
    const { problems } = Journal.open(storage, { ...options, write: false }).verify();
    expect(problems).toEqual([]);
  }
});
