/**
 * Retention: which generations are kept, as data. Age is journal time (powered-on time), never the
 * wall clock. Kept always: the head, the last 16, pins, labels, and abandoned tips (what a
 * rollback turned away from) together with the rollback, which tells that they are one.
 */
import type { Generation } from './generation.ts';

export interface RetentionRule {
  /** Applies to generations up to this age. */
  ageMsMax: number;
  /** Keeps one generation in each period of this length; 0 keeps all. */
  periodMs: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** All of the last hour, then one a minute, an hour, a day, a month. */
export const RETENTION: readonly RetentionRule[] = [
  { ageMsMax: HOUR, periodMs: 0 },
  { ageMsMax: DAY, periodMs: MINUTE },
  { ageMsMax: 30 * DAY, periodMs: HOUR },
  { ageMsMax: 365 * DAY, periodMs: DAY },
  { ageMsMax: Number.POSITIVE_INFINITY, periodMs: 30 * DAY },
];

const LAST_KEPT = 16;
/** Pressure at which nothing but what is always kept remains. */
export const PRESSURE_MAX = 8;

/**
 * The numbers of the generations to let go of. `generations` is newest first and complete; each
 * step of `pressure` makes everything four times older, the last step infinitely old.
 */
export function expired(
  generations: readonly Generation[],
  journalMs: number,
  pressure = 0,
  rules: readonly RetentionRule[] = RETENTION,
): number[] {
  const tips = abandonedTips(generations);
  const result: number[] = [];
  let periodKept = '';
  for (const [index, generation] of generations.entries()) {
    const { number, pinned, label } = generation;
    const always = index < LAST_KEPT || pinned || label !== null || tips.has(number);
    const age = Math.max(0, journalMs - generation.journalMs) * 4 ** pressure;
    const rule = rules.find(({ ageMsMax }) => age <= ageMsMax);
    const periodMs = pressure >= PRESSURE_MAX ? Number.POSITIVE_INFINITY : (rule?.periodMs ?? 0);
    if (periodMs === 0) continue;
    const period = `${periodMs}/${Math.floor(generation.journalMs / periodMs)}`;
    if (always) continue;
    if (periodMs === Number.POSITIVE_INFINITY || period === periodKept) result.push(number);
    else periodKept = period;
  }
  return result;
}

/** Tips and the rollbacks that abandoned them. */
function abandonedTips(generations: readonly Generation[]): Set<number> {
  const numbers = new Set(generations.map((generation) => generation.number));
  const tips = new Set<number>();
  for (const { number, parent, kind } of generations) {
    if (kind !== 'rollback' || parent === number - 1 || !numbers.has(number - 1)) continue;
    tips.add(number).add(number - 1);
  }
  return tips;
}
