/**
 * `npm run bench -- checkpoint`: what a program notices of a checkpoint.
 *
 * The real program on a journal of its own, 2 GiB of arrays in memory (PALIMPSEST_BENCH_MIB names
 * another size). A process of high priority ticks every millisecond and notes by how much each tick
 * was late; another thread here does the same, so that what the machine itself stalls can be taken
 * off. Meanwhile writers store into the arrays, as fast as the bars say.
 */
import { truncate } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { type HostProgram, JournalCopy } from '../host/host-program.ts';
import {
  atLeast,
  atMost,
  type Bench,
  type BenchPart,
  infoRow,
  type Row,
  ratioRow,
  valueRow,
} from './bench.ts';

const MIB = 2 ** 20;
const HEAP_MIB = Number(process.env['PALIMPSEST_BENCH_MIB'] ?? '2048');
/** Each array has 64 MiB. */
const ARRAY_MIB = 64;
const ARRAY_SLOTS = (ARRAY_MIB * MIB) / 4;
const PAGE_SLOTS = 1024;
const ARRAY_PAGES = ARRAY_SLOTS / PAGE_SLOTS;
/** Two small generators (Wichmann and Hill, 1982) in SmallIntegers: `at` is below 917 millions. */
const NEXT_RANDOM = 'a := a * 171 \\\\ 30269. b := b * 172 \\\\ 30307. at := a * 30307 + b';
/** Writing everything once, on a slow card. */
const PATIENCE_MS = 600_000;
const UNIFORM_SECONDS = 4;

const DEFINITIONS = [
  `Smalltalk at: #Heap put: ((1 to: ${HEAP_MIB / ARRAY_MIB}) collect: [:i | ` +
    `Array new: ${ARRAY_SLOTS}]). 0`,
  'Smalltalk at: #Late put: nil. Smalltalk at: #Stores put: 0. Smalltalk at: #Writer put: nil',
  '[| last now | last := Time microsecondClock. [true] whileTrue: [' +
    '(Delay forMilliseconds: 1) wait. now := Time microsecondClock. ' +
    'Late ifNotNil: [Late addLast: now - last - 1000]. last := now]] forkAt: 70. 0',
  // A hot twentieth of the pages takes nine stores of ten; at most 20 pages a millisecond.
  `Smalltalk at: #Skewed put: [| a b at pages | a := b := 1. ` +
    `pages := Heap size * ${ARRAY_PAGES}. [true] whileTrue: [20 timesRepeat: [` +
    `${NEXT_RANDOM}. at := at \\\\ pages. a \\\\ 10 < 9 ifTrue: [at := at // 20]. ` +
    `(Heap at: at // ${ARRAY_PAGES} + 1) at: at \\\\ ${ARRAY_PAGES} * ${PAGE_SLOTS} + 1 put: b]. ` +
    '(Delay forMilliseconds: 1) wait]]. 0',
  'Smalltalk at: #Uniform put: [| a b at arrays | a := b := 1. ' +
    'arrays := (1 to: (Heap size min: 16)) collect: [:i | Heap at: i]. ' +
    `[true] whileTrue: [1 to: 1000 do: [:k | ${NEXT_RANDOM}. ` +
    `(arrays at: at \\\\ arrays size + 1) at: at // arrays size \\\\ ${ARRAY_SLOTS} + 1 put: k]. ` +
    'Smalltalk at: #Stores put: Stores + 1000]]. 0',
];

/** Dirties `mib` of pages, then commits; answers how late ticks were from there on, and so on. */
function commitWhile(mib: number): string {
  return (
    `| begin generation late | Smalltalk at: #Writer put: (Skewed forkAt: 30). ` +
    `1 to: ${Math.ceil(mib / ARRAY_MIB)} do: [:i | ` +
    `1 to: ${Math.min(mib, ARRAY_MIB) * 256} do: [:k | ` +
    `(Heap at: i) at: k - 1 * ${PAGE_SLOTS} + 2 put: k]]. ` +
    // What was dirtied in one go is scanned by the next scavenge: that is no pause of a checkpoint.
    '120000 timesRepeat: [Array new: 60]. ' +
    'Smalltalk at: #Late put: OrderedCollection new. begin := Time microsecondClock. ' +
    'generation := Journal commit. late := Late asArray sorted. Smalltalk at: #Late put: nil. ' +
    'Writer terminate. {generation. Time microsecondClock - begin. late size. ' +
    'late at: (late size * 99 / 100) ceiling. late last}'
  );
}

