/**
 * Vacuum of a nearly full journal in which four blocks of five are dead, mixed with the live ones:
 * each page was written again and again in random order, then all generations but the head were
 * let go.
 *
 * Raw copy: the same stretches read and as many live bytes written, past the page cache, a mebibyte
 * at a time. Throttled: commits come at random times whether the store is ready or not, as the vm's
 * do; between them, one at a time, steps of a vacuum, each followed by a rest of many times its
 * length. What a commit takes is counted from when it came.
 */
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import { assert } from '../../../vm/base/assert.ts';
import type { Journal } from '../../../vm/store/journal.ts';
import { PAGE_BYTES } from '../../../vm/store/storage.ts';
import { Random } from '../../sim/random.ts';
import {
  atLeast,
  atMost,
  type BenchContext,
  type BenchPart,
  infoRow,
  type Row,
  ratioRow,
  valueRow,
} from '../bench.ts';
import {
  CountingStorage,
  freshJournal,
  journalStorage,
  MIB,
  RawFile,
  TRANSFER_BYTES,
  writtenFile,
} from '../disk.ts';
import { median, quantile, ratioSpread, timeMs } from '../measure.ts';

const JOURNAL_BYTES = 2048 * MIB;
/** Free when the fast vacuum begins; the slow one needs room for the commits beside it. */
const FREE_SHARE = 0.05;
const FREE_SHARE_THROTTLED = 0.35;
const LIVE_SHARE = 0.2;
const FILL_PAGES = 2048;
const SEGMENT_BYTES = 4 * MIB;
const ROUNDS = 3;

const COMMIT_PAGES = 5;
const COMMIT_EVERY_MS = 5;
const TURN_COMMITS = 400;
const TURNS = 10;
/** Rest after a step, in lengths of that step: vacuum takes a hundredth of the time. */
const REST = 100;

export const vacuumPart: BenchPart = {
  name: 'vacuum',
  about:
    'vacuum of a journal with 80 % dead pages beside a raw copy, and commits going on beside it',
  run: async (context) => {
    const journalPath = join(context.dir, 'journal');
    const rawPath = join(context.dir, 'raw');
    context.progress('writing the files from end to end');
    for (const path of [journalPath, rawPath]) writtenFile(path, JOURNAL_BYTES);
    const raw = new RawFile(rawPath);
    try {
      return [...unthrottled(context, journalPath, raw), ...throttled(context, journalPath)];
    } finally {
      raw.close();
    }
  },
};

interface Worn {
  readonly journal: Journal;
  readonly storage: CountingStorage;
  /** What each page's bytes begin with, so that they can be told. */
  readonly versions: Uint32Array;
}

const freeShare = (journal: Journal): number => {
  const { segments, segmentsFree } = journal.statistics();
  return segmentsFree / segments;
};

/** A journal that is full but for a share, four fifths of it dead. */
function worn(context: BenchContext, path: string, freeWanted: number): Worn {
  context.progress('wearing a journal out');
  const livePages = Math.floor((JOURNAL_BYTES / PAGE_BYTES) * (1 - freeWanted) * LIVE_SHARE);
  const random = new Random(context.seed);
  const storage = new CountingStorage(journalStorage(path));
  const journal = freshJournal(storage, { retention: 'manual' });
  const versions = new Uint32Array(livePages);
  const buffer = new Uint8Array(FILL_PAGES * PAGE_BYTES);
  randomFillSync(buffer);
  const view = new DataView(buffer.buffer);
  let version = 0;
  const write = (numbers: readonly number[]): void => {
    const pages = numbers.map((page, index) => {
      view.setUint32(index * PAGE_BYTES, ++version, true);
      versions[page] = version;
      return { page, bytes: buffer.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES) };
    });
    journal.commit({ pages, wallMs: Date.now(), journalMs: 0 });
  };
  for (let first = 0; first < livePages; first += FILL_PAGES) {
    const count = Math.min(FILL_PAGES, livePages - first);
    write(Array.from({ length: count }, (_, index) => first + index));
  }
  while (freeShare(journal) > freeWanted) {
    const numbers = new Set<number>();
    while (numbers.size < FILL_PAGES) numbers.add(random.below(livePages));
    write([...numbers]);
  }
  const { number: head } = journal.head;
  journal.forget(Array.from({ length: head }, (_, number) => number));
  return { journal, storage, versions };
}

