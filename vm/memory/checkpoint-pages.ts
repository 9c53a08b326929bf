/**
 * Which pages make a generation, and which of them have changed. Numbered pages (the journal's) are
 * the root page, the remembered bits, the survivor half in use, the start table and old space; eden
 * is empty in every generation and has no numbers.
 *
 * A card is one byte a page. A store sets both of its bits; only the vm's thread clears them, and
 * only between turns of the interpreter: bit 0 when no slot of the page refers to a young object,
 * bit 1 when the page's bytes have been copied. What is stored after that sets the bit again.
 */
import { assert } from '../base/assert.ts';
import {
  CARD_BOTH,
  CARD_CHECKPOINT,
  CARD_SCAVENGE,
  EDEN_START,
  HEADER_WORDS,
  OLD_START,
  PAGE_SHIFT,
  PAGE_WORDS,
  REMEMBERED_START,
  ROOT_START,
  START_TABLE_START,
  SURVIVOR_END,
} from '../objects/layout.ts';
import type { ObjectMemory } from './object-memory.ts';
import { blockEnd, firstBlockTouching, oopOfBlock, pointerSlots, survivorStart } from './walk.ts';

assert((CARD_SCAVENGE | CARD_CHECKPOINT) === CARD_BOTH && (CARD_SCAVENGE & CARD_CHECKPOINT) === 0);

/**
 * Makes the numbered pages a whole generation: scavenges unless eden is empty, notes which old
 * pages refer to survivors, writes the root page.
 */
export function prepareCheckpoint(memory: ObjectMemory): void {
  if (memory.edenNext > EDEN_START) memory.scavenge();
  noteRememberedPages(memory);
  memory.writeRoot();
}

function noteRememberedPages(memory: ObjectMemory): void {
  const { H, cards } = memory;
  const end = ((memory.oldLimit - 1) >> PAGE_SHIFT) + 1;
  for (let page = OLD_START >> PAGE_SHIFT; page < end; page += 32) {
    let bits = 0;
    const last = Math.min(page + 32, end);
    for (let at = nextCard(memory, page, last, CARD_SCAVENGE); at < last; ) {
      bits |= 1 << (at - page);
      at = nextCard(memory, at + 1, last, CARD_SCAVENGE);
    }
    const at = REMEMBERED_START + (page >> 5);
    if (H[at] === bits) continue;
    H[at] = bits;
    cards[at >> PAGE_SHIFT]! |= CARD_CHECKPOINT;
  }
}

/** The first page from `page` on, before `end`, whose card has one of `bits`; else `end`. */
export function nextCard(memory: ObjectMemory, page: number, end: number, bits: number): number {
  const { cards, cardWords } = memory;
  const inWord = Math.imul(bits, 0x01010101);
  let at = page;
  while (at < end) {
    if ((at & 3) === 0 && at + 4 <= end && (cardWords[at >> 2]! & inWord) === 0) at += 4;
    else if ((cards[at]! & bits) !== 0) return at;
    else at++;
  }
  return end;
}

/** The numbered pages in use, as ranges [first, end). */
function numberedPages(memory: ObjectMemory): [first: number, end: number][] {
  const lastPage = (memory.oldLimit - 1) >> PAGE_SHIFT;
  const words: [number, number][] = [
    [ROOT_START, ROOT_START + 1],
    [REMEMBERED_START, REMEMBERED_START + (lastPage >> 5) + 1],
    [survivorStart(memory), memory.survivorLimit],
    [START_TABLE_START, START_TABLE_START + lastPage + 1],
    [OLD_START, memory.oldLimit],
  ];
  return words
    .filter(([start, end]) => end > start)
    .map(([start, end]) => [start >> PAGE_SHIFT, ((end - 1) >> PAGE_SHIFT) + 1]);
}

/** Numbered pages whose cards say they changed, ascending. */
export function dirtyPages(memory: ObjectMemory): number[] {
  const pages: number[] = [];
  for (const [first, end] of numberedPages(memory)) {
    for (let page = nextCard(memory, first, end, CARD_CHECKPOINT); page < end; ) {
      pages.push(page);
      page = nextCard(memory, page + 1, end, CARD_CHECKPOINT);
    }
  }
  return pages;
}

/** How many pages dirtyPages would answer. */
export function dirtyPageCount(memory: ObjectMemory): number {
  let count = 0;
  for (const [first, end] of numberedPages(memory)) {
    for (let page = nextCard(memory, first, end, CARD_CHECKPOINT); page < end; ) {
      count++;
      page = nextCard(memory, page + 1, end, CARD_CHECKPOINT);
    }
  }
  return count;
}

/** Says that these pages have been copied. */
export function clearCheckpointCards(memory: ObjectMemory, pages: readonly number[]): void {
  for (const page of pages) memory.cards[page]! &= ~CARD_CHECKPOINT;
}

/** Says that these pages are in no generation, whatever was tried. */
export function setCheckpointCards(memory: ObjectMemory, pages: readonly number[]): void {
  for (const page of pages) memory.cards[page]! |= CARD_CHECKPOINT;
}

/**
 * Takes up to `max` dirty pages of the start table and old space, from page `from` on, into `into`
 * and clears their checkpoint bits: the caller copies them at once. Pages without a
 * reference to a young object lose their scavenger bit as well, so that the scavenge before the
 * last copy finds little to scan. Answers where to go on; the end of the region when nothing is
 * left.
 */
export function takeDirtyPages(
  memory: ObjectMemory,
  { from, max }: { from: number; max: number },
  into: number[],
): number {
  const { cards } = memory;
  const old = OLD_START >> PAGE_SHIFT;
  for (const [first, end] of numberedPages(memory)) {
    if (first < START_TABLE_START >> PAGE_SHIFT) continue;
    let page = Math.max(first, from);
    while ((page = nextCard(memory, page, end, CARD_CHECKPOINT)) < end) {
      if (into.length >= max) return page;
      const scan = page >= old && (cards[page]! & CARD_SCAVENGE) !== 0;
      cards[page] = scan && refersToYoung(memory, page) ? CARD_SCAVENGE : 0;
      into.push(page);
      page++;
    }
  }
  return memory.H.length >> PAGE_SHIFT;
}

/** For each page the word at which its first block starts; 0: none does, or it is not old space. */
export function firstBlocks(memory: ObjectMemory, pages: readonly number[]): Int32Array {
  const old = OLD_START >> PAGE_SHIFT;
  return Int32Array.from(pages, (page) =>
    page < old ? 0 : Math.max(0, memory.H[START_TABLE_START + page]!),
  );
}

/** Whether a slot on this page of old space refers to eden or the survivors. */
function refersToYoung(memory: ObjectMemory, page: number): boolean {
  const { H } = memory;
  const pageStart = page << PAGE_SHIFT;
  const pageEnd = Math.min(pageStart + PAGE_WORDS, memory.oldLimit);
  let at = firstBlockTouching(H, page);
  if (at === 0) return false;
  while (at < pageEnd) {
    const oop = oopOfBlock(H, at);
    const body = oop + HEADER_WORDS;
    const end = Math.min(body + pointerSlots(memory, oop), pageEnd);
    for (let slot = Math.max(body, pageStart); slot < end; slot++) {
      const value = H[slot]!;
      if ((value & 1) === 0 && value >= EDEN_START && value < SURVIVOR_END) return true;
    }
    at = blockEnd(H, oop);
  }
  return false;
}
