/**
 * Which resident pages leave when RAM is full. Nothing tells which pages are read, so replacement
 * goes by what can be seen: a page that was written, or that had to be brought back soon after it
 * had left, is worth keeping. A clock hand goes over the pages; one that it meets clean, for the
 * second time since it came, leaves; one that came back soon gets CHANCES_HOT rounds more.
 *
 *   state  bit 15 resident · bit 14 came since the hand was here: both set by the pager's thread
 *          bits 13–2 resident: unused; gone: the epoch in which it left, 0 for never
 *          bits 1–0  resident: rounds it may stay
 *
 * Invariants: only the vm's thread evicts, at a safepoint; the state of a page that is not resident
 * is the pager's, so it is written here for the last time before the page is dropped; a page that
 * `isClean` denies stays.
 */
import { assert } from '../base/assert.ts';

const RESIDENT = 0x8000;
const FRESH = 0x4000;
const EPOCH_SHIFT = 2;
const EPOCH_MASK = 0xfff;
const CHANCES_MASK = 3;
const CHANCES_HOT = 3;
/** Evictions of that many parts of the budget make an epoch. */
const EPOCHS_PER_BUDGET = 4;
/** A page is hot that left at most so many epochs ago: while a budget's worth of others left. */
const EPOCHS_HOT = EPOCHS_PER_BUDGET;
/** Pages given back to the kernel with one call. */
const DROP_MAX = 256;

export interface ResidencyOptions {
  /** The addon's states, one for each page of the region. */
  readonly states: Uint16Array;
  /** Pages that may be resident: what an epoch is measured by. */
  readonly budgetPages: number;
  /** Whether the newest bytes of this page can be read back from the journal. */
  readonly isClean: (page: number) => boolean;
  /** Takes resident pages out of memory, whose states say already that they are gone. */
  readonly drop: (first: number, count: number) => void;
}

/** What a walk of the hand has met. */
export interface Swept {
  readonly evicted: number;
  /** Pages that had to stay only because they are not clean. */
  readonly dirty: number;
}

export class Residency {
  readonly #options: ResidencyOptions;
  readonly #epochPages: number;
  #hand = 0;
  #epoch = 1;
  #inEpoch = 0;

  constructor(options: ResidencyOptions) {
    assert(options.budgetPages > 0, 'a budget of some pages');
    this.#options = options;
    this.#epochPages = Math.max(1, Math.floor(options.budgetPages / EPOCHS_PER_BUDGET));
  }

  /**
   * Evicts `wanted` pages before `endPage`; fewer when not so many are clean: then the hand has gone
   * round until every clean page had lost its chances.
   */
  evict(wanted: number, endPage: number): Swept {
    const { states, isClean } = this.#options;
    assert(endPage <= states.length, 'the hand stays within the region');
    let evicted = 0;
    let dirty = 0;
    let runStart = 0;
    let run = 0;
    // A whole round in which no page lost anything: nothing more can go.
    for (let still = 0; evicted < wanted && still < endPage; still++) {
      if (this.#hand >= endPage) this.#hand = 0;
      const page = this.#hand++;
      const state = states[page]!;
      if ((state & RESIDENT) === 0) continue;
      if (!isClean(page)) {
        states[page] = RESIDENT | (state & CHANCES_MASK);
        dirty++;
      } else if ((state & FRESH) !== 0) {
        states[page] = RESIDENT | (this.#isHot(state) ? CHANCES_HOT : 0);
        still = -1;
      } else if ((state & CHANCES_MASK) !== 0) {
        states[page] = state - 1;
        still = -1;
      } else {
        still = -1;
        states[page] = this.#epoch << EPOCH_SHIFT;
        evicted++;
        this.#count();
        if (run > 0 && page === runStart + run && run < DROP_MAX) {
          run++;
          continue;
        }
        if (run > 0) this.#options.drop(runStart, run);
        runStart = page;
        run = 1;
      }
    }
    if (run > 0) this.#options.drop(runStart, run);
    return { evicted, dirty };
  }

  /** Whether a page that has just come had left not long before. */
  #isHot(state: number): boolean {
    const left = (state >> EPOCH_SHIFT) & EPOCH_MASK;
    return left !== 0 && ((this.#epoch - left) & EPOCH_MASK) <= EPOCHS_HOT;
  }

  #count(): void {
    if (++this.#inEpoch < this.#epochPages) return;
    this.#inEpoch = 0;
    this.#epoch = this.#epoch === EPOCH_MASK ? 1 : this.#epoch + 1;
  }
}
