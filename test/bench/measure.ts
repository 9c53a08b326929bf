/** Times and their order statistics. */
import { assert } from '../../vm/base/assert.ts';
import type { Spread } from './bench.ts';

/** Milliseconds that `body` takes. */
export function timeMs(body: () => void): number {
  const begin = performance.now();
  body();
  return performance.now() - begin;
}

/** The value below which the share `q` of the values lies (nearest rank). */
export function quantile(values: readonly number[], q: number): number {
  assert(values.length > 0, 'something was measured');
  const sorted = Float64Array.from(values).sort();
  const rank = Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1));
  return sorted[rank] as number;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The quartiles. */
export function quartiles(values: readonly number[]): Spread {
  return { low: quantile(values, 0.25), high: quantile(values, 0.75) };
}

/** Quartiles of ours over theirs, round by round: what both suffer in one falls out. */
export function ratioSpread(ours: readonly number[], theirs: readonly number[]): Spread {
  assert(ours.length === theirs.length, 'as many rounds on both sides');
  return quartiles(ours.map((value, round) => value / (theirs[round] as number)));
}

/** Runs the bodies in turn, `rounds` times, each round in another order; the times of each. */
export function interleaved(rounds: number, bodies: readonly (() => void)[]): number[][] {
  const times: number[][] = bodies.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < bodies.length; turn++) {
      const index = (round + turn) % bodies.length;
      const body = bodies[index];
      assert(body !== undefined, 'a body to run');
      times[index]?.push(timeMs(body));
    }
  }
  return times;
}
