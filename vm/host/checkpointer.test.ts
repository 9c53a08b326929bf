/**
 * Checkpoints of a memory that changes all the time: vm's half and store's half with a real journal
 * between them. However the store lags, every generation is the memory as it was at one moment.
 */
import { randomInt } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { CommitRequests } from '../interpreter/commit-requests.ts';
import { Scheduler } from '../interpreter/scheduler.ts';
import { ObjectMemory, type Oop } from '../memory/object-memory.ts';
import {
  CARD_CHECKPOINT,
  EDEN_START,
  FORMAT_SHIFT,
  OLD_START,
  PAGE_BYTES,
  PAGE_WORDS,
} from '../objects/layout.ts';
import { SHAPE } from '../objects/well-known.ts';
import { Journal } from '../store/journal.ts';
import { MemoryStorage } from '../store/memory-storage.ts';
import { Checkpointer } from '../supervisor/checkpointer.ts';
import type { StoreToVm, VmToStore } from '../supervisor/messages.ts';
import { CommitLine } from './commit-line.ts';

const MIB = 2 ** 20;
const SEED = Number(process.env['PALIMPSEST_SEED'] ?? randomInt(2 ** 31));
const SLOTS = 2 * 2 ** 20; // 8 MiB of slots: many pieces

function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A memory with one large Array, its checkpoints, and a store that works when it is told to. */
class Bench {
  readonly random = randomOf(SEED);
  readonly memory: ObjectMemory;
  readonly storage: MemoryStorage;
  journal: Journal;
  readonly checkpointer: Checkpointer;
  readonly failures: string[] = [];
  array: Oop = 0;
  nowMs = 0;
  readonly #line: CommitLine;
  readonly #sent: VmToStore[] = [];
  readonly #news: StoreToVm[] = [];
  /** The numbered pages when the last copy was made, by ticket. */
  readonly #snapshots = new Map<number, Map<number, Int32Array>>();

