/**
 * Keeps what is resident of the region within a budget of RAM. When the pager has brought in more
 * than that it raises INTERRUPT.evict; the vm's thread then comes here between two turns. Clean
 * pages leave; when too many are dirty the store writes some of them ahead of their commit, and
 * Smalltalk waits for it as long as there is no room.
 *
 * The budget is for all of the heap: eden and its reserve, which are never paged, count in full.
 *
 * When the store cannot write (no room in its journal, or it is gone) dirty pages stay, and the
 * heap may only grow by what RAM has left: the program meets OutOfMemory, not the kernel's.
 */
import type { ObjectMemory } from '../memory/object-memory.ts';
import {
  EDEN_LIMIT,
  EDEN_RESERVE_LIMIT,
  EDEN_START,
  OLD_START,
  PAGE_BYTES,
  PAGE_SHIFT,
  WORD_BYTES,
} from '../objects/layout.ts';
import { Residency } from '../pager/residency.ts';
import type { Checkpointer } from '../supervisor/checkpointer.ts';
import type { Addon } from './addon.ts';

/** The least that Smalltalk can be given. */
export const RAM_BYTES_MIN = 32 * 2 ** 20;
/** What Node, its threads and the kernel's own growth may take of the RAM that is left. */
const NODE_BYTES = 256 * 2 ** 20;
const ROOM_WORDS_MIN = (64 * 2 ** 20) / WORD_BYTES;
const EDEN_RESERVE_BYTES = (EDEN_RESERVE_LIMIT - EDEN_LIMIT) * WORD_BYTES;
const EDEN_WORDS_MAX = EDEN_LIMIT - EDEN_START;
/** Eden's part of the budget. */
const EDEN_PART = 8;
/** Evicting goes on until that part of the budget is free: it does not pay for single pages. */
const FREE_PART = 16;
/** A wait for the store that brings nothing is tried again: it may be long at a flush. */
const WAIT_MS = 1000;

/** Bytes of RAM the heap may use when nobody says how many; what is there now decides. */
export function defaultRamBytes(): number {
  return Math.max(RAM_BYTES_MIN, process.availableMemory() - NODE_BYTES);
}

/** Words of eden within a budget of `ramBytes`. */
export function edenWordsOf(ramBytes: number): number {
  return Math.min(EDEN_WORDS_MAX, Math.floor(ramBytes / EDEN_PART / WORD_BYTES));
}

export class RamBudget {
  readonly #addon: Addon;
  readonly #memory: ObjectMemory;
  readonly #checkpointer: Checkpointer;
  readonly #waitForNews: (ms: number) => void;
  readonly #residency: Residency;
  readonly #pages: number;
  #isStuck = false;

  constructor(options: {
    addon: Addon;
    memory: ObjectMemory;
    checkpointer: Checkpointer;
    ramBytes: number;
    /** Returns when the store may have answered, at the latest after `ms`. */
    waitForNews: (ms: number) => void;
  }) {
    const { addon, memory, checkpointer, ramBytes } = options;
    this.#addon = addon;
    this.#memory = memory;
    this.#checkpointer = checkpointer;
    this.#waitForNews = options.waitForNews;
    const edenBytes = edenWordsOf(ramBytes) * WORD_BYTES + EDEN_RESERVE_BYTES;
    this.#pages = Math.floor((Math.max(ramBytes, RAM_BYTES_MIN) - edenBytes) / PAGE_BYTES);
    this.#residency = new Residency({
      states: new Uint16Array(addon.statesView()),
      budgetPages: this.#pages,
      isClean: (page) => checkpointer.isClean(page),
      drop: (first, count) => addon.dropPages(first, count),
    });
    addon.limitResident(this.#pages);
  }

  /** Makes room when more is resident than may be. Only between two turns of the interpreter. */
  keep(): void {
    if (this.#resident <= this.#pages) return;
    const { evicted, dirty } = this.#evict();
    if (dirty > evicted) this.#checkpointer.writeAhead();
    while (this.#resident > this.#pages) {
      if (!this.#checkpointer.writeAhead()) break;
      this.#waitForNews(WAIT_MS);
      this.#evict();
      if (this.#checkpointer.isRefused) break;
    }
    this.#settle();
  }

  get #resident(): number {
    return this.#addon.pagerStatistics()[4];
  }

  #evict(): { evicted: number; dirty: number } {
    const wanted = this.#resident - this.#pages + Math.ceil(this.#pages / FREE_PART);
    return this.#residency.evict(wanted, ((this.#memory.oldLimit - 1) >> PAGE_SHIFT) + 1);
  }

  /** Pages that cannot leave are let be; then the heap's growth is what has to end. */
  #settle(): void {
    const resident = this.#resident;
    const isStuck = resident > this.#pages;
    const slack = Math.ceil(this.#pages / FREE_PART);
    this.#addon.limitResident(isStuck ? resident + slack : this.#pages);
    if (isStuck === this.#isStuck) return;
    this.#isStuck = isStuck;
    const memory = this.#memory;
    const left = Math.floor((process.availableMemory() - NODE_BYTES) / WORD_BYTES);
    memory.limitOldSpace(
      isStuck ? memory.oldLimit - OLD_START + Math.max(left, ROOM_WORDS_MIN) : memory.H.length,
    );
  }
}
