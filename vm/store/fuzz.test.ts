/**
 * The parser against damage: every byte of every metadata block flipped, one at a time. Opening and
 * reading must give right answers or a StoreError, never a wrong page and never another error.
 */
import { describe, expect, test } from 'vitest';
import { readUnitHeader, UNIT } from './format.ts';
import { Journal } from './journal.ts';
import { MemoryStorage } from './memory-storage.ts';
import { PAGE_BYTES } from './storage.ts';
import { StoreError } from './store-error.ts';

const SEGMENT = 64 * 1024;
const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(5);

function page(fill: number): Uint8Array {
  return new Uint8Array(PAGE_BYTES).fill(fill);
}

/** A journal with a fold, a rollback, changes, marks, relocations; and what it must hold. */
function sample(): { storage: MemoryStorage; truth: Map<number, Map<number, number>> } {
  const storage = new MemoryStorage(32 * SEGMENT);
  Journal.format(storage, { segmentBytes: SEGMENT, wallClockMs: 0, random });
  const options = { write: true, wallClockMs: 0, random, retention: 'manual' as const };
  const journal = Journal.open(storage, options);
  const truth = new Map<number, Map<number, number>>([[0, new Map()]]);
  const put = (fill: number, numbers: number[]): void => {
    const before = truth.get(journal.head.number);
    const pages = numbers.map((number) => ({ page: number, bytes: page(fill) }));
    const made = journal.commit({ pages, wallMs: 0, journalMs: 0 });
    const after = new Map(before);
    for (const number of numbers) after.set(number, fill);
    truth.set(made.number, after);
  };
  for (let index = 1; index < 10; index++) put(index, [index, 100 + index]);
  journal.forget([2, 3, 4]);
  for (const number of [2, 3, 4]) truth.delete(number);
  for (const _ of journal.vacuum()) expect(journal.head.number).toBe(9);
  journal.mark(5, { pinned: true, label: 'five' });
  journal.rollback(6, { wallMs: 0, journalMs: 0 });
  truth.set(10, truth.get(6) as Map<number, number>);
  journal.appendChange(new TextEncoder().encode('a change'));
  put(11, [1, 2 ** 40 + 3]);
  journal.appendChange(new TextEncoder().encode('another'));
  return { storage, truth };
}

/** Blocks that hold metadata: superblocks, unversioned copies, unit headers, nodes, tables. */
function metadataBlocks(storage: MemoryStorage): number[] {
  const blocks: number[] = [];
  const block = new Uint8Array(PAGE_BYTES);
  for (let at = 0; at < storage.sizeBytes; at += PAGE_BYTES) {
    storage.read(at, block);
    const header = at < 2 * SEGMENT ? null : readUnitHeader(block, SEGMENT / PAGE_BYTES);
    const node = block[0] === 0x50 && block[1] === 0x54;
    const ring = at < 2 * SEGMENT && block[0] !== 0;
    if (ring || node || header) blocks.push(at);
    if (header?.kind === UNIT.table) blocks.push(at + PAGE_BYTES);
  }
  return blocks;
}

function check(storage: MemoryStorage, truth: Map<number, Map<number, number>>): string {
  const into = new Uint8Array(PAGE_BYTES);
  try {
    const journal = Journal.open(storage, { write: false, wallClockMs: 0, random });
    for (const { number } of journal.generations()) {
      const wanted = truth.get(number);
      for (const { page: at } of journal.pageMap(number)) {
        journal.readPage(number, at, into);
        if (wanted && wanted.get(at) !== into[0]) return `page ${at} of ${number} is wrong`;
      }
    }
    for (const { record } of journal.changes()) {
      if (!/^a/.test(new TextDecoder().decode(record))) return 'a wrong change';
    }
  } catch (error) {
    if (!(error instanceof StoreError)) return `${error}`;
  }
  return 'right';
}

describe('the parser', () => {
  test('answers right or refuses, whatever bit of the metadata is flipped', () => {
    const { storage, truth } = sample();
    const blocks = metadataBlocks(storage);
    expect(blocks.length).toBeGreaterThan(30);
    expect(check(storage, truth)).toBe('right');
    const block = new Uint8Array(PAGE_BYTES);
    for (const at of blocks) {
      // Every byte near the beginning, where the fields are, and a sample of the rest.
      for (let byte = 0; byte < PAGE_BYTES; byte += byte < 128 ? 1 : 251) {
        storage.read(at, block);
        const before = block[byte] as number;
        block[byte] = before ^ (1 << (byte & 7));
        storage.write(at, block);
        const found = check(storage, truth);
        if (found !== 'right') throw new Error(`byte ${at + byte} flipped: ${found}`);
        block[byte] = before;
        storage.write(at, block);
      }
    }
  });
});
