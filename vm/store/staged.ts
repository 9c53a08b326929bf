/**
 * Pages written ahead of the commit they belong to. They lie in units of kind `pages` like those of
 * any large commit, but no record names them yet: a crash leaves dead blocks, nothing else. So a
 * commit of any size is handed over in pieces, and a page that has no room in memory can be read
 * back from where it was written early.
 *
 * Invariants: vacuum retires none of their segments; a page staged again replaces itself.
 */
import type { Pointer } from './block-reader.ts';
import { sequenceOf } from './format.ts';
import type { LogWriter } from './log-writer.ts';
import type { TableState } from './record.ts';
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
