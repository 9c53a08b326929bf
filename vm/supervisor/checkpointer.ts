/**
 * Makes generations while Smalltalk runs: the vm's half of a checkpoint. It is called between turns
 * of the interpreter, when every activation is in a heap Context, and keeps every call short.
 *
 * Few dirty pages are copied at once. Many are handed to the store in pieces first, in passes over
 * all pages: they are copied and their cards cleared, a piece or a few between two turns, the store
 * writes them ahead of the commit, and what Smalltalk changes afterwards is dirty again and comes
 * in the next pass. When little is left, eden is emptied and the rest copied in one go; the store
 * makes what it has a generation while Smalltalk goes on.
 *
 *     request ──▶ pass ─▶ pass ─▶ … ─▶ scavenge ─▶ last copy ──▶ committed
 *                  pieces of 1 MiB, at most PIECES_MAX unwritten    (one at a time)
 *
 * A program that dirties pages faster than the store writes them would make that endless. When a
 * pass leaves more than half of what it handed over, Smalltalk runs in very short turns, with
 * pauses of at most HOLD_MS in which the store catches up.
 *
 * Invariant: a numbered page whose checkpoint card is clear has these bytes in the newest
 * generation, in what the store has staged, or in a message to the store that is not answered yet.
 */
import { assert } from '../base/assert.ts';
import type { CommitRequests } from '../interpreter/commit-requests.ts';
import type { ObjectMemory } from '../memory/object-memory.ts';
import {
  CARD_CHECKPOINT,
  CONTROL,
  EDEN_START,
  PAGE_BYTES,
  PAGE_SHIFT,
  PAGE_WORDS,
} from '../objects/layout.ts';
import type { HandedPages, StoreToVm, VmToStore } from './messages.ts';

export interface CheckpointerHost {
  /** To the store, in order. */
  post(message: VmToStore): void;
  /** Returns when there may be news, at the latest after `ms`; hands them to `receive` before. */
  waitForNews(ms: number): void;
  /** Time that only goes forward, in ms. */
  nowMs(): number;
  /** A generation has become durable. */
  committed(generation: number): void;
}

/** Pages of a piece: what the journal writes at once. */
export const PIECE_PAGES = 255;
/** Pieces the store has not answered yet: bounds what is neither clean nor written. */
const PIECES_MAX = 6;
/** With at most that many dirty pages the last copy is made. */
const LAST_PAGES_MAX = 512;
/** The last copy has room for these; more, and another pass comes first. */
const STAGING_PAGES = 1024;
/** So often at most; then the last copy is made however much it is. */
const PASSES_MAX = 100;
/** Words of eden that are emptied in a pause of their own before the last copy. */
const LAST_EDEN_WORDS_MAX = 128 * 1024;
/** Eden is not looked into for the sake of a lazy commit while less than this has been made. */
const LAZY_EDEN_WORDS = 64 * 1024;
const SLICE_MS = 1;
const HOLD_MS = 15;
const TURN_MS = 3;
const TURN_MS_MIN = 0.05;
const NO_LIMIT_MS = Number.POSITIVE_INFINITY;

interface Active {
  readonly ticket: number;
  passes: number;
  /** Where the pass is; beyond the last page: it is over. */
  cursor: number;
  /** Pages handed over in this pass. */
  handed: number;
  isHeldBack: boolean;
  turnMs: number;
  /** Dirty pages when Smalltalk was last let go. */
  dirtyBefore: number;
  hasScavenged: boolean;
}

interface Piece {
  readonly pages: readonly number[];
  readonly place: number;
}

interface Commit {
  readonly ticket: number;
  readonly serial: number;
  readonly generation: number;
  readonly pages: readonly number[];
  /** Pages of it that were handed over before. */
  readonly ahead: number;
}

