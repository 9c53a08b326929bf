/**
 * Keeping a store of free segments: vacuum, and when that is not enough letting go of older
 * generations under more and more pressure. Done in bounded steps in idle moments, so that no
 * commit has to do it all at once.
 *
 * Invariants: a walk is made only when something was let go of since the last one that ended short;
 * begun when half of what is to be kept free is used up, so that each walk is worth its reads.
 */
import { FIRST_SEGMENT } from './format.ts';
import { PRESSURE_MAX } from './retention.ts';
import type { Segments } from './segments.ts';
import { PAGE_BYTES } from './storage.ts';
import type { VacuumStep } from './vacuum.ts';

export interface MaintenanceSource {
  segments: Segments;
  /** Segments a commit leaves free. */
  reserve: number;
  /** Payload blocks that a commit may still write. */
  blocksFree: () => number;
  /** Lets go of what the rules of retention do not keep under this pressure. */
  thin: (pressure: number) => void;
  /** Whether something was let go of since a vacuum ended short; maintenance sets it to false. */
  letGo: { since: boolean };
  /** A vacuum until so many segments are free. */
  vacuum: (wantedFree: number) => Generator<VacuumStep, void>;
  /** Vacuums begun so far: one that has been overtaken by another ends early. */
  vacuums: () => number;
}

/** Segments kept free besides the reserve: an eighth. */
function spareOf(segments: Segments): number {
  return Math.floor((segments.count - FIRST_SEGMENT) / 8);
}

/** Whether it is time to begin. */
export function wantsMaintenance(segments: Segments, reserve: number): boolean {
  return segments.free < reserve + Math.ceil(spareOf(segments) / 2);
}

/**
 * Frees segments until an eighth, and room for `blocksWanted` blocks, is free, or nothing more can
 * be gained. Commits may come between the steps; one that makes room by itself ends this.
 */
export function* maintenanceSteps(
  source: MaintenanceSource,
  blocksWanted: number,
): Generator<VacuumStep, void> {
  const { segments, reserve, letGo } = source;
  const wanted = reserve + spareOf(segments);
  const enough = (): boolean => segments.free >= wanted && source.blocksFree() >= blocksWanted;
  const forBlocks = Math.ceil((blocksWanted * PAGE_BYTES) / segments.segmentBytes);
  for (let pressure = -1; pressure <= PRESSURE_MAX && !enough(); pressure++) {
    if (pressure >= 0) source.thin(pressure);
    if (!letGo.since) continue;
    const turn = source.vacuums() + 1;
    for (const step of source.vacuum(wanted + forBlocks + 1)) {
      if (enough()) return;
      yield step;
    }
    if (source.vacuums() !== turn) return;
    letGo.since = false;
  }
}
