/**
 * How the medium fares, read from what every commit record says: bytes appended, pages handed over,
 * flushes and how long they took. Nothing is measured for it and nothing written.
 *
 * A card that wears out becomes slow before it fails: the mean and the slowest flush of the kept
 * generations, oldest eighth to newest, show it.
 */
import type { Generation } from './generation.ts';
import { PAGE_BYTES } from './storage.ts';

export interface LatencyPeriod {
  /** Generations of the period, both included. */
  from: number;
  to: number;
  flushes: number;
  /** Mean time of a flush, and the slowest, in microseconds. */
  meanMicros: number;
  slowestMicros: number;
}

export interface Health {
  /** Bytes appended since the journal was made. */
  bytes: number;
  /** Bytes appended for each byte of a page handed over; null before the first page. */
  writeAmplification: number | null;
  /** Bytes appended in a day of wall-clock time, over the last week kept; null when unknown. */
  bytesPerDay: number | null;
  /** Oldest first; empty when no flush was timed. */
  latency: LatencyPeriod[];
  /** Mean flush of the newest period for that of the oldest; null with fewer than two periods. */
  latencyTrend: number | null;
}

const DAY_MS = 86_400_000;
const WINDOW_MS = 7 * DAY_MS;
/** Less time than this says nothing about a day. */
const SPAN_MS_MIN = 60_000;
const PERIODS = 8;

/** Health from kept generations, newest first; there is at least one. */
export function journalHealth(generations: readonly Generation[]): Health {
  const head = generations[0] as Generation;
  const latency = latencyPeriods(generations);
  const [first, last] = [latency[0], latency.at(-1)];
  return {
    bytes: head.totals.bytes,
    writeAmplification: ratio(head.totals.bytes, head.totals.pages * PAGE_BYTES),
    bytesPerDay: bytesPerDay(generations),
    latency,
    latencyTrend: first && last && first !== last ? ratio(last.meanMicros, first.meanMicros) : null,
  };
}

function ratio(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

function bytesPerDay(generations: readonly Generation[]): number | null {
  const head = generations[0] as Generation;
  let begin = head;
  for (const generation of generations) {
    // Before a clock that was set back nothing can be compared.
    if (generation.wallMs > begin.wallMs || head.wallMs - generation.wallMs > WINDOW_MS) break;
    begin = generation;
  }
  const ms = head.wallMs - begin.wallMs;
  if (ms < SPAN_MS_MIN) return null;
  return Math.round(((head.totals.bytes - begin.totals.bytes) * DAY_MS) / ms);
}

/** Up to PERIODS periods with about as many generations each, by differences of the totals. */
function latencyPeriods(generations: readonly Generation[]): LatencyPeriod[] {
  const rising = [...generations].reverse();
  const periods: LatencyPeriod[] = [];
  const count = Math.min(PERIODS, rising.length - 1);
  for (let index = 0; index < count; index++) {
    const begin = Math.floor((index * (rising.length - 1)) / count);
    const end = Math.floor(((index + 1) * (rising.length - 1)) / count);
    const members = rising.slice(begin + 1, end + 1);
    const [before, last] = [rising[begin], members.at(-1)];
    if (!before || !last) continue;
    const flushes = last.totals.flushes - before.totals.flushes;
    const micros = last.totals.flushMicros - before.totals.flushMicros;
    if (flushes <= 0 || micros <= 0) continue;
    periods.push({
      from: (members[0] as Generation).number,
      to: last.number,
      flushes,
      meanMicros: Math.round(micros / flushes),
      slowestMicros: Math.max(...members.map(({ slowestFlushMicros }) => slowestFlushMicros)),
    });
  }
  return periods;
}