  constructor(journalBytes = 256 * MIB) {
    const heap = new Int32Array(OLD_START + SLOTS + 16 * MIB);
    const cards = new Uint8Array(heap.length / PAGE_WORDS);
    this.memory = new ObjectMemory({ heap, cards });
    this.memory.initializeEmpty();
    this.array = this.memory.instantiateOld(SHAPE.Array, SLOTS);
    this.memory.extraRoots.push((visit) => {
      this.array = visit(this.array);
    });
    this.storage = new MemoryStorage(journalBytes);
    const random = (count: number): Uint8Array => new Uint8Array(count).fill(5);
    Journal.format(this.storage, { segmentBytes: MIB, wallClockMs: 0, random });
    this.journal = Journal.open(this.storage, { write: true, wallClockMs: 0, random });
    const writes = (pages: readonly number[], bytes: Uint8Array) =>
      pages.map((page, at) => ({
        page,
        bytes: bytes.subarray(at * PAGE_BYTES, (at + 1) * PAGE_BYTES),
      }));
    this.#line = new CommitLine({
      stage: (pages, bytes) =>
        void this.journal.stage({ pages: writes(pages, bytes), journalMs: 0 }),
      commit: (pages, bytes) =>
        this.journal.commit({ pages: writes(pages, bytes), wallMs: 0, journalMs: 0 }).number,
      tell: (news) => this.#news.push(news),
    });
    this.checkpointer = new Checkpointer({
      memory: this.memory,
      requests: new CommitRequests(this.memory, new Scheduler(this.memory)),
      generation: 0,
      ticket: 0,
      host: {
        post: (message) => {
          this.#sent.push(message);
          if (message.kind === 'commit') this.#snapshots.set(message.ticket, this.#pages());
        },
        waitForNews: (ms) => {
          this.nowMs += Math.min(ms, 1);
          this.store(1);
        },
        nowMs: () => this.nowMs,
        committed: () => {},
      },
    });
  }

  /** The store does up to `count` of what it was sent. */
  store(count: number): void {
    for (let done = 0; done < count && this.#sent.length > 0; done++) {
      this.#line.take(this.#sent.shift() as VmToStore);
    }
    for (let news = this.#news.shift(); news !== undefined; news = this.#news.shift()) {
      this.checkpointer.receive(news);
      if (news.kind === 'committed') this.#compare(news.generation, news.ticket);
      if (news.kind === 'commitFailed') this.failures.push(news.code);
    }
  }

  /** Smalltalk runs: stores of integers, of new objects, of new large ones. */
  turn(stores: number): void {
    const { memory, random } = this;
    for (let at = 0; at < stores; at++) {
      const slot = random(10) === 0 ? random(SLOTS) : random(SLOTS / 20);
      const kind = random(400);
      let value = (random(2 ** 30) << 1) | 1;
      if (kind === 0) {
        value = memory.instantiate(SHAPE.Array, 1 + random(5));
        memory.store(value, 0, memory.instantiate(SHAPE.Array, 2));
      } else if (kind === 1 && random(20) === 0) {
        value = memory.instantiate(SHAPE.Array, 300 + random(3000));
      }
      if (value === 0) throw new Error('the heap is too small for this test');
      memory.store(this.array, slot, value);
    }
    if (memory.needsScavenge()) memory.scavenge();
    this.nowMs += 0.5;
  }

  /** Until the ticket is settled, `stores` stores and up to `pieces` answers a turn. */
  run(ticket: number, stores: number, pieces: number): number {
    let turns = 0;
    for (; !this.#isSettled(ticket); turns++) {
      if (turns > 20_000) throw new Error('it does not end');
      const turnMs = this.checkpointer.step();
      this.turn(Math.ceil(stores * Math.min(1, turnMs / 3)));
      this.store(this.random(pieces + 1));
    }
    this.#snapshots.delete(ticket);
    return turns;
  }

  readonly #done = new Set<number>();

  #isSettled(ticket: number): boolean {
    return this.#done.has(ticket) || this.failures.length > 0;
  }

  #pages(): Map<number, Int32Array> {
    const { memory } = this;
    const pages = new Map<number, Int32Array>();
    const copy = (from: number, end: number): void => {
      for (let page = Math.floor(from / PAGE_WORDS); page * PAGE_WORDS < end; page++) {
        pages.set(page, memory.H.slice(page * PAGE_WORDS, (page + 1) * PAGE_WORDS));
      }
    };
    copy(OLD_START, memory.oldLimit);
    const [survivors] = [memory.survivorHalf === 0 ? 48 : 49];
    copy((survivors * MIB) / 4, memory.survivorLimit);
    copy(MIB / 4, MIB / 4 + 1);
    expect(memory.edenNext).toBe(EDEN_START);
    return pages;
  }

  #compare(generation: number, ticket: number): void {
    this.#done.add(ticket);
    const wanted = this.#snapshots.get(ticket);
    if (wanted === undefined) throw new Error('committed without a copy');
    const bytes = new Uint8Array(PAGE_BYTES);
    for (const [page, words] of wanted) {
      const found = this.journal.readPage(generation, page, bytes.fill(0));
      const isSame = new Int32Array(bytes.buffer).every((word, at) => word === words[at]);
      if (!isSame) throw new Error(`page ${page} differs (found: ${found}), seed ${SEED}`);
    }
  }
}

