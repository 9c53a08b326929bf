/**
 * What a commit costs beside the disk itself: one large commit beside sequential writing of the
 * same bytes, small ones beside one aligned write of as many bytes and an fdatasync. Both files
 * are written from end to end before anything is measured, both sides go forward through theirs.
 */
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import type { Journal, PageWrite } from '../../../vm/store/journal.ts';
import { PAGE_BYTES } from '../../../vm/store/storage.ts';
import { Random } from '../../sim/random.ts';
import {
  atLeast,
  type BenchContext,
  type BenchPart,
  infoRow,
  type Row,
  ratioRow,
} from '../bench.ts';
import {
  freshJournal,
  journalStorage,
  MIB,
  RawFile,
  TRANSFER_BYTES,
  writtenFile,
} from '../disk.ts';
import { interleaved, median, ratioSpread } from '../measure.ts';

const BULK_BYTES = 256 * MIB;
const BULK_ROUNDS = 7;
const SMALL_ROUNDS = 1500;
const HEAP_PAGES = BULK_BYTES / PAGE_BYTES;
const SMALL_SIZES = [1, 5, 50] as const;
/** A small commit may take this much longer than the bare write, whatever the ratio. */
const EXTRA_MS_MAX = 0.3;
const FILE_BYTES = 3 * 1024 * MIB;

export const commitPart: BenchPart = {
  name: 'commit',
  about: 'commits of 256 MiB and of 1, 5, 50 pages beside writing the same bytes with O_DIRECT',
  run: async (context) => {
    const journalPath = join(context.dir, 'journal');
    const rawPath = join(context.dir, 'raw');
    context.progress('writing the files from end to end');
    for (const path of [journalPath, rawPath]) writtenFile(path, FILE_BYTES);
    const storage = journalStorage(journalPath);
    const journal = freshJournal(storage);
    const raw = new RawFile(rawPath);
    try {
      return [...bulk(context, journal, raw), ...small(context, journal, raw)];
    } finally {
      journal.close();
      raw.close();
    }
  },
};

function bulk(context: BenchContext, journal: Journal, raw: RawFile): Row[] {
  const heap = raw.buffer(BULK_BYTES);
  randomFillSync(heap);
  const pages: PageWrite[] = [];
  for (let page = 0; page < HEAP_PAGES; page++) {
    const bytes = heap.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    pages.push({ page, bytes });
  }
  let offset = 0;
  context.progress(`${BULK_ROUNDS} commits of ${BULK_BYTES / MIB} MiB`);
  const [ours = [], theirs = []] = interleaved(BULK_ROUNDS, [
    () => void journal.commit({ pages, wallMs: Date.now(), journalMs: 0 }),
    () => {
      for (let at = 0; at < BULK_BYTES; at += TRANSFER_BYTES) {
        raw.write(offset + at, heap.subarray(at, at + TRANSFER_BYTES));
      }
      raw.flush();
      offset = (offset + BULK_BYTES) % FILE_BYTES;
    },
  ]);
  const speed = (times: readonly number[]): number => BULK_BYTES / MIB / (median(times) / 1000);
  return [
    ratioRow(
      {
        name: `commit of ${BULK_BYTES / MIB} MiB`,
        value: speed(ours),
        unit: 'MiB/s',
        peer: speed(theirs),
        // A speed is the inverse of a time.
        spread: ratioSpread(theirs, ours),
      },
      atLeast(0.9),
    ),
  ];
}

function small(context: BenchContext, journal: Journal, raw: RawFile): Row[] {
  const random = new Random(context.seed);
  const bytes = raw.buffer(Math.max(...SMALL_SIZES) * PAGE_BYTES);
  randomFillSync(bytes);
  let offset = 0;
  return SMALL_SIZES.flatMap((count) => {
    context.progress(`${SMALL_ROUNDS} commits of ${count} pages`);
    const batches = Array.from({ length: SMALL_ROUNDS }, () => {
      const numbers = new Set<number>();
      while (numbers.size < count) numbers.add(random.below(HEAP_PAGES));
      return [...numbers].map((page, index) => ({
        page,
        bytes: bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES),
      }));
    });
    let next = 0;
    const written = bytes.subarray(0, count * PAGE_BYTES);
    const [ours = [], theirs = []] = interleaved(SMALL_ROUNDS, [
      () => {
        const pages = batches[next++] ?? [];
        journal.commit({ pages, wallMs: Date.now(), journalMs: 0 });
      },
      () => {
        raw.write(offset, written);
        raw.flush();
        offset = (offset + written.length) % (FILE_BYTES - bytes.length);
      },
    ]);
    const value = median(ours);
    const peer = median(theirs);
    const row = ratioRow(
      {
        name: `commit of ${count} pages, median`,
        value,
        unit: 'ms',
        peer,
        spread: ratioSpread(ours, theirs),
      },
      {
        text: `≤ 1.3 or ≤ ${EXTRA_MS_MAX} ms more`,
        holds: (ratio) => ratio <= 1.3 || value - peer <= EXTRA_MS_MAX,
      },
    );
    const mean = (times: readonly number[]): number =>
      times.reduce((sum, time) => sum + time, 0) / times.length;
    return [row, infoRow(`commit of ${count} pages, mean`, mean(ours), 'ms', mean(theirs))];
  });
}