/** The stores of the uniform writer in some seconds, commits one after the other meanwhile. */
function uniform(commits: boolean): string {
  return (
    '| end late stores | Smalltalk at: #Writer put: (Uniform forkAt: 30). ' +
    'Smalltalk at: #Late put: OrderedCollection new. stores := Stores. ' +
    `end := Time microsecondClock + ${UNIFORM_SECONDS * 1_000_000}. ` +
    (commits
      ? '[Time microsecondClock < end] whileTrue: [Journal commit]. '
      : `(Delay forSeconds: ${UNIFORM_SECONDS}) wait. `) +
    'Writer terminate. late := Late asArray sorted. Smalltalk at: #Late put: nil. ' +
    `{Stores - stores. Time microsecondClock - end + ${UNIFORM_SECONDS * 1_000_000}. late size. ` +
    'late at: (late size * 99 / 100) ceiling. late last}'
  );
}

/** Ticks in a thread that has nothing else to do: how late this machine's threads are anyway. */
class Control {
  readonly #words = new Int32Array(new SharedArrayBuffer(8));
  readonly #worker = new Worker(
    `const { workerData } = require('node:worker_threads');
     let last = performance.now();
     for (;;) {
       Atomics.wait(workerData, 1, 0, 1);
       const now = performance.now();
       const late = Math.round((now - last - 1) * 1000);
       if (late > Atomics.load(workerData, 0)) Atomics.store(workerData, 0, late);
       last = now;
     }`,
    { eval: true, workerData: this.#words },
  );

  begin(): void {
    Atomics.store(this.#words, 0, 0);
  }

  /** The longest stall since begin(), ms. */
  get stallMs(): number {
    return Atomics.load(this.#words, 0) / 1000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

interface Measured {
  readonly first: number;
  readonly ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

async function measure(program: HostProgram, control: Control, source: string): Promise<Measured> {
  control.begin();
  const said = await program.type(source, 'st> ', PATIENCE_MS);
  const { stallMs } = control;
  if (!/^#\([\d ]+\)$/.test(said)) throw new Error(`Cannot measure: found "${said}"`);
  const [first = 0, micros = 0, , p99 = 0, max = 0] = said.slice(2, -1).split(' ').map(Number);
  return {
    first,
    ms: micros / 1000,
    p99Ms: p99 / 1000,
    maxMs: Math.max(0, max / 1000 - stallMs),
  };
}

/** The program with its arrays in memory and in the journal. */
async function prepared(
  journal: JournalCopy,
  progress: (text: string) => void,
): Promise<HostProgram> {
  await truncate(journal.path, 16 * HEAP_MIB * MIB);
  const program = await journal.start();
  progress(`${HEAP_MIB} MiB of arrays`);
  for (const line of DEFINITIONS) {
    const said = await program.type(line, 'st> ', PATIENCE_MS);
    if (!/^(0|nil)$/.test(said)) throw new Error(`Cannot prepare: found "${said}"`);
  }
  return program;
}

const skewedPart: BenchPart = {
  name: 'skewed',
  about: 'pauses while 10 MB, 100 MB and 1 GB are committed and a writer goes on',
  run: async ({ progress }) => {
    await using journal = await JournalCopy.fresh();
    await using control = new Control();
    await using program = await prepared(journal, progress);
    const rows: Row[] = [];
    for (const mib of [10, 100, 1000].filter((size) => size <= HEAP_MIB)) {
      progress(`${mib} MB dirty`);
      const { ms, p99Ms, maxMs } = await measure(program, control, commitWhile(mib));
      const name = (what: string): string => `${what}, ${mib} MB dirty`;
      rows.push(valueRow({ name: name('pause, p99'), value: p99Ms, unit: 'ms' }, atMost(5)));
      rows.push(valueRow({ name: name('pause, max'), value: maxMs, unit: 'ms' }, atMost(20)));
      rows.push(infoRow(name('until it is durable'), ms, 'ms'));
    }
    return rows;
  },
};

const uniformPart: BenchPart = {
  name: 'uniform',
  about: 'a writer over 1 GB at full speed, with checkpoints all the time and without',
  run: async ({ progress }) => {
    await using journal = await JournalCopy.fresh();
    await using control = new Control();
    await using program = await prepared(journal, progress);
    progress('without checkpoints');
    const alone = await measure(program, control, uniform(false));
    progress('with checkpoints');
    const beside = await measure(program, control, uniform(true));
    const speed = ({ first, ms }: Measured): number => first / ms;
    return [
      valueRow({ name: 'pause, max', value: beside.maxMs, unit: 'ms' }, atMost(50)),
      infoRow('pause, p99', beside.p99Ms, 'ms'),
      ratioRow(
        { name: 'stores', value: speed(beside), unit: '1/ms', peer: speed(alone) },
        atLeast(0.5),
      ),
    ];
  },
};

export const checkpointBench: Bench = { parts: [skewedPart, uniformPart] };