/** Every page is what was written last. */
function check({ journal, versions }: Worn): void {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  for (const [number, version] of versions.entries()) {
    const found = journal.readPage(journal.head, number, page);
    assert(found && view.getUint32(0, true) === version, `page ${number} after vacuum`);
  }
}

function unthrottled(context: BenchContext, path: string, raw: RawFile): Row[] {
  const ours: number[] = [];
  const theirs: number[] = [];
  const before: number[] = [];
  const after: number[] = [];
  let moved = 0;
  let stretches = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const made = worn(context, path, FREE_SHARE);
    const { journal, storage } = made;
    before.push(freeShare(journal) * 100);
    context.progress('vacuum, as fast as it goes');
    storage.stretchBytesRead = 0;
    let blocks = 0;
    ours.push(
      timeMs(() => {
        for (const step of journal.vacuum()) blocks += step.blocksCopied;
      }),
    );
    stretches = storage.stretchBytesRead;
    moved = blocks * PAGE_BYTES;
    after.push(freeShare(journal) * 100);
    theirs.push(timeMs(() => copy(raw, stretches, moved)));
    if (round === 0) check(made);
    journal.close();
  }
  const speed = (times: readonly number[]): number =>
    (stretches + moved) / MIB / (median(times) / 1000);
  return [
    ratioRow(
      {
        name: 'vacuum of 80 % dead pages, read and written',
        value: speed(ours),
        unit: 'MiB/s',
        peer: speed(theirs),
        spread: ratioSpread(theirs, ours),
      },
      atLeast(0.4),
    ),
    infoRow('live pages moved', moved / MIB / (median(ours) / 1000), 'MiB/s'),
    infoRow('space given back', (median(after) - median(before)) / (median(ours) / 1000), '%/s'),
    valueRow(
      {
        name: `free after vacuum, from ${median(before).toFixed(1)} %`,
        value: median(after),
        unit: '%',
      },
      atLeast(50),
    ),
  ];
}

/** Reads stretches of a segment each and writes live bytes at the rate they turn up. */
function copy(raw: RawFile, readBytes: number, writeBytes: number): void {
  const into = raw.buffer(TRANSFER_BYTES);
  const from = raw.buffer(TRANSFER_BYTES);
  const half = JOURNAL_BYTES / 2;
  let written = 0;
  for (let read = 0; read < readBytes; read += TRANSFER_BYTES) {
    const segment = Math.floor(read / SEGMENT_BYTES);
    // Segments are not visited in the order of their places.
    const place = ((segment * 101) % (half / SEGMENT_BYTES)) * SEGMENT_BYTES;
    raw.read(place + (read % SEGMENT_BYTES), into);
    while (written + TRANSFER_BYTES <= (read / readBytes) * writeBytes) {
      raw.write(half + (written % half), from);
      written += TRANSFER_BYTES;
    }
  }
  raw.flush();
}

