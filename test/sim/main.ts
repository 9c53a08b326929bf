/**
 * `npm run sim -- [--seed N] [--runs M] [--ops K] [--images I] [--gentle] [--no-shrink]
 * [--exhaustive]`: the storage simulator.
 *
 * Run r uses seed N + r, so a failure is repeated by its seed alone. It prints what failed, the
 * seed, and the shortest list of operations that still fails.
 */
import { parseArgs } from 'node:util';
import { Random } from './random.ts';
import { RunFailure, type RunOptions, run } from './simulation.ts';
import { makeOperations, OPERATIONS, type Operation } from './workload.ts';

const KIB = 1024;

/** Disks to simulate: small ones that fill up, larger ones, two sizes of segments. */
const DISKS: readonly Pick<RunOptions, 'diskBytes' | 'segmentBytes'>[] = [
  { diskBytes: 2048 * KIB, segmentBytes: 64 * KIB },
  { diskBytes: 8192 * KIB, segmentBytes: 64 * KIB },
  { diskBytes: 4096 * KIB, segmentBytes: 256 * KIB },
];

function main(): number {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: '20' },
      ops: { type: 'string', default: '60' },
      images: { type: 'string', default: '24' },
      gentle: { type: 'boolean', default: false },
      exhaustive: { type: 'boolean', default: false },
      'no-shrink': { type: 'boolean', default: false },
    },
  });
  const [seed, runs, ops, images] = [values.seed, values.runs, values.ops, values.images].map(
    Number,
  ) as [number, number, number, number];
  if (![seed, runs, ops, images].every((value) => Number.isSafeInteger(value) && value >= 0)) {
    process.stderr.write('Cannot simulate: --seed, --runs, --ops and --images want numbers\n');
    return 2;
  }
  const begin = performance.now();
  let total = 0;
  let refused = 0;
  let done = 0;
  const lists = values.exhaustive ? everyShortList(seed) : seededLists(seed, runs, ops);
  for (const { operations, runSeed } of lists) {
    const options: RunOptions = {
      ...(DISKS[runSeed % DISKS.length] as (typeof DISKS)[number]),
      imagesPerOperation: values.exhaustive ? Number.POSITIVE_INFINITY : images,
      hostile: !values.gentle,
      deltaBytesMax: [4096, 200, 600][Math.floor(runSeed / DISKS.length) % 3] as number,
    };
    try {
      const result = run(operations, runSeed, options);
      total += result.images;
      refused += result.refused;
      done++;
    } catch (error) {
      const shrinks = !values['no-shrink'];
      report(error as Error, operations, runSeed, options, shrinks);
      return 1;
    }
  }
  const seconds = (performance.now() - begin) / 1000;
  process.stdout.write(
    `${total} crash images in ${done} runs, 0 violations; ${refused} operations refused for ` +
      `space; ${Math.round(total / seconds)} images/s\n`,
  );
  return 0;
}

interface List {
  operations: readonly Operation[];
  runSeed: number;
}

function* seededLists(seed: number, runs: number, ops: number): Generator<List, void> {
  for (let runSeed = seed; runSeed < seed + runs; runSeed++) {
    yield { operations: makeOperations(runSeed, ops), runSeed };
  }
}

/** Every sequence of three kinds of operations, which covers the shorter ones as its beginnings. */
function* everyShortList(seed: number): Generator<List, void> {
  const random = new Random(seed);
  for (const first of OPERATIONS) {
    for (const second of OPERATIONS) {
      for (const third of OPERATIONS) {
        const kinds = [first, second, third];
        const operations = kinds.map((kind) => ({ kind, seed: random.bits() }));
        yield { operations, runSeed: seed };
      }
    }
  }
}

function report(
  error: Error,
  operations: readonly Operation[],
  seed: number,
  options: RunOptions,
  shrinks: boolean,
): void {
  process.stderr.write(`Violation with --seed ${seed} --runs 1: ${error.message}\n`);
  if (!(error instanceof RunFailure)) {
    process.stderr.write(`${error.stack}\n`);
    return;
  }
  if (!shrinks) return;
  const shortest = shrink(operations.slice(0, error.at + 1), seed, options);
  process.stderr.write(`Shortest failing list, ${shortest.operations.length} operations:\n`);
  for (const operation of shortest.operations) {
    process.stderr.write(`  ${operation.kind} ${operation.seed}\n`);
  }
  process.stderr.write(`which fails with: ${shortest.error.message}\n`);
  process.stderr.write(`${(shortest.error.cause as Error | undefined)?.stack ?? ''}\n`);
}

/** Leaves out operations, more than one at a time first, as long as the run still fails. */
function shrink(
  operations: readonly Operation[],
  seed: number,
  options: RunOptions,
): { operations: readonly Operation[]; error: Error } {
  let best = operations;
  let error = failureOf(best, seed, options) ?? new Error('it does not fail again');
  for (let size = Math.floor(best.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at + size <= best.length; ) {
      const fewer = [...best.slice(0, at), ...best.slice(at + size)];
      const failure = failureOf(fewer, seed, options);
      if (failure) {
        best = fewer;
        error = failure;
      } else at += size;
    }
  }
  return { operations: best, error };
}

function failureOf(
  operations: readonly Operation[],
  seed: number,
  options: RunOptions,
): Error | null {
  try {
    run(operations, seed, options);
    return null;
  } catch (error) {
    return error as Error;
  }
}

process.exitCode = main();
