/**
 * Marks: what a person or the health check says about a generation after it was made. Pages of a
 * table of their own, 32 generations to a page, 128 bytes each:
 *   0 u8 flags (1 pinned, 2 known good, 4 verified, 8 has a label)  1 u8 label bytes  8 label, UTF-8
 */
import { labelBytes } from './record.ts';
import { PAGE_BYTES } from './storage.ts';

export const MARKS_PER_PAGE = 32;
const MARK_BYTES = PAGE_BYTES / MARKS_PER_PAGE;
const LABEL_OFFSET = 8;

export interface Marks {
  pinned: boolean;
  knownGood: boolean;
  verified: boolean;
  /** null = the label of the commit itself holds. */
  label: string | null;
}

export const NO_MARKS: Marks = { pinned: false, knownGood: false, verified: false, label: null };

/** Page of the table that holds the marks of a generation. */
export function marksPage(generation: number): number {
  return Math.floor(generation / MARKS_PER_PAGE);
}

/** The marks of one generation in its page. */
export function readMarks(page: Uint8Array, generation: number): Marks {
  const at = (generation % MARKS_PER_PAGE) * MARK_BYTES;
  const flags = page[at] ?? 0;
  const length = Math.min(page[at + 1] ?? 0, MARK_BYTES - LABEL_OFFSET);
  const begin = at + LABEL_OFFSET;
  return {
    pinned: (flags & 1) !== 0,
    knownGood: (flags & 2) !== 0,
    verified: (flags & 4) !== 0,
    label: (flags & 8) !== 0 ? new TextDecoder().decode(page.slice(begin, begin + length)) : null,
  };
}

/** Sets the marks of one generation in its page. */
export function writeMarks(page: Uint8Array, generation: number, marks: Marks): void {
  const at = (generation % MARKS_PER_PAGE) * MARK_BYTES;
  const label = labelBytes(marks.label);
  page.fill(0, at, at + MARK_BYTES);
  page[at] =
    (marks.pinned ? 1 : 0) |
    (marks.knownGood ? 2 : 0) |
    (marks.verified ? 4 : 0) |
    (marks.label === null ? 0 : 8);
  page[at + 1] = label.length;
  page.set(label, at + LABEL_OFFSET);
}
