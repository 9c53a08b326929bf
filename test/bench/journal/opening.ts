/**
 * Opening: a journal of any size, after a crash, and any of many generations.
 *
 * The journals are made by the store itself on sparse files, from pages of zeros that leave holes
 * (SparseStorage): their headers, records, nodes and superblocks are real and complete. What is
 * read comes past the page cache. For the comparison of sizes all have the same log since their
 * superblock; the longest log there can be is measured apart.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Journal } from '../../../vm/store/journal.ts';
import { recover } from '../../../vm/store/recovery.ts';
import { PAGE_BYTES } from '../../../vm/store/storage.ts';
import { StoreError } from '../../../vm/store/store-error.ts';
import { Random } from '../../sim/random.ts';
import {
  atMost,
  type BenchContext,
  type BenchPart,
  infoRow,
  type Row,
  valueRow,
} from '../bench.ts';
import { freshJournal, journalStorage, MIB, openJournal, SparseStorage } from '../disk.ts';
import { interleaved, median, quartiles } from '../measure.ts';
import { HEAP_PAGES } from './workload.ts';

const OPEN_MS_MAX = 50;
const FLAT_MAX = 1.5;
const ROUNDS = 31;
const PROCESSES = 7;
/** Commits of 5 pages after the superblock, the same for every size. */
const COMMITS_SINCE = 20;
const SEGMENTS_SINCE_MAX = 63;
const GENERATIONS = 100_000;
const GENERATIONS_SAMPLED = 300;
const PAGES_SAMPLED = 200;

const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

export const openingPart: BenchPart = {
  name: 'open',
  about: 'opening journals of 10 MB, 1 GB and 50 GB, after a crash, and any of 100,000 generations',
  run: async (context) => {
    const made = [
      make(context, { name: '10 MB', partitionMiB: 10, spareMiB: 1 }),
      make(context, { name: '1 GB', partitionMiB: 1024, spareMiB: 64 }),
      make(context, { name: '50 GB', partitionMiB: 50 * 1024, spareMiB: 400 }),
    ];
    const rows = compare(context, made);
    const crashed = make(context, { name: '2 GB, crashed', partitionMiB: 4096, spareMiB: 2048 });
    crash(crashed);
    rows.push(...alone(context, crashed, 'after a crash in a commit of 1 GB'));
    const large = made[2] as Made;
    oldest(context, large);
    const sentence = `50 GB, ${SEGMENTS_SINCE_MAX} segments after the superblock, the last full`;
    rows.push(...alone(context, large, sentence));
    rows.push(...anyGeneration(context));
    return rows;
  },
};

interface Made {
  readonly name: string;
  readonly path: string;
}

function sparse(path: string, createBytes?: number): SparseStorage {
  return new SparseStorage(journalStorage(path, createBytes));
}

function commitZeros(journal: Journal, first: number, count: number): void {
  const pages = Array.from({ length: count }, (_, index) => ({
    page: first + index,
    bytes: ZERO_PAGE,
  }));
  journal.commit({ pages, wallMs: Date.now(), journalMs: 0 });
}

/** A journal full but for `spareMiB`, then a superblock and the same few commits. */
function make(
  context: BenchContext,
  { name, partitionMiB, spareMiB }: { name: string; partitionMiB: number; spareMiB: number },
): Made {
  const path = join(context.dir, `journal ${name}`);
  context.progress(`making a journal of ${name}`);
  const bytes = partitionMiB * MIB;
  const journal = freshJournal(sparse(path, bytes), { retention: 'manual' });
  const count = Math.min(8192, Math.floor(bytes / PAGE_BYTES / 64));
  for (let first = 0; journal.statistics().bytesFree > spareMiB * MIB + count * 2 * PAGE_BYTES; ) {
    commitZeros(journal, first, count);
    first += count;
  }
  journal.close();
  const again = openJournal(sparse(path), { retention: 'manual' });
  for (let commit = 0; commit < COMMITS_SINCE; commit++) commitZeros(again, commit * 100, 5);
  again.close();
  return { name, path };
}

/** Opens for writing and closes; the journal is as before. */
function open(path: string): void {
  openJournal(journalStorage(path)).close();
}

function compare(context: BenchContext, made: readonly Made[]): Row[] {
  context.progress(`opening each ${ROUNDS} times`);
  const times = interleaved(
    ROUNDS,
    made.map(
      ({ path }) =>
        () =>
          open(path),
    ),
  );
  const rows = made.map(({ name }, index) =>
    openRow(`open ${name}, code warm`, times[index] as number[]),
  );
  const medians = times.map(median);
  const flat = valueRow(
    {
      name: 'slowest size against the fastest',
      value: Math.max(...medians) / Math.min(...medians),
      unit: '×',
    },
    atMost(FLAT_MAX),
  );
  return [...rows, flat, ...inProcesses(context, made)];
}

