/** What the simulator found once: media that fail for a moment, or at the worst of moments. */
import { describe, expect, test } from 'vitest';
import { Journal } from './journal.ts';
import { MemoryStorage } from './memory-storage.ts';
import { PAGE_BYTES } from './storage.ts';

const SEGMENT = 64 * 1024;
const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(3);
const options = { write: true, wallClockMs: 0, random };

class Moody extends MemoryStorage {
  /** Refuses reads of a block as often as said here, and writes and flushes when told to. */
  readonly failures = new Map<number, number>();
  writesLeft = Number.POSITIVE_INFINITY;
  flushesLeft = Number.POSITIVE_INFINITY;

  override read(offset: number, into: Uint8Array): void {
    for (let at = offset; at < offset + into.length; at += PAGE_BYTES) {
      const left = this.failures.get(at) ?? 0;
      this.failures.set(at, left - 1);
      if (left > 0) throw new Error(`read error at byte ${at}`);
    }
    super.read(offset, into);
  }

  override write(offset: number, from: Uint8Array): void {
    if (this.writesLeft-- <= 0) throw new Error('write error');
    super.write(offset, from);
  }

  override flush(): void {
    if (this.flushesLeft-- <= 0) throw new Error('flush error');
    super.flush();
  }
}

function fresh(): Moody {
  const storage = new Moody(32 * SEGMENT);
  Journal.format(storage, { segmentBytes: SEGMENT, wallClockMs: 0, random });
  return storage;
}

function put(journal: Journal, fill: number): void {
  const bytes = new Uint8Array(PAGE_BYTES).fill(fill);
  journal.commit({ pages: [{ page: 1, bytes }], wallMs: 0, journalMs: 0 });
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes);
}

describe('a medium in a mood', () => {
  test('read errors that pass lose nothing when a journal is opened', () => {
    const storage = fresh();
    const journal = Journal.open(storage, options);
    for (let index = 1; index <= 40; index++) put(journal, index);
    for (let at = 0; at < storage.sizeBytes; at += PAGE_BYTES) {
      storage.failures.clear();
      storage.failures.set(at, 1);
      expect(Journal.open(storage, { ...options, write: false }).head.number).toBe(40);
    }
  });

  test('a flush that fails while opening is one sentence', () => {
    const storage = fresh();
    put(Journal.open(storage, options), 1);
    storage.flushesLeft = 0;
    expect(() => Journal.open(storage, options)).toThrow(/^Cannot open journal.*flush error/);
  });

  test('a grown journal survives the loss of its newest superblock', () => {
    const storage = fresh();
    put(Journal.open(storage, options), 1);
    storage.sizeBytes += 64 * SEGMENT;
    const journal = Journal.open(storage, options);
    const bytes = new Uint8Array(PAGE_BYTES);
    const pages = Array.from({ length: 12 }, (_, page) => ({ page, bytes }));
    // A segment for each commit, but not as many as make a new superblock due.
    for (let count = 0; count < 40; count++) journal.commit({ pages, wallMs: 0, journalMs: 0 });
    const { number } = journal.head;
    const rings = new Uint8Array(SEGMENT);
    storage.read(0, rings);
    const slots = Array.from({ length: 8 }, (_, slot) => slot);
    const numberAt = (slot: number): number => rings[slot * PAGE_BYTES + 24] ?? 0;
    const newest = slots.reduce((best, slot) => (numberAt(slot) > numberAt(best) ? slot : best));
    const nothing = new Uint8Array(PAGE_BYTES);
    for (const ring of [0, SEGMENT]) storage.write(ring + newest * PAGE_BYTES, nothing);
    expect(Journal.open(storage, options).head.number).toBe(number);
  });

  test('unversioned values outlive a second power cut', () => {
    const storage = fresh();
    const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
    Journal.open(storage, options).unversioned.write('key', bytes('one'));
    // Cut between the copies: only one of them holds the new value.
    const second = Journal.open(storage, options).unversioned;
    storage.writesLeft = 1;
    expect(() => second.write('key', bytes('two'))).toThrow(/^Cannot write key: write error/);
    storage.writesLeft = Number.POSITIVE_INFINITY;
    // The next write is cut at its first block, which is torn.
    const third = Journal.open(storage, options).unversioned;
    expect(text(third.read('key'))).toBe('two');
    let torn = -1;
    const write = storage.write.bind(storage);
    storage.write = (offset, from) => {
      torn = offset;
      write(offset, from.slice().fill(0xee, 24, 35));
      throw new Error('power cut');
    };
    expect(() => third.write('key', bytes('three'))).toThrow(/power cut/);
    expect(torn).toBeGreaterThan(0);
    storage.write = write;
    expect(text(Journal.open(storage, options).unversioned.read('key'))).toBe('two');
  });
});
