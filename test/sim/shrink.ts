/** Makes a failing list of operations as short as it gets: the same seed, fewer operations. */
import { RunFailure, run } from './simulation.ts';
import type { Task } from './tasks.ts';
import type { Operation } from './workload.ts';

/** Enough for most; each attempt carries the whole list out again. */
const ATTEMPTS_MAX = 80;

/** Leaves out operations, more than one at a time first, as long as the run still fails. */
export function shrink(task: Task): { operations: readonly Operation[]; error: Error } {
  let best = task.operations;
  let error = failureOf(task, best) ?? new Error('it does not fail again');
  if (error instanceof RunFailure) best = best.slice(0, error.at + 1);
  let attempts = 0;
  for (let size = Math.ceil(best.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at + size <= best.length && attempts < ATTEMPTS_MAX; attempts++) {
      const fewer = [...best.slice(0, at), ...best.slice(at + size)];
      const failure = failureOf(task, fewer);
      if (failure) {
        best = fewer;
        error = failure;
      } else at += size;
    }
  }
  return { operations: best, error };
}

function failureOf(task: Task, operations: readonly Operation[]): Error | null {
  try {
    run(operations, task.seed, task.options, 0);
    return null;
  } catch (error) {
    return error as Error;
  }
}