describe('Checkpointer', () => {
  test(`every generation is the memory at one moment, seed ${SEED}`, () => {
    const bench = new Bench();
    for (let round = 0; round < 6; round++) {
      bench.turn([5, 400, 20_000][round % 3] ?? 0);
      const ticket = bench.checkpointer.request(1);
      expect(ticket).toBeGreaterThan(0);
      expect(bench.checkpointer.request(1)).toBe(ticket);
      bench.run(ticket, 200, 3);
    }
    expect(bench.failures).toEqual([]);
    expect(bench.journal.verify().ok).toBe(true);
    expect(bench.memory.checkHeap()).toEqual([]);
  });

  test('a request while a commit is on its way becomes the next commit', () => {
    const bench = new Bench();
    bench.run(bench.checkpointer.request(1), 0, 3);
    bench.turn(10);
    const first = bench.checkpointer.request(1);
    bench.turn(10);
    const second = bench.checkpointer.request(1);
    expect(second).toBeGreaterThan(first);
    bench.run(second, 10, 1);
    expect(bench.checkpointer.generation).toBe(3);
    expect(bench.failures).toEqual([]);
  });

  test('a writer faster than the store is held back', () => {
    const bench = new Bench();
    bench.run(bench.checkpointer.request(1), 10, 3);
    bench.turn(60_000);
    // In a full turn it dirties far more than the store writes meanwhile.
    const turns = bench.run(bench.checkpointer.request(1), 30_000, 1);
    expect(turns).toBeLessThan(2_000);
    expect(bench.failures).toEqual([]);
  });

  test('what the store could not take is dirty again, and taken when there is room', () => {
    const bench = new Bench(64 * MIB);
    bench.run(bench.checkpointer.request(1), 10, 3);
    for (let round = 0; bench.failures.length === 0; round++) {
      if (round > 50) throw new Error('it is never full');
      bench.turn(20_000);
      bench.run(bench.checkpointer.request(1), 10, 2);
    }
    expect(bench.failures).toEqual(['JOURNAL_FULL']);
    bench.store(100);
    bench.failures.length = 0;
    const before = bench.checkpointer.generation;
    // The rest of the old generations is let go of; the next attempt finds room.
    bench.journal.forget(
      bench.journal
        .generations()
        .map(({ number }) => number)
        .filter((number) => number !== before),
    );
    for (const _ of bench.journal.vacuum());
    bench.run(bench.checkpointer.request(1), 0, 3);
    expect(bench.failures).toEqual([]);
    expect(bench.checkpointer.generation).toBe(before + 1);
  });

  test('cards are cleared only for pages that are handed over', () => {
    const bench = new Bench();
    bench.run(bench.checkpointer.request(1), 0, 3);
    const page = Math.floor((bench.array + 2 + 1234) / PAGE_WORDS);
    expect((bench.memory.cards[page] ?? 0) & CARD_CHECKPOINT).toBe(0);
    bench.memory.store(bench.array, 1234, 7);
    expect((bench.memory.cards[page] ?? 0) & CARD_CHECKPOINT).toBe(CARD_CHECKPOINT);
    expect(bench.checkpointer.request(100)).toBe(0);
    expect((bench.memory.cards[page] ?? 0) & CARD_CHECKPOINT).toBe(CARD_CHECKPOINT);
  });

  test.each([
    ['a slot that refers to nowhere', (bench: Bench) => bench.memory.store(bench.array, 5, 64)],
    [
      'a slot that refers beyond old space',
      (bench: Bench) => bench.memory.store(bench.array, 6, bench.memory.oldLimit + 2),
    ],
    [
      'a header that is none',
      (bench: Bench) => {
        const oop = bench.memory.instantiateOld(SHAPE.Array, 4);
        bench.memory.H[oop] = SHAPE.Array | (8 << FORMAT_SHIFT);
      },
    ],
    [
      'a body without end',
      (bench: Bench) => {
        const oop = bench.memory.instantiateOld(SHAPE.Array, 300);
        bench.memory.H[oop - 1] = 2 ** 28;
      },
    ],
  ])('a damaged heap becomes no generation: %s', (_, damage) => {
    const bench = new Bench();
    bench.run(bench.checkpointer.request(1), 0, 3);
    const before = bench.journal.head.number;
    damage(bench);
    bench.run(bench.checkpointer.request(1), 0, 3);
    expect(bench.failures).toEqual(['HEAP_DAMAGED']);
    expect(bench.journal.head.number).toBe(before);
    expect(bench.checkpointer.generation).toBe(before);
  });
});
