/** What the journal takes and gives: plain values, no behaviour. */
import type { BlockSums } from './format.ts';
import type { GenerationKind, Origin, Totals } from './record.ts';

export interface OpenOptions {
  write: boolean;
  /** The wall clock in ms, or a function that reads it. Shown to people, never decides anything. */
  wallClockMs: number | (() => number);
  /** Random bytes for the journal id and the salt of this mount. */
  random: (bytes: number) => Uint8Array;
  /** With 'manual' a full journal is refused and nothing is let go of; default 'automatic'. */
  retention?: 'automatic' | 'manual';
  /** A clock for measuring how long flushes take, in ms; default: none, they count as 0. */
  monotonicMs?: () => number;
  /** A faster way to compute checksums than sumBlocks(). */
  blockSums?: BlockSums;
  /** Folds a delta longer than this; default: what a record holds. Tests set it to fold often. */
  deltaBytesMax?: number;
  /**
   * Told of each page that has a new place: committed, staged, or moved by vacuum (before the old
   * place is reused). A pager with places of its own must take it over at once.
   */
  onPlaced?: (place: PagePlace) => void;
}

export interface Generation {
  number: number;
  parent: number | null;
  wallMs: number;
  /** Powered-on time summed over all commits. */
  journalMs: number;
  kind: GenerationKind;
  /** Pages this commit wrote or dropped, and bytes it appended to the journal. */
  pages: number;
  bytes: number;
  label: string | null;
  pinned: boolean;
  knownGood: boolean;
  verified: boolean;
  /** The end of the change log when it was made: changes(from) starts with what came after. */
  changes: number;
  /** What it is a copy of, when it was imported. */
  origin: Origin | null;
  /** What the medium was put to since the journal was made, up to this commit. */
  totals: Totals;
  /** The slowest flush since the commit before, in microseconds. */
  slowestFlushMicros: number;
  meta: Uint8Array;
}

export interface PageWrite {
  /** space * 2^40 + page; spaces 0 and 1. */
  page: number;
  /** PAGE_BYTES bytes; null drops the page. */
  bytes: Uint8Array | null;
}

export interface Batch {
  pages: readonly PageWrite[];
  wallMs: number;
  journalMs: number;
  label?: string | null;
  kind?: GenerationKind;
  /** The generation whose pages it begins with; null = none; default: the head. */
  over?: number | null;
  /** For imports: what it is a copy of. */
  origin?: Origin;
  /** Up to 256 bytes of the caller's, kept in the record. */
  meta?: Uint8Array;
}

export interface PagePlace {
  page: number;
  offsetBytes: number;
  checksum: number;
}
