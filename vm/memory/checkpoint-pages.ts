/**
 * Which pages make a generation, and which of them have changed. Numbered pages (the journal's) are
 * the root page, the remembered bits, the survivor half in use, the start table and old space; eden
 * is empty in every generation and has no numbers.
 */
import {
  CARD_CHECKPOINT,
  CARD_SCAVENGE,
  EDEN_START,
  OLD_START,
  PAGE_SHIFT,
  REMEMBERED_START,
  ROOT_START,
  START_TABLE_START,
} from '../objects/layout.ts';
import type { ObjectMemory } from './object-memory.ts';
import { survivorStart } from './walk.ts';

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
  const first = OLD_START >> PAGE_SHIFT;
  const last = (memory.oldLimit - 1) >> PAGE_SHIFT;
  for (let page = first; page <= last; page += 32) {
    let bits = 0;
    for (let bit = 0; bit < 32; bit++) bits |= (cards[page + bit]! & CARD_SCAVENGE) << bit;
    const at = REMEMBERED_START + (page >> 5);
    if (H[at] === bits) continue;
    H[at] = bits;
    cards[at >> PAGE_SHIFT]! |= CARD_CHECKPOINT;
  }
}

/** The word ranges of numbered pages in use. */
function numberedRanges(memory: ObjectMemory): [start: number, end: number][] {
  const lastPage = (memory.oldLimit - 1) >> PAGE_SHIFT;
  return [
    [ROOT_START, ROOT_START + 1],
    [REMEMBERED_START, REMEMBERED_START + (lastPage >> 5) + 1],
    [survivorStart(memory), memory.survivorLimit],
    [START_TABLE_START, START_TABLE_START + lastPage + 1],
    [OLD_START, memory.oldLimit],
  ];
}

/** Numbered pages whose cards say they changed, ascending. */
export function dirtyPages(memory: ObjectMemory): number[] {
  const { cards } = memory;
  const pages: number[] = [];
  for (const [start, end] of numberedRanges(memory)) {
    if (end <= start) continue;
    const last = (end - 1) >> PAGE_SHIFT;
    for (let page = start >> PAGE_SHIFT; page <= last; page++) {
      if ((cards[page]! & CARD_CHECKPOINT) !== 0) pages.push(page);
    }
  }
  return pages;
}

/** Says that these pages have been copied. */
export function clearCheckpointCards(memory: ObjectMemory, pages: readonly number[]): void {
  for (const page of pages) memory.cards[page]! &= ~CARD_CHECKPOINT;
}
