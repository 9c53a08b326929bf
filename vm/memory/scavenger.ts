/**
 * The scavenger: a copying collection of eden and the survivors (Cheney's algorithm).
 *
 * What lives in eden is copied to the empty survivor half, or to old space when the half is full;
 * what lives in the half in use is tenured, that is, copied to the end of old space. Copying is in
 * the order of discovery, so what survives together lies together.
 *
 *   from: eden, survivor half in use        to: other half, old space from oldLimit on
 *
 * Roots: the slots of old pages whose card has CARD_SCAVENGE, and the oops that `extraRoots` keep
 * outside the heap. A page keeps that bit afterwards exactly if it refers to a survivor.
 *
 * A copied object leaves COPIED in its class word and its new place in its header word; nothing
 * reads from-space after that but `forward`. Forwarders made by become: are resolved on the way.
 * Weak slots are no roots; when all is copied they are set to the new place or to nil.
 */
import { assert } from '../base/assert.ts';
import {
  CARD_BOTH,
  CARD_CHECKPOINT,
  CARD_SCAVENGE,
  CONTROL,
  EDEN_START,
  FORMAT,
  HEADER_WORDS,
  INTERRUPT,
  LARGE_PREFIX,
  OLD_START,
  PAGE_SHIFT,
  PAGE_WORDS,
  SHAPE_FORWARDER,
  SHAPE_MASK,
  SLOTS_BITS,
  SLOTS_LARGE,
  SLOTS_SHIFT,
  SURVIVOR_A_START,
  SURVIVOR_B_START,
  SURVIVOR_END,
} from '../objects/layout.ts';
import { nextCard } from './checkpoint-pages.ts';
import type { ObjectMemory, Oop } from './object-memory.ts';
import { blockEnd, firstBlockTouching, oopOfBlock, pointerSlots } from './walk.ts';

/** Class word of an object that has been copied: no shape, no prefix looks like it. */
const COPIED = -1;
assert(COPIED !== LARGE_PREFIX);

/** Empties eden; the caller has unwound the stack into Contexts. */
export function scavenge(memory: ObjectMemory): void {
  new Scavenger(memory).run();
}

/** Above every oop: no SmallInteger is looked at anyway. */
const NOTHING_SETTLED = 0x7fffffff;

/**
 * The first word from `at` on, before `end`, that is an oop below `settled`; else `end`. Most words
 * of a dirty page are of no interest, so this is a loop of its own that stays fast.
 */
function nextUnsettled(H: Int32Array, at: number, end: number, settled: number): number {
  let word = at;
  while (word < end && ((H[word]! & 1) !== 0 || H[word]! >= settled)) word++;
  return word;
}

class Scavenger {
  readonly #memory: ObjectMemory;
  readonly #H: Int32Array;
  readonly #cards: Uint8Array;
  readonly #toStart: number;
  readonly #toEnd: number;
  #toNext: number;
  /** Whether referents in old space are looked at for forwarders. */
  readonly #followOld: boolean;
  /** Triples: weak object, first and end word of the slots to settle. */
  readonly #weak: number[] = [];

  constructor(memory: ObjectMemory) {
    this.#memory = memory;
    this.#H = memory.H;
    this.#cards = memory.cards;
    this.#toStart = memory.survivorHalf === 0 ? SURVIVOR_B_START : SURVIVOR_A_START;
    this.#toEnd = memory.survivorHalf === 0 ? SURVIVOR_END : SURVIVOR_B_START;
    this.#toNext = this.#toStart;
    this.#followOld = memory.forwardersMade;
  }

