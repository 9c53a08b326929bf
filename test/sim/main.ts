/**
 * `npm run sim -- [--seed N] [--runs M] [--ops K] [--images I] [--workers W] [--hostile P]
 * [--refusals P] [--no-shrink]`, `--exhaustive [--length L]`, `--mutations [--only TEXT]`, or
 * `--fuzz`: the storage simulator.
 *
 * Run r uses seed N + r and nothing else, so seed and commit repeat a failure exactly, whatever the
 * number of workers. A failure prints what failed, the seed, and the shortest list of operations
 * that still fails.
 */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';
import { plantAll } from './mutations.ts';
import { shrink } from './shrink.ts';
import { RunFailure } from './simulation.ts';
import { exhaustiveTasks, type Task, taskOf } from './tasks.ts';
import { runAll, type Tally } from './workers.ts';

const FUZZ_PARTS = 16;
const USAGE = `Usage: npm run sim -- [--seed N] [--runs M] [--ops K] [--workers W] [--no-shrink]
  [--images I] [--hostile PERCENT] [--refusals PERCENT]
  --exhaustive [--length L]   every list of up to L operations (3)
  --mutations [--only TEXT]   plants bugs in the store; each must be found
  --fuzz                      changes every byte of the metadata of one journal`;

interface Settings {
  tasks: Task[];
  workers: number;
  shrinks: boolean;
  what: string;
}

function optionValues() {
  return parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: '20' },
      ops: { type: 'string', default: '60' },
      images: { type: 'string', default: '40' },
      hostile: { type: 'string', default: '12' },
      refusals: { type: 'string', default: '15' },
      workers: { type: 'string', default: '1' },
      length: { type: 'string', default: '3' },
      exhaustive: { type: 'boolean', default: false },
      mutations: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      fuzz: { type: 'boolean', default: false },
      'no-shrink': { type: 'boolean', default: false },
    },
  }).values;
}

function settings(): Settings | { only: string; runs: number } | { fuzzed: Task } | string {
  let values: ReturnType<typeof optionValues>;
  try {
    values = optionValues();
  } catch (error) {
    const [sentence] = (error as Error).message.split('. ');
    return `Cannot simulate: ${sentence}\n${USAGE}`;
  }
  const number = (name: 'seed' | 'runs' | 'ops' | 'images' | 'hostile' | 'refusals'): number =>
    Number(values[name]);
  const workers = Number(values.workers);
  const length = Number(values.length);
  const names = ['seed', 'runs', 'ops', 'images', 'hostile', 'refusals'] as const;
  const all = [...names.map(number), workers, length];
  if (!all.every((value) => Number.isSafeInteger(value) && value >= 0) || workers < 1) {
    return `Cannot simulate: --${names.join(', --')}, --workers and --length want numbers`;
  }
  const shrinks = !values['no-shrink'];
  if (values.mutations) return { only: values.only, runs: number('runs') };
  if (values.exhaustive) {
    const tasks = exhaustiveTasks(length);
    return { tasks, workers, shrinks, what: `all lists of up to ${length} operations` };
  }
  const options = {
    ops: number('ops'),
    images: number('images'),
    hostilePercent: number('hostile'),
    refusalPercent: number('refusals'),
  };
  if (values.fuzz) return { fuzzed: taskOf(number('seed'), options) };
  const tasks = Array.from({ length: number('runs') }, (_, run) =>
    taskOf(number('seed') + run, options),
  );
  return { tasks, workers, shrinks, what: `seeds ${values.seed} and on` };
}

async function main(): Promise<number> {
  const chosen = settings();
  if (typeof chosen === 'string') {
    process.stderr.write(`${chosen}\n`);
    return 2;
  }
  if ('only' in chosen) return plantAll(chosen.runs, chosen.only);
  if ('fuzzed' in chosen) return fuzzAll(chosen.fuzzed);
  const begin = performance.now();
  const { tally, failure } = await runAll(chosen.tasks, chosen.workers, (done) => {
    const seconds = (performance.now() - begin) / 1000;
    const rate = Math.round(done.keys.size / seconds);
    process.stderr.write(`  ${done.runs} runs, ${done.keys.size} images, ${rate}/s\n`);
  });
  report(tally, (performance.now() - begin) / 1000, chosen.what, failure === null);
  if (failure === null) return 0;
  const { task, message } = failure;
  process.stderr.write(`Violation with ${task.name}: ${message}\n`);
  if (chosen.shrinks) explain(task);
  return 1;
}

/** Fuzzes the journal of a seed, and tells of progress. */
function fuzzAll(task: Task): number {
  let blocks = 0;
  let bytes = 0;
  try {
    for (let part = 0; part < FUZZ_PARTS; part++) {
      const done = fuzz(task, part, FUZZ_PARTS);
      blocks += done.blocks;
      bytes += done.bytes;
      process.stderr.write(`  ${bytes} bytes changed\n`);
    }
  } catch (error) {
    process.stderr.write(`Violation with --fuzz, ${task.name}: ${(error as Error).stack}\n`);
    return 1;
  }
  process.stdout.write(
    `every byte of ${blocks} blocks changed, ${bytes} in all: 0 crashes, 0 wrong answers\n`,
  );
  return 0;
}

function report(tally: Tally, seconds: number, what: string, complete: boolean): void {
  const notices = [...tally.notices].map(([notice, count]) => `${count} × "${notice}"`).join(', ');
  process.stdout.write(
    `${tally.keys.size} distinct crash images wholly checked (${tally.images} in all) in ` +
      `${tally.runs} runs (${what}), ${tally.operations} operations, ${tally.refused} refused for ` +
      `space, ${tally.refusals} media that refused a write; ` +
      `${Math.round(tally.keys.size / seconds)} images/s` +
      `${notices === '' ? '' : `; noticed: ${notices}`}; ` +
      `${complete ? '0 violations, complete' : '1 violation, stopped'}\n`,
  );
}

/** Shrinks a failing task and prints what is left. */
function explain(task: Task): void {
  const { operations, error } = shrink(task);
  process.stderr.write(`Shortest failing list, ${operations.length} operations:\n`);
  for (const { kind, seed } of operations) process.stderr.write(`  ${kind} ${seed}\n`);
  const cause = error instanceof RunFailure ? (error.cause as Error) : error;
  process.stderr.write(`which fails with: ${error.message}\n${cause.stack ?? ''}\n`);
}

process.exitCode = await main();