/** Opening as the first thing a process does, its code never run before. */
function inProcesses(context: BenchContext, made: readonly Made[]): Row[] {
  context.progress(`opening each in ${PROCESSES} processes of its own`);
  const times: number[][] = made.map(() => []);
  for (let round = 0; round < PROCESSES; round++) {
    for (const [index, { path }] of made.entries()) {
      const printed = execFileSync(process.execPath, [import.meta.filename, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      times[index]?.push(Number(printed.toString()));
    }
  }
  return made.map(({ name }, index) => openRow(`open ${name}, new process`, times[index] ?? []));
}

function openRow(name: string, times: readonly number[]): Row {
  return valueRow(
    { name, value: median(times), unit: 'ms', spread: quartiles(times) },
    atMost(OPEN_MS_MAX),
  );
}

function alone(context: BenchContext, made: Made, what: string): Row[] {
  context.progress(what);
  const [times = []] = interleaved(ROUNDS, [() => open(made.path)]);
  const warm = openRow(`open ${what}, code warm`, times);
  const [fresh] = inProcesses(context, [{ ...made, name: what }]);
  return fresh ? [warm, fresh] : [warm];
}

/** The power goes in the middle of a commit of 1 GB. */
function crash({ path }: Made): void {
  const storage = sparse(path);
  const journal = openJournal(storage, { retention: 'manual' });
  storage.failAfterBytes = 512 * MIB;
  try {
    commitZeros(journal, 0, (1024 * MIB) / PAGE_BYTES);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
  journal.close();
}

/** Commits until the log since the superblock is as long as it gets. */
function oldest(context: BenchContext, { name, path }: Made): void {
  context.progress(`lengthening the log of ${name}`);
  const storage = sparse(path);
  const journal = openJournal(storage, { retention: 'manual' });
  for (let commit = 0, careful = false; ; commit++) {
    commitZeros(journal, commit * 100, 5);
    if (!careful && commit % 50 !== 0) continue;
    const { superblock, last, end, segments } = recover(storage);
    const inLast = last.sequence - superblock.startSequence === SEGMENTS_SINCE_MAX;
    careful = inLast && end > segments.slots - 400;
    if (inLast && end > segments.slots - 12) break;
  }
  journal.close();
}

/** Reads of blocks from the medium, each time by a journal opened anew. */
function anyGeneration(context: BenchContext): Row[] {
  context.progress(`making ${GENERATIONS} generations`);
  const path = join(context.dir, 'generations');
  const random = new Random(context.seed);
  const journal = freshJournal(sparse(path, 8192 * MIB), { retention: 'manual' });
  for (let first = 0; first < HEAP_PAGES; first += 8192) commitZeros(journal, first, 8192);
  while (journal.head.number < GENERATIONS) commitZeros(journal, random.below(HEAP_PAGES), 1);
  journal.close();

  context.progress(`opening ${GENERATIONS_SAMPLED} of them`);
  const page = new Uint8Array(PAGE_BYTES);
  const openings: number[] = [];
  const times: number[] = [];
  const pages: number[] = [];
  for (let sample = 0; sample < GENERATIONS_SAMPLED; sample++) {
    // Generation 9 is the first one with a whole heap.
    const number = 9 + random.below(GENERATIONS - 9);
    const opened = openJournal(journalStorage(path));
    const begin = performance.now();
    const before = opened.statistics().blocksRead;
    if (opened.generation(number) === undefined) throw new Error(`generation ${number} is gone`);
    opened.readPage(number, random.below(HEAP_PAGES), page);
    openings.push(opened.statistics().blocksRead - before);
    times.push(performance.now() - begin);
    for (let read = 0; sample === 0 && read < PAGES_SAMPLED; read++) {
      const already = opened.statistics().blocksRead;
      opened.readPage(number, random.below(HEAP_PAGES), page);
      pages.push(opened.statistics().blocksRead - already);
    }
    opened.close();
  }
  return [
    valueRow(
      {
        name: `any of ${GENERATIONS} generations and its first page, most`,
        value: Math.max(...openings),
        unit: 'reads',
      },
      atMost(8),
    ),
    valueRow(
      { name: 'each further page, most', value: Math.max(...pages), unit: 'reads' },
      atMost(2),
    ),
    infoRow('any generation and its first page, median', median(times), 'ms'),
  ];
}

/** In a process of its own: opens the journal named and prints the milliseconds it took. */
function main(path: string): void {
  const begin = performance.now();
  open(path);
  console.log(performance.now() - begin);
}

if (import.meta.main) main(process.argv[2] ?? '');
