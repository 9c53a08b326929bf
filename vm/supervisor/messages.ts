/**
 * What the threads say to each other. Plain data only; a message is never answered by touching the
 * other's memory. Three conversations: supervisor ↔ vm, supervisor ↔ store, vm → store (commits).
 */

/**
 * Words of the shared signal array (SharedArrayBuffer): how a sleeping vm is woken, and watched.
 */
export const SIGNAL = {
  wake: 0, // counts messages sent to the vm; the vm sleeps on it
  runs: 1, // counts the vm's turns at the interpreter: unchanged means it did nothing since
  sleeps: 2, // 1 while the vm waits for something to do
  output: 3, // characters of output the vm has sent and the terminal has not yet taken
  storeGone: 4, // 1 when no commit will ever become durable any more
} as const;
export const SIGNAL_WORDS = 16;

/** One line of a stack as a person reads it. */
export interface FrameLine {
  readonly description: string;
  readonly line: number | null;
}

/** A name that source uses and nobody has declared yet. */
export interface UndeclaredName {
  readonly name: string;
  readonly message: string;
  /** In the source that was compiled, from 1. */
  readonly line: number;
  readonly column: number;
  /** Whether that source is a method's, compiled by the evaluation. */
  readonly inMethod: boolean;
}

export type DebugCommand =
  | { readonly name: 'resume'; readonly source: string | null }
  | { readonly name: 'return'; readonly frame: number; readonly source: string | null }
  | { readonly name: 'restart'; readonly frame: number }
  | { readonly name: 'step' }
  | { readonly name: 'inspect'; readonly frame: number }
  | { readonly name: 'stack' }
  | { readonly name: 'abandon' };

export type ToVm =
  /** With `batch` the value is not printed and nothing is committed: more is to come. */
  | {
      readonly kind: 'evaluate';
      readonly id: number;
      readonly source: string;
      readonly batch: boolean;
    }
  | { readonly kind: 'checkpoint'; readonly dirtyPagesMin: number }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'debug'; readonly id: number; readonly command: DebugCommand }
  | { readonly kind: 'stop' };

export type FromVm =
  | { readonly kind: 'ready' }
  | { readonly kind: 'output'; readonly text: string }
  /** An evaluation ended; with `commit` a generation number still to come makes it durable. */
  | { readonly kind: 'value'; readonly id: number; readonly text: string; readonly ticket: number }
  | {
      readonly kind: 'compileError';
      readonly id: number;
      readonly message: string;
      readonly line: number;
      readonly column: number;
    }
  | {
      readonly kind: 'error';
      /** The evaluation it stopped, or null when another process met it. */
      readonly id: number | null;
      readonly process: string;
      readonly description: string;
      readonly frames: readonly FrameLine[];
      readonly ticket: number;
    }
  | { readonly kind: 'undeclared'; readonly name: UndeclaredName }
  | { readonly kind: 'report'; readonly id: number; readonly lines: readonly string[] }
  | { readonly kind: 'shutdown'; readonly how: 'restart' | 'poweroff'; readonly ticket: number }
  | { readonly kind: 'label'; readonly generation: number; readonly label: string }
  /** News of a test, and the library's methods that have run for the first time since the last. */
  | {
      readonly kind: 'test';
      readonly fields: readonly string[];
      readonly activated: readonly string[];
    }
  /** Ctrl-C has been seen to, whatever there was to stop. */
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'stopped' };

/**
 * The vm to the store. Every message with pages has a serial number, rising; `afterFailure` is the
 * last serial whose failure the vm has heard of. Pages of a message that failed are in no
 * generation, so the store refuses every message sent before the vm had heard of it.
 */
export interface HandedPages {
  readonly serial: number;
  readonly afterFailure: number;
  readonly pages: readonly number[];
  readonly staging: SharedArrayBuffer;
  /** What the copies are checked against: see vm/memory/check-copies.ts. */
  readonly firstBlocks: Int32Array;
  readonly oldLimit: number;
  readonly shapeCount: number;
}

export type VmToStore =
  /** Write these pages ahead of their commit; page i is at `offsetBytes` + 4096 i. */
  | (HandedPages & { readonly kind: 'stage'; readonly offsetBytes: number })
  /** Make a generation of what was staged and these; page i is at 4096 i of the staging buffer. */
  | (HandedPages & { readonly kind: 'commit'; readonly ticket: number })
  /** There will be no commit with this ticket. */
  | {
      readonly kind: 'refuse';
      readonly ticket: number;
      readonly code: string;
      readonly message: string;
    };

/** The store's word to vm and supervisor when a commit is durable, or could not be made so. */
export type Committed =
  | { readonly kind: 'committed'; readonly ticket: number; readonly generation: number }
  | {
      readonly kind: 'commitFailed';
      readonly ticket: number;
      readonly code: string;
      readonly message: string;
    };

/** The store's word to the vm. */
export type StoreToVm =
  | Committed
  | { readonly kind: 'staged'; readonly serial: number }
  | {
      readonly kind: 'stageFailed';
      readonly serial: number;
      readonly code: string;
      readonly message: string;
    };

/** A generation as the menu shows it. */
export interface GenerationLine {
  readonly number: number;
  readonly parent: number;
  readonly wallMs: number;
  readonly journalMs: number;
  readonly kind: string;
  readonly label: string | null;
  readonly pages: number;
}

/** Requests of the supervisor to the store; each is answered once, by id. */
export interface StoreRequests {
  open: {
    request: { path: string; write: boolean; scratch: boolean };
    /**
     * `baseBytes`: where in the file the journal begins; `scratchFd`: the open file with the pages
     * that are not kept, at the same offsets.
     */
    reply: {
      head: GenerationLine;
      id: string;
      baseBytes: number;
      scratchFd: number | null;
      crash: CrashReason | null;
      notices: readonly string[];
    };
  };
  list: { request: Record<never, never>; reply: GenerationLine[] };
  /** What the reader of a generation's page tables starts from; plain data, passed on unread. */
  pageTables: { request: { generation: number }; reply: unknown };
  rollback: { request: { generation: number }; reply: GenerationLine };
  label: { request: { generation: number; label: string }; reply: GenerationLine };
  verify: { request: Record<never, never>; reply: { sentence: string; ok: boolean } };
  /**
   * Appends to the change log, flushed; a do-it (change 0) is given its number, which is answered.
   */
  change: { request: { record: ChangeRecord }; reply: number };
  changes: { request: { last: number }; reply: ChangeRecord[] };
  setCounter: { request: { name: string; value: number }; reply: null };
  counter: { request: { name: string }; reply: number };
  /** Commits of the vm that runs, or ran, are no longer taken. */
  detachVm: { request: Record<never, never>; reply: null };
  close: { request: Record<never, never>; reply: null };
}
export type StoreRequestName = keyof StoreRequests;

/** Why the machine died the last time. */
export interface CrashReason {
  readonly signal: number;
  readonly addressHex: string;
  readonly text: string;
}

/** A line of the change log: written and flushed before what it tells of runs. */
export interface ChangeRecord {
  readonly wallMs: number;
  readonly author: string;
  readonly kind: 'doit' | 'outcome';
  readonly generation: number;
  /** Sequence number of the do-it that an outcome belongs to; its own for a do-it. */
  readonly change: number;
  /** Source of a do-it; 'finished', 'failed …' for an outcome. */
  readonly text: string;
}
