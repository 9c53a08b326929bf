/**
 * Whether copied pages look like a heap, before they become a generation. It reads the copies and
 * nothing else: no page is brought in for it, and the thread that writes the journal can do it.
 *
 * A page parses when the blocks that start in it follow each other with headers that can be: a
 * shape there is, a format there is, a body within old space. Words of a body that must be oops
 * are SmallIntegers, or even and within what is allocated. What an oop points at is not looked at
 * (verify does that). The front of a page whose block begins on a page that was not copied with it
 * is passed over.
 */
import {
  CHAR_END,
  CHAR0,
  EDEN_RESERVE_LIMIT,
  EDEN_START,
  FORMAT,
  FORMAT_BITS,
  FORMAT_SHIFT,
  HEADER_WORDS,
  LARGE_PREFIX,
  OLD_START,
  PAGE_SHIFT,
  PAGE_WORDS,
  SHAPE_MASK,
  SLOTS_BITS,
  SLOTS_LARGE,
  SLOTS_SHIFT,
  SURVIVOR_A_START,
  SURVIVOR_END,
} from '../objects/layout.ts';

/** Bits of a class word that are always zero. */
const CLASS_WORD_ZEROS = 0xe000_0000 | 0;
const LITERALS_BITS = 0x7fff;
const FORMATS: ReadonlySet<number> = new Set(Object.values(FORMAT));

/** Pages that were copied, and what they may refer to. */
export interface Copies {
  /** Ascending. */
  readonly pages: readonly number[];
  /** 1024 words for each of them. */
  readonly words: Int32Array;
  /** For each the word at which its first block starts; 0: none does, or it is not old space. */
  readonly firstBlocks: Int32Array;
  readonly oldLimit: number;
  readonly shapeCount: number;
  /** Smalltalk goes on before the commit: what refers to eden will be copied again. */
  readonly provisional: boolean;
}

/** What is wrong with the first page that is wrong; null when none is. */
export function faultOfCopies(copies: Copies): string | null {
  return new CopyChecker(copies).run();
}

class CopyChecker {
  readonly #copies: Copies;
  readonly #words: Int32Array;
  /** The block that goes on behind the page before: where its oops and its body end. */
  #oopsEnd = 0;
  #blockEnd = 0;

  constructor(copies: Copies) {
    this.#copies = copies;
    this.#words = copies.words;
  }

  run(): string | null {
    const { pages, firstBlocks } = this.#copies;
    let before = -1;
    for (const [index, page] of pages.entries()) {
      if (page < OLD_START >> PAGE_SHIFT) continue;
      if (page !== before + 1) this.#blockEnd = 0;
      const fault = this.#page(page, index * PAGE_WORDS, firstBlocks[index] ?? 0);
      if (fault !== null) return `page ${page}: ${fault}`;
      before = page;
    }
    return null;
  }

  /** Checks one page, whose copy begins at word `copy`. */
  #page(page: number, copy: number, first: number): string | null {
    const start = page * PAGE_WORDS;
    const end = Math.min(start + PAGE_WORDS, this.#copies.oldLimit);
    const shift = copy - start;
    let at = first;
    if (this.#blockEnd > start) {
      const fault = this.#oops(start, Math.min(this.#oopsEnd, end), shift);
      if (fault !== null) return fault;
      at = this.#blockEnd;
    }
    if (at < start || (at & 1) !== 0) {
      this.#blockEnd = 0;
      return at === 0 ? null : `its first block starts at word ${at}`;
    }
    while (at < end) {
      const fault = this.#block(at, end, shift);
      if (fault !== null) return fault;
      at = this.#blockEnd;
      if (at === 0) return null;
    }
    return null;
  }

  /** Checks what of the block at word `at` lies before `end`, and notes where it ends. */
  #block(at: number, end: number, shift: number): string | null {
    const words = this.#words;
    let oop = at;
    let slots = -1;
    if (words[at + shift] === LARGE_PREFIX) {
      slots = words[at + shift + 1]!;
      oop = at + 2;
      if (slots < SLOTS_LARGE) return `a large body of ${slots} words at word ${at}`;
      // Its header is on the next page.
      this.#blockEnd = 0;
      if (oop >= end) return null;
    }
    const word = words[oop + shift]!;
    const format = (word >>> FORMAT_SHIFT) & FORMAT_BITS;
    const shape = word & SHAPE_MASK;
    const small = (words[oop + shift + 1]! >>> SLOTS_SHIFT) & SLOTS_BITS;
    const fits = slots < 0 ? small !== SLOTS_LARGE : small === SLOTS_LARGE;
    const known = shape > 0 && shape < this.#copies.shapeCount && FORMATS.has(format);
    if ((word & CLASS_WORD_ZEROS) !== 0 || !known || !fits) {
      return `no object at word ${oop}: its header is ${hex(word)} ${hex(words[oop + shift + 1]!)}`;
    }
    if (slots < 0) slots = small;
    const body = oop + HEADER_WORDS;
    this.#blockEnd = body + (slots <= 2 ? 2 : (slots + 1) & ~1);
    if (this.#blockEnd > this.#copies.oldLimit) return `the object at word ${oop} has no end`;
    this.#oopsEnd = body + this.#oopCount(format, slots, body < end ? words[body + shift]! : 1);
    if (this.#oopsEnd > this.#blockEnd) return `the code at word ${oop} has too many literals`;
    return this.#oops(body, Math.min(this.#oopsEnd, end), shift);
  }

  /** How many words of a body are oops; `first` is its first word. */
  #oopCount(format: number, slots: number, first: number): number {
    if (format === FORMAT.forwarder) return 1;
    if (format < FORMAT.words64) return slots;
    return format === FORMAT.compiledCode ? 1 + ((first >> 1) & LITERALS_BITS) : 0;
  }

  /** Checks the oops in words `from` up to `end`. */
  #oops(from: number, end: number, shift: number): string | null {
    const words = this.#words;
    const { oldLimit, provisional } = this.#copies;
    for (let at = from; at < end; at++) {
      const oop = words[at + shift]!;
      if ((oop & 1) !== 0 || (oop >= OLD_START && oop < oldLimit)) continue;
      if (oop >= SURVIVOR_A_START && oop < SURVIVOR_END) continue;
      if (oop >= CHAR0 && oop < CHAR_END) continue;
      if (provisional && oop >= EDEN_START && oop < EDEN_RESERVE_LIMIT) continue;
      return `word ${at} refers to word ${oop}, where nothing is`;
    }
    return null;
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