function throttled(context: BenchContext, path: string): Row[] {
  const { journal, storage, versions } = worn(context, path, FREE_SHARE_THROTTLED);
  const random = new Random(context.seed);
  const alone: number[][] = [];
  const beside: number[][] = [];
  const steps: number[] = [];
  const vacuum = new EndlessVacuum(journal);
  context.progress(`${TURNS * TURN_COMMITS} commits with a vacuum beside them, as many without`);
  let stretches = 0;
  for (let round = 0; round < TURNS; round++) {
    const arrivals = arrivalsOf(random);
    const commit = (): void => commitSome(journal, random, versions.length);
    alone.push(turn(arrivals, commit, null));
    vacuum.advanceToCopying();
    storage.stretchBytesRead = 0;
    const step = (): number => {
      const length = timeMs(() => vacuum.step());
      steps.push(length);
      return length;
    };
    beside.push(turn(arrivals, commit, step));
    stretches += storage.stretchBytesRead;
  }
  journal.close();
  const p99 = (turns: readonly number[][]): number => quantile(turns.flat(), 0.99);
  const eachP99 = (turns: readonly number[][]): number[] =>
    turns.map((times) => quantile(times, 0.99));
  const seconds = (TURNS * TURN_COMMITS * COMMIT_EVERY_MS) / 1000;
  return [
    ratioRow(
      {
        name: 'commit of 5 pages beside a vacuum, p99',
        value: p99(beside),
        unit: 'ms',
        peer: p99(alone),
        spread: ratioSpread(eachP99(beside), eachP99(alone)),
      },
      atMost(2),
    ),
    infoRow('the same, median', median(beside.flat()), 'ms', median(alone.flat())),
    infoRow('that vacuum reads', stretches / MIB / seconds, 'MiB/s'),
    infoRow('that vacuum moves', (vacuum.blocksCopied * PAGE_BYTES) / MIB / seconds, 'MiB/s'),
    infoRow('steps of it, median', median(steps), 'ms'),
    infoRow('steps of it, longest', Math.max(...steps), 'ms'),
  ];
}

/** Times from the beginning of a turn at which commits come: at random, so not between steps. */
function arrivalsOf(random: Random): number[] {
  let at = 0;
  return Array.from({ length: TURN_COMMITS }, () => {
    at -= Math.log(1 - random.below(2 ** 30) / 2 ** 30) * COMMIT_EVERY_MS;
    return at;
  });
}

function commitSome(journal: Journal, random: Random, livePages: number): void {
  const numbers = new Set<number>();
  while (numbers.size < COMMIT_PAGES) numbers.add(random.below(livePages));
  const pages = Array.from(numbers, (page) => ({ page, bytes: ZERO_PAGE }));
  journal.commit({ pages, wallMs: Date.now(), journalMs: 0 });
}

/** What the commits of one turn took since they came; `step` answers how long it took. */
function turn(
  arrivals: readonly number[],
  commit: () => void,
  step: (() => number) | null,
): number[] {
  const latencies: number[] = [];
  const begin = performance.now();
  let rested = begin;
  for (const arrival of arrivals) {
    const due = begin + arrival;
    for (let now = performance.now(); now < due; now = performance.now()) {
      if (step && now >= rested) rested = now + REST * step();
      // Sleeps as the store's thread does, and wakes when there is something to do.
      else Atomics.wait(CLOCK, 0, 0, Math.max(0.05, Math.min(due, step ? rested : due) - now));
    }
    commit();
    latencies.push(performance.now() - due);
  }
  return latencies;
}

/** One vacuum after the other, a step at a time. */
class EndlessVacuum {
  blocksCopied = 0;
  readonly #journal: Journal;
  #steps: ReturnType<Journal['vacuum']>;

  constructor(journal: Journal) {
    this.#journal = journal;
    this.#steps = journal.vacuum();
  }

  /** Answers whether it copied something. */
  step(): boolean {
    const { done, value } = this.#steps.next();
    if (done) this.#steps = this.#journal.vacuum();
    const copied = value ? value.blocksCopied : 0;
    this.blocksCopied += copied;
    return copied > 0;
  }

  /** Past the walk through the tables, which writes nothing: a turn is too short for both. */
  advanceToCopying(): void {
    const before = this.blocksCopied;
    for (let count = 0; !this.step(); count++) assert(count < 1_000_000, 'something to copy');
    this.blocksCopied = before;
  }
}

const ZERO_PAGE = new Uint8Array(PAGE_BYTES);
const CLOCK = new Int32Array(new SharedArrayBuffer(4));