export class Checkpointer {
  readonly #memory: ObjectMemory;
  readonly #requests: CommitRequests;
  readonly #host: CheckpointerHost;
  readonly #endPage: number;
  #generation: number;
  #ticket: number;
  #serial = 0;
  #failedSerial = 0;
  #active: Active | null = null;
  /** A ticket given out while a commit was on its way: its checkpoint begins after that. */
  #queued = 0;
  #commit: Commit | null = null;
  /** The pieces that the store has not answered yet, by serial. */
  readonly #pieces = new Map<number, Piece>();
  /** Room for PIECES_MAX pieces, and which of these places are free. */
  readonly #pieceStaging = new SharedArrayBuffer(PIECES_MAX * PIECE_PAGES * PAGE_BYTES);
  readonly #freePlaces = Array.from({ length: PIECES_MAX }, (_, place) => place);
  #staging = new SharedArrayBuffer(STAGING_PAGES * PAGE_BYTES);
  #isOver = false;
  /** Pages handed over since the last copy: clean, and in no generation. */
  #ahead = 0;
  #stageFailed = false;
  /** Where `writeAhead` goes on. */
  #aheadCursor = 0;
  /** Pages the store has not answered for yet, and the last message they are in. */
  readonly #unanswered = new Map<number, number>();

  constructor(options: {
    memory: ObjectMemory;
    requests: CommitRequests;
    host: CheckpointerHost;
    /** The generation in the memory, and the last ticket that is taken. */
    generation: number;
    ticket: number;
  }) {
    this.#memory = options.memory;
    this.#requests = options.requests;
    this.#host = options.host;
    this.#generation = options.generation;
    this.#ticket = options.ticket;
    this.#endPage = options.memory.H.length >> PAGE_SHIFT;
  }