  run(): void {
    const memory = this.#memory;
    const oldStart = memory.oldLimit;
    this.#scanDirtyPages(oldStart);
    for (const root of memory.extraRoots) root((oop) => this.forward(oop));
    this.#scanCopies(oldStart);
    this.#settleWeakSlots();

    memory.tenuredWords += memory.oldLimit - oldStart;
    memory.survivorHalf ^= 1;
    memory.survivorLimit = this.#toNext;
    memory.edenNext = EDEN_START;
    memory.forwardersMade = false;
    memory.scavengeCount++;
    Atomics.and(this.#H, CONTROL.interrupt, ~INTERRUPT.scavenge);
  }

  /** Where the object is after this scavenge; copies it when nobody has. */
  forward(oop: Oop): Oop {
    let target = oop;
    while ((target & 1) === 0) {
      if (target >= EDEN_START && target < SURVIVOR_END) {
        if (target >= this.#toStart && target < this.#toEnd) return target;
        const word = this.#H[target]!;
        if (word === COPIED) return this.#H[target + 1]!;
        if ((word & SHAPE_MASK) !== SHAPE_FORWARDER) return this.#copy(target);
      } else {
        if (!this.#followOld || target < OLD_START) return target;
        if ((this.#H[target]! & SHAPE_MASK) !== SHAPE_FORWARDER) return target;
      }
      target = this.#H[target + HEADER_WORDS]!;
    }
    return target;
  }

  #copy(oop: Oop): Oop {
    const H = this.#H;
    const small = (H[oop + 1]! >>> SLOTS_SHIFT) & SLOTS_BITS;
    const prefix = small === SLOTS_LARGE ? 2 : 0;
    const slots = small === SLOTS_LARGE ? H[oop - 1]! : small;
    const words = prefix + HEADER_WORDS + (slots <= 2 ? 2 : (slots + 1) & ~1);
    let start = this.#toNext;
    if (oop < SURVIVOR_A_START && start + words <= this.#toEnd) {
      this.#toNext = start + words;
      this.#markForCheckpoint(start, start + words);
    } else {
      start = this.#memory.allocateOldWords(words, CARD_CHECKPOINT);
    }
    const from = oop - prefix;
    if (words > 48) H.copyWithin(start, from, from + words);
    else for (let i = 0; i < words; i++) H[start + i] = H[from + i]!;
    H[oop] = COPIED;
    H[oop + 1] = start + prefix;
    return start + prefix;
  }

  #markForCheckpoint(from: number, to: number): void {
    const last = (to - 1) >> PAGE_SHIFT;
    for (let page = from >> PAGE_SHIFT; page <= last; page++) this.#cards[page] = CARD_BOTH;
  }

  /** Scans the pages of old space, up to word `end`, on which something was stored. */
  #scanDirtyPages(end: number): void {
    const memory = this.#memory;
    const endPage = ((end - 1) >> PAGE_SHIFT) + 1;
    for (let page = OLD_START >> PAGE_SHIFT; ; page++) {
      page = nextCard(memory, page, endPage, CARD_SCAVENGE);
      if (page === endPage) return;
      this.#cards[page]! &= ~CARD_SCAVENGE;
      this.#scanPage(page, end);
    }
  }

  #scanPage(page: number, limit: number): void {
    const H = this.#H;
    const pageStart = page << PAGE_SHIFT;
    const pageEnd = Math.min(pageStart + PAGE_WORDS, limit);
    let at = firstBlockTouching(H, page);
    if (at === 0) return;
    while (at < pageEnd) {
      const oop = oopOfBlock(H, at);
      this.#scanSlots(oop, pageStart, pageEnd);
      at = blockEnd(H, oop);
    }
  }

  /** Scans what was copied, which copies more, until nothing is left. */
  #scanCopies(oldStart: number): void {
    const H = this.#H;
    const memory = this.#memory;
    let old = oldStart;
    let young = this.#toStart;
    while (old < memory.oldLimit || young < this.#toNext) {
      while (young < this.#toNext) {
        const oop = oopOfBlock(H, young);
        this.#scanSlots(oop, 0, SURVIVOR_END);
        young = blockEnd(H, oop);
      }
      while (old < memory.oldLimit) {
        const oop = oopOfBlock(H, old);
        this.#scanSlots(oop, OLD_START, H.length);
        old = blockEnd(H, oop);
      }
    }
  }

  /** Forwards the oops among words `from` to `to` (exclusive) that belong to the body of `oop`. */
  #scanSlots(oop: Oop, from: number, to: number): void {
    const H = this.#H;
    const memory = this.#memory;
    const body = oop + HEADER_WORDS;
    let end = Math.min(body + pointerSlots(memory, oop), to);
    if (memory.formatOf(oop) === FORMAT.weak) {
      const firstWeak = Math.min(end, body + memory.fixedSlots(oop));
      if (end > Math.max(from, firstWeak)) this.#weak.push(oop, Math.max(from, firstWeak), end);
      end = firstWeak;
    }
    const settled = this.#followOld ? NOTHING_SETTLED : OLD_START;
    for (let at = Math.max(body, from); ; at++) {
      at = nextUnsettled(H, at, end, settled);
      if (at >= end) return;
      const oldValue = H[at]!;
      const value = this.forward(oldValue);
      if (value !== oldValue) this.#replace(at, value);
      else if (value < SURVIVOR_END && value >= EDEN_START) this.#remember(at);
    }
  }

  #replace(at: number, value: Oop): void {
    this.#H[at] = value;
    this.#cards[at >> PAGE_SHIFT]! |= CARD_CHECKPOINT;
    if (this.#memory.isYoung(value)) this.#remember(at);
  }

  /** Word `at` refers to a survivor: its page is a root next time. */
  #remember(at: number): void {
    this.#cards[at >> PAGE_SHIFT]! |= CARD_SCAVENGE;
  }

  #settleWeakSlots(): void {
    const weak = this.#weak;
    for (let i = 0; i < weak.length; i += 3) {
      for (let at = weak[i + 1]!; at < weak[i + 2]!; at++) {
        const value = this.#placeIfAlive(this.#H[at]!);
        if (value !== this.#H[at]) this.#replace(at, value);
        else if (this.#memory.isYoung(value)) this.#remember(at);
      }
    }
  }

  #placeIfAlive(oop: Oop): Oop {
    let target = oop;
    while (this.#memory.isYoung(target)) {
      if (target >= this.#toStart && target < this.#toEnd) return target;
      const word = this.#H[target]!;
      if (word === COPIED) return this.#H[target + 1]!;
      if ((word & SHAPE_MASK) !== SHAPE_FORWARDER) return this.#memory.nil;
      target = this.#H[target + HEADER_WORDS]!;
    }
    return target;
  }
}
