/**
 * Room: what an operation may need at most, what is kept in reserve for which operations, and how
 * many pages may still be dirtied so that the commit that will be needed surely fits.
 *
 * Reserves, so that a full journal can still be worked with: vacuum 2 segments, the change log
 * 1 MiB, going back and administration 1 MiB. A commit leaves all of them, a change record leaves
 * the other two, recovery leaves what vacuum needs.
 */
import { FIRST_SEGMENT } from './format.ts';
import type { LogWriter } from './log-writer.ts';
import type { TableState } from './record.ts';
import type { Segments } from './segments.ts';
import { PAGE_BYTES } from './storage.ts';
import { StoreError } from './store-error.ts';
import { foldBlocksMax, rootOf } from './tables.ts';
import { FANOUT } from './tree.ts';

const MIB = 1024 * 1024;
/** Entries of a delta that fit into a record whatever they are (17 bytes each at most). */
const ENTRIES_SURELY_FIT = 160;

/** Segments that each kind of operation leaves free. */
export interface Reserves {
  commit: number;
  change: number;
  recovery: number;
}

/** What an operation is about to append. */
export interface Need {
  /** What is to be done, for the sentence that refuses it. */
  action: string;
  /** Payload blocks at most. */
  blocks: number;
  /** Delta keys it sets. */
  keys: readonly number[];
  /** Segments it must leave free. */
  reserve: number;
}

/** The reserves of a journal with these segments; smaller ones on small partitions. */
export function reservesOf(segments: Segments): Reserves {
  const share = Math.max(1, Math.floor((segments.count - FIRST_SEGMENT) / 16));
  const extra = Math.min(share, Math.ceil(MIB / segments.segmentBytes));
  return { commit: 3 + 2 * extra, change: 3 + extra, recovery: 3 };
}

/** Throws JOURNAL_FULL with one sentence unless `need` surely fits. */
export function ensureRoom(
  writer: LogWriter,
  state: TableState,
  deltaBytesMax: number,
  need: Need,
): void {
  const free = writer.blocksFree(need.reserve);
  const entries = state.delta.size + 1 + need.keys.length;
  const overhead = 4 + Math.ceil(need.blocks / 128);
  let needed = need.blocks + overhead;
  // A delta this short fits into any record; else the cheap bound first: a path for each key.
  if (entries > ENTRIES_SURELY_FIT || deltaBytesMax < PAGE_BYTES) {
    needed += 6 * entries;
    if (needed > free) {
      const all = [...state.delta.keys(), ...need.keys];
      needed = need.blocks + overhead + 6 + foldBlocksMax(all, state);
    }
  }
  if (needed <= free) return;
  throw new StoreError(
    'JOURNAL_FULL',
    `Cannot ${need.action}: it needs ${needed} blocks of ${PAGE_BYTES} bytes, the journal has ` +
      `${free} besides its reserve; nothing is lost: run vacuum or use a larger partition`,
  );
}

/**
 * Pages that may be dirty at once so that their commit fits into what is free now. For heaps that
 * lie together: half of each node of their tables is in use at least.
 */
export function pageCredits(writer: LogWriter, state: TableState, reserve: number): number {
  const { count, level } = rootOf(state, 0);
  const free = writer.blocksFree(reserve) - 16 - 6 * (state.delta.size + 1);
  // Each page costs itself, its share of headers, and at worst a path of its own in the tables;
  // but no more nodes than the tables have.
  const height = Math.max(1, level);
  const alone = Math.floor(free / (1 + 1 / 64 + height));
  const nodes = Math.ceil((2 * count) / FANOUT) + height;
  const together = Math.floor((free - nodes) / (1 + 1 / 64 + 2 / FANOUT));
  return Math.max(0, alone, together);
}