  /** The newest generation that is durable. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Makes what is now in memory durable when that takes at least `dirtyPagesMin` pages. Answers the
   * ticket under which it becomes so, 0 when there is nothing to do.
   */
  request(dirtyPagesMin: number): number {
    if (this.#isOver) {
      this.#requests.refuse();
      return 0;
    }
    if (this.#active !== null) return this.#active.ticket;
    if (this.#queued !== 0) return this.#queued;
    if (!this.#isWorthLooking(dirtyPagesMin)) return this.#commit?.ticket ?? 0;
    if (this.#commit === null) return this.#start(this.#ticket + 1, dirtyPagesMin);
    if (dirtyPagesMin > 1) return 0;
    this.#queued = ++this.#ticket;
    return this.#queued;
  }

  /** Does what is due between two turns; answers how long the next turn may take, in ms. */
  step(): number {
    if (this.#queued !== 0 && this.#commit === null) {
      const ticket = this.#queued;
      this.#queued = 0;
      this.#start(ticket, 0);
    }
    const active = this.#active;
    if (active === null) return NO_LIMIT_MS;
    if (active.isHeldBack) this.#holdBack(active);
    else this.#slice(active, this.#host.nowMs() + SLICE_MS);
    return this.#active?.turnMs ?? NO_LIMIT_MS;
  }

  /** Whether `step` has something to do though nothing runs and no news has come. */
  get isReady(): boolean {
    if (this.#active !== null) return this.#pieces.size < PIECES_MAX;
    return this.#queued !== 0 && this.#commit === null;
  }

  /** Takes the store's word. */
  receive(news: StoreToVm): void {
    switch (news.kind) {
      case 'staged':
        this.#pieceDone(news.serial);
        this.#stageFailed = false;
        return;
      case 'stageFailed':
        this.#memory.setCheckpointCards(this.#pieceDone(news.serial));
        this.#stageFailed = true;
        this.#failedSerial = news.serial;
        if (this.#active !== null) this.#refuse(this.#active.ticket, news.code, news.message);
        this.#active = null;
        return;
      case 'committed': {
        const commit = this.#commit;
        if (commit?.ticket !== news.ticket) return;
        assert(news.generation === commit.generation, 'generations are numbered one by one');
        this.#commit = null;
        this.#stageFailed = false;
        this.#answered(commit.serial, commit.pages);
        this.#generation = news.generation;
        this.#host.committed(news.generation);
        this.#requests.settle(news.generation, true);
        return;
      }
      case 'commitFailed': {
        const commit = this.#commit;
        if (commit?.ticket !== news.ticket) return;
        this.#commit = null;
        this.#failedSerial = commit.serial;
        this.#ahead += commit.ahead;
        this.#answered(commit.serial, commit.pages);
        this.#memory.setCheckpointCards(commit.pages);
        this.#requests.settle(commit.generation, false);
      }
    }
  }

  /** The store is gone: nothing becomes durable any more. */
  storeGone(): void {
    this.#isOver = true;
    this.#active = null;
    this.#commit = null;
    this.#queued = 0;
    this.#requests.refuse();
  }

  /**
   * Writes dirty pages ahead of a commit that nobody has asked for, so that they can leave memory:
   * hands over what the store has room for. Answers whether the store has something to answer; if
   * not, there is nothing to write, or no store.
   */
  writeAhead(): boolean {
    let wrapped = false;
    while (!this.#isOver && this.#pieces.size < PIECES_MAX) {
      const pages: number[] = [];
      const range = { from: this.#aheadCursor, max: PIECE_PAGES };
      this.#aheadCursor = this.#memory.takeDirtyPages(range, pages);
      if (pages.length > 0) this.#stage(pages);
      if (this.#aheadCursor < this.#endPage) continue;
      this.#aheadCursor = 0;
      if (wrapped) break;
      wrapped = true;
    }
    return !this.#isOver && this.#unanswered.size > 0;
  }

  /** Whether the newest bytes of this page can be read back from where the store has put them. */
  isClean(page: number): boolean {
    return (this.#memory.cards[page]! & CARD_CHECKPOINT) === 0 && !this.#unanswered.has(page);
  }

  /** Whether the store refused what it was last asked to write ahead. */
  get isRefused(): boolean {
    return this.#isOver || this.#stageFailed;
  }

  #answered(serial: number, pages: readonly number[]): void {
    for (const page of pages) {
      if (this.#unanswered.get(page) === serial) this.#unanswered.delete(page);
    }
  }

  #isWorthLooking(dirtyPagesMin: number): boolean {
    const memory = this.#memory;
    if (this.#requests.hasNew || this.#ahead >= dirtyPagesMin) return true;
    const edenWords = memory.edenNext - EDEN_START;
    if (dirtyPagesMin <= 1 ? edenWords > 0 : edenWords > LAZY_EDEN_WORDS) return true;
    return memory.dirtyPageCount() >= dirtyPagesMin;
  }

  /** Begins a checkpoint, or makes it at once. `ticket` is not taken when 0 is answered. */
  #start(ticket: number, dirtyPagesMin: number): number {
    const memory = this.#memory;
    if (memory.dirtyPageCount() <= LAST_PAGES_MAX) {
      memory.prepareCheckpoint();
      const count = memory.dirtyPageCount();
      if (count + this.#ahead < dirtyPagesMin && !this.#requests.hasNew) return 0;
      this.#ticket = Math.max(this.#ticket, ticket);
      if (count <= STAGING_PAGES) {
        this.#lastCopy(ticket);
        return ticket;
      }
    }
    this.#ticket = Math.max(this.#ticket, ticket);
    this.#active = {
      ticket,
      passes: 0,
      cursor: this.#endPage,
      handed: 0,
      isHeldBack: false,
      turnMs: TURN_MS,
      dirtyBefore: 0,
      hasScavenged: false,
    };
    return ticket;
  }

  /** Hands over pieces until the store has enough to do, the pass ends, or the time is up. */
  #slice(active: Active, untilMs: number): void {
    while (this.#active === active && this.#pieces.size < PIECES_MAX) {
      if (active.cursor >= this.#endPage && !this.#nextPass(active)) return;
      const pages: number[] = [];
      const range = { from: active.cursor, max: PIECE_PAGES };
      active.cursor = this.#memory.takeDirtyPages(range, pages);
      active.handed += pages.length;
      if (pages.length > 0) this.#stage(pages);
      if (this.#host.nowMs() >= untilMs) return;
    }
  }

  #stage(pages: readonly number[]): void {
    const serial = ++this.#serial;
    const place = this.#freePlaces.pop();
    assert(place !== undefined, 'a place for each piece');
    const staging = this.#pieceStaging;
    const offsetBytes = place * PIECE_PAGES * PAGE_BYTES;
    this.#copy(pages, new Int32Array(staging, offsetBytes));
    this.#pieces.set(serial, { pages, place });
    for (const page of pages) this.#unanswered.set(page, serial);
    this.#ahead += pages.length;
    this.#host.post({ kind: 'stage', ...this.#handed(serial, pages, staging), offsetBytes });
  }

  /** Forgets a piece the store has answered; its pages. */
  #pieceDone(serial: number): readonly number[] {
    const piece = this.#pieces.get(serial);
    if (piece === undefined) return [];
    this.#pieces.delete(serial);
    this.#freePlaces.push(piece.place);
    this.#answered(serial, piece.pages);
    return piece.pages;
  }

  #copy(pages: readonly number[], into: Int32Array): void {
    const { H } = this.#memory;
    for (const [index, page] of pages.entries()) {
      const start = page * PAGE_WORDS;
      into.set(H.subarray(start, start + PAGE_WORDS), index * PAGE_WORDS);
    }
  }

  /** Begins the next pass, or ends the checkpoint; false when Smalltalk is to run first. */
  #nextPass(active: Active): boolean {
    const memory = this.#memory;
    const left = memory.dirtyPageCount();
    const mustEnd = active.passes >= PASSES_MAX;
    if (left <= LAST_PAGES_MAX || mustEnd) {
      if (memory.edenNext - EDEN_START > LAST_EDEN_WORDS_MAX && !active.hasScavenged) {
        memory.scavenge();
        active.hasScavenged = true;
        active.turnMs = Math.min(active.turnMs, SLICE_MS);
        return false;
      }
      active.hasScavenged = false;
      memory.prepareCheckpoint();
      if (memory.dirtyPageCount() <= STAGING_PAGES || mustEnd) {
        this.#lastCopy(active.ticket);
        this.#active = null;
        return false;
      }
    }
    if (active.passes > 0 && left > active.handed / 2 && !active.isHeldBack) {
      active.isHeldBack = true;
      active.turnMs = SLICE_MS;
      active.dirtyBefore = left;
    }
    active.passes++;
    active.cursor = 0;
    active.handed = 0;
    return true;
  }

  /** Lets the store catch up, Smalltalk standing still; fits the next turn to how that went. */
  #holdBack(active: Active): void {
    const memory = this.#memory;
    const untilMs = this.#host.nowMs() + HOLD_MS;
    const found = memory.dirtyPageCount();
    const grown = Math.max(0, found - active.dirtyBefore);
    for (;;) {
      this.#slice(active, untilMs);
      const leftMs = untilMs - this.#host.nowMs();
      if (this.#active !== active || leftMs <= 0 || active.hasScavenged) break;
      if (!this.isReady) this.#host.waitForNews(leftMs);
    }
    if (this.#active !== active) return;
    active.dirtyBefore = memory.dirtyPageCount();
    const done = Math.max(0, found - active.dirtyBefore);
    if (grown > done / 2) active.turnMs = Math.max(active.turnMs / 2, TURN_MS_MIN);
    else if (grown < done / 4) active.turnMs = Math.min(active.turnMs * 1.5, TURN_MS);
  }

  /** Copies all that is dirty and hands it over: the end of every checkpoint. */
  #lastCopy(ticket: number): void {
    assert(this.#commit === null, 'one commit at a time');
    const memory = this.#memory;
    const unreadable = Atomics.load(memory.H, CONTROL.unreadablePage);
    if (unreadable !== 0) {
      const reason = `page ${unreadable - 1} of the journal cannot be read; nothing is written over it`;
      this.#refuse(ticket, 'PAGE_UNREADABLE', reason);
      return;
    }
    const generation = this.#generation + 1;
    // Nothing may move between enter and leave: eden is empty, and entering makes no object.
    memory.prepareCheckpoint();
    this.#requests.enter(generation);
    assert(memory.edenNext === EDEN_START, 'eden is empty in every generation');
    memory.prepareCheckpoint();
    const pages = memory.dirtyPages();
    if (this.#staging.byteLength < pages.length * PAGE_BYTES) {
      this.#staging = new SharedArrayBuffer(pages.length * PAGE_BYTES);
    }
    this.#copy(pages, new Int32Array(this.#staging));
    memory.clearCheckpointCards(pages);
    this.#requests.leave();
    const serial = ++this.#serial;
    this.#commit = { ticket, serial, generation, pages, ahead: this.#ahead };
    this.#ahead = 0;
    for (const page of pages) this.#unanswered.set(page, serial);
    this.#host.post({ kind: 'commit', ...this.#handed(serial, pages, this.#staging), ticket });
  }

  #handed(serial: number, pages: readonly number[], staging: SharedArrayBuffer): HandedPages {
    const { oldLimit, shapes } = this.#memory;
    return {
      serial,
      afterFailure: this.#failedSerial,
      pages,
      staging,
      firstBlocks: this.#memory.firstBlocks(pages),
      oldLimit,
      shapeCount: shapes.count,
    };
  }

  #refuse(ticket: number, code: string, message: string): void {
    this.#requests.refuse();
    this.#host.post({ kind: 'refuse', ticket, code, message });
  }
}
