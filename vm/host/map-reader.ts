/**
 * Reads the journal's page tables for the pager: a fault on a page whose place is not known yet
 * waits for it. It has a storage of its own, so no commit and no vacuum, however long, holds up a
 * fault; and it never touches the region, so it never waits for the pager itself.
 *
 * It begins with a snapshot of the generation that the region shows. When a node has been moved and
 * overwritten since, it asks the store for the tables of today: pages whose map entry is unknown
 * have not been written since the vm started, so today's table says of them what that one said.
 */
import { constants } from 'node:os';
import { crc32 } from 'node:zlib';
import { assert } from '../base/assert.ts';
import { PageMap } from '../pager/page-map.ts';
import type { Storage } from '../store/storage.ts';
import { TableReader, type TableSnapshot } from '../store/table-reader.ts';
import type { Addon } from './addon.ts';
import { mapPlace } from './map-place.ts';
import { type Overlay, ScratchStorage } from './scratch-storage.ts';
import { openJournalFile } from './storage-file.ts';

/** The tables to read from now on. */
export interface PageTables {
  readonly snapshot: TableSnapshot;
  /** Where blocks lie that the journal's file does not have; null: it has all. */
  readonly overlay: Overlay | null;
}

/** Pages looked up at once: a leaf of the page table. */
const LEAF_PAGES = 256;

export class MapReader {
  readonly #path: string;
  readonly #addon: Addon;
  /** Asks for the head's tables; `newTables` is to be called with them. */
  readonly #askStore: () => void;
  readonly #map: PageMap;
  #storage: Storage | null = null;
  #reader: TableReader | null = null;
  #overlay: ScratchStorage | null = null;
  /** Leaves that failed with the tables there are; the store has been asked for newer ones. */
  readonly #stuck = new Set<number>();

  constructor({ path, addon, askStore }: { path: string; addon: Addon; askStore: () => void }) {
    this.#path = path;
    this.#addon = addon;
    this.#askStore = askStore;
    this.#map = new PageMap(addon.mapView(), crc32);
    addon.answerAsks((page) => this.#answer(page));
  }

  /** Forgets all tables: the region shows another generation now. */
  use(tables: PageTables): void {
    this.#stuck.clear();
    this.#open(tables);
  }

  #open({ snapshot, overlay }: PageTables): void {
    this.#storage ??= openJournalFile(this.#path, { write: false, addon: this.#addon });
    this.#overlay = overlay === null ? null : new ScratchStorage(this.#storage, overlay);
    this.#reader = new TableReader(this.#overlay ?? this.#storage, snapshot);
  }

  #answer(page: number): void {
    const first = page - (page % LEAF_PAGES);
    if (this.#fill(first)) {
      this.#addon.retryFaults();
      return;
    }
    this.#stuck.add(first);
    this.#askStore();
  }

  /** The head's tables, or null: the store has none to give. What failed again is unreadable. */
  newTables(tables: PageTables | null): void {
    if (tables !== null) this.#open(tables);
    for (const first of this.#stuck) {
      if (tables !== null && this.#fill(first)) continue;
      this.#map.fillUnreadable(first, this.#pagesFrom(first), constants.errno.EIO);
    }
    this.#stuck.clear();
    this.#addon.retryFaults();
  }

  #fill(first: number): boolean {
    assert(this.#reader !== null, 'a fault before there are tables');
    const count = this.#pagesFrom(first);
    try {
      const places = this.#reader.places(first, count);
      this.#map.fill(
        first,
        count,
        places.map((place) => mapPlace(place, this.#overlay)),
      );
      return true;
    } catch {
      return false; // Damaged, or overwritten since: told apart by trying newer tables.
    }
  }

  #pagesFrom(first: number): number {
    return Math.min(LEAF_PAGES, this.#map.pageCount - first);
  }
}
