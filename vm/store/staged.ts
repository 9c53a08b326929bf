/**
 * Pages written ahead of the commit they belong to. They lie in units of kind `pages` like those of
 * any large commit, but no record names them yet: a crash leaves dead blocks, nothing else. So a
 * commit of any size is handed over in pieces, and a page that has no room in memory can be read
 * back from where it was written early.
 *
 * Invariants: vacuum retires none of their segments; a page staged again replaces itself.
 */
import { assert } from '../base/assert.ts';
import type { Pointer } from './block-reader.ts';
import { SPACE_SIZE, sequenceOf } from './format.ts';
import type { PageWrite } from './generation.ts';
import type { LogWriter } from './log-writer.ts';
import { type TableState, TREE } from './record.ts';
import { PAGE_BYTES } from './storage.ts';
import { pageKey } from './tables.ts';

export class StagedPages {
  /** Page number to where it lies; address 0 drops the page. */
  readonly pages = new Map<number, Pointer>();
  /** Bytes written for them, unit headers included. */
  bytes = 0;

  /** Notes a page that was written; the one staged before under that number is forgotten. */
  add(page: number, pointer: Pointer): void {
    this.pages.set(page, pointer);
  }

  /** The segments they lie in. */
  sequences(): Set<number> {
    return new Set(Array.from(this.pages.values(), ({ address }) => sequenceOf(address)));
  }

  /** Delta keys of all of them. */
  keys(): number[] {
    return Array.from(this.pages.keys(), pageKey);
  }

  /** Puts them into the tables of the generation that is being made. */
  enter(state: TableState): void {
    for (const [page, pointer] of this.pages) state.delta.set(pageKey(page), pointer);
  }

  /** Forgets all: they are in a generation now, or never will be. */
  clear(): void {
    this.pages.clear();
    this.bytes = 0;
  }
}

/** Writes one page, or notes that it is dropped. */
export function appendPage(writer: LogWriter, page: number, bytes: Uint8Array | null): Pointer {
  return bytes ? writer.append(page, bytes) : { address: 0, checksum: 0 };
}

/** The pages of a batch ascending, each checked. */
export function sortedPages(pages: readonly PageWrite[]): PageWrite[] {
  const result = [...pages].sort((a, b) => a.page - b.page);
  for (const [index, entry] of result.entries()) checkPage(entry, result[index - 1]);
  return result;
}

function checkPage(entry: PageWrite, before: PageWrite | undefined): void {
  const space = Math.floor(entry.page / SPACE_SIZE);
  assert(Number.isSafeInteger(entry.page) && entry.page >= 0, 'a page number');
  assert(space === TREE.objects || space === TREE.farBodies, 'a page of space 0 or 1');
  assert(entry.bytes === null || entry.bytes.length === PAGE_BYTES, 'a page of 4096 bytes');
  assert(before === undefined || before.page < entry.page, 'each page once in a batch');
}
