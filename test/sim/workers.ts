/**
 * Spreads tasks over threads. Each task is a world of its own, so the result does not depend on how
 * many there are; with one worker everything happens in this thread.
 */
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { type RunResult, run } from './simulation.ts';
import type { Task } from './tasks.ts';

export interface Tally {
  runs: number;
  images: number;
  keys: Set<number>;
  operations: number;
  refused: number;
  refusals: number;
  notices: Map<string, number>;
}

export interface Failure {
  task: Task;
  message: string;
}

type Answer = { result: Omit<RunResult, 'keys'>; keys: Float64Array } | { failure: string };

const PROGRESS_MS = 30_000;

/** Runs all tasks, until the first failure; tells of progress now and then. */
export async function runAll(
  tasks: readonly Task[],
  workers: number,
  progress: (tally: Tally) => void,
): Promise<{ tally: Tally; failure: Failure | null }> {
  const tally: Tally = {
    runs: 0,
    images: 0,
    keys: new Set(),
    operations: 0,
    refused: 0,
    refusals: 0,
    notices: new Map(),
  };
  let told = performance.now();
  let next = 0;
  let failure: Failure | null = null;
  const lane = async (carryOut: (task: Task) => Answer | Promise<Answer>): Promise<void> => {
    while (next < tasks.length && failure === null) {
      const task = tasks[next++] as Task;
      const answer = await carryOut(task);
      if ('failure' in answer) failure ??= { task, message: answer.failure };
      else add(tally, answer);
      if (performance.now() - told < PROGRESS_MS) continue;
      told = performance.now();
      progress(tally);
    }
  };
  if (workers === 1) await lane(carriedOut);
  else await Promise.all(Array.from({ length: workers }, () => inWorker(lane)));
  return { tally, failure };
}

async function inWorker(
  lane: (carryOut: (task: Task) => Promise<Answer>) => Promise<void>,
): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  try {
    await lane(
      (task) =>
        new Promise((resolve, reject) => {
          worker.removeAllListeners();
          worker.once('message', resolve);
          worker.once('error', reject);
          worker.postMessage(task);
        }),
    );
  } finally {
    await worker.terminate();
  }
}

function carriedOut(task: Task): Answer {
  try {
    const { keys, ...result } = run(task.operations, task.seed, task.options, task.crashFrom);
    return { result, keys: Float64Array.from(keys) };
  } catch (error) {
    const { message, cause } = error as Error;
    return { failure: `${message}\n${cause instanceof Error ? cause.stack : ''}` };
  }
}

function add(tally: Tally, { result, keys }: Extract<Answer, { keys: Float64Array }>): void {
  tally.runs++;
  tally.images += result.images;
  tally.operations += result.operations;
  tally.refused += result.refused;
  tally.refusals += result.refusals;
  for (const key of keys) tally.keys.add(key);
  for (const [notice, count] of result.notices) {
    tally.notices.set(notice, (tally.notices.get(notice) ?? 0) + count);
  }
}

if (!isMainThread) {
  parentPort?.on('message', (task: Task) => parentPort?.postMessage(carriedOut(task)));
}
