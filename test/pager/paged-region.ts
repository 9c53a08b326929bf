/**
 * A region with a real pager over a journal in a file, and no Smalltalk: the pager's tests read and
 * write its pages and know what should be in them. The journal is in this thread, the reader of
 * page tables in one of its own, as in the product. One per process.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { prepareHost } from '../../build/host.ts';
import { checkoutDir } from '../../build/lib/paths.ts';
import { type Addon, loadAddon, PAGE_KIND } from '../../vm/host/addon.ts';
import { mapPlace } from '../../vm/host/map-place.ts';
import type { PageTables } from '../../vm/host/map-reader.ts';
import { openJournalFile } from '../../vm/host/storage-file.ts';
import { UNREADABLE_CLASS_WORD } from '../../vm/objects/layout.ts';
import { PageMap } from '../../vm/pager/page-map.ts';
import { Journal } from '../../vm/store/journal.ts';

export const PAGE_BYTES = 4096;
/** Pages below are not paged: the first is the control page. */
export const FIRST_PAGE = 16;

export interface RegionOptions {
  readonly pages: number;
  readonly journalBytes: number;
  readonly segmentBytes?: number;
}

export class PagedRegion {
  readonly addon: Addon;
  readonly journal: Journal;
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly control: Int32Array;
  readonly states: Uint16Array;
  readonly #dir: string;
  readonly #reader: Worker;

  /** Formats a journal, lets `prepare` commit to it, and shows its head. */
  static async open(
    options: RegionOptions,
    prepare: (journal: Journal) => void,
  ): Promise<PagedRegion> {
    await prepareHost();
    const addon = loadAddon();
    addon.reserve(options.pages * PAGE_BYTES);
    const dir = mkdtempSync(join(tmpdir(), 'palimpsest-pager-'));
    const path = join(dir, 'journal');
    const { journalBytes: createBytes, segmentBytes = 256 * 1024 } = options;
    const storage = openJournalFile(path, { write: true, createBytes, addon });
    Journal.format(storage, { segmentBytes, wallClockMs: 0, random: randomBytes });
    const map = new PageMap(addon.mapView(), crc32);
    const journal = Journal.open(storage, {
      write: true,
      wallClockMs: 0,
      random: randomBytes,
      onPlaced: (place) => map.set(mapPlace(place, null)),
    });
    prepare(journal);
    const { port1, port2 } = new MessageChannel();
    const reader = new Worker(join(checkoutDir, 'vm/host/map-worker.ts'), {
      workerData: { path, storePort: port2 },
      transferList: [port2],
    });
    const region = new PagedRegion({ addon, journal, path, dir, reader });
    port1.on('message', () => port1.postMessage(region.#tables()));
    await once(reader, 'message');
    const ranges = [FIRST_PAGE, options.pages, PAGE_KIND.objects];
    addon.startPager(path, 0, -1, 0, UNREADABLE_CLASS_WORD, Float64Array.from(ranges));
    await region.show();
    return region;
  }

  private constructor(parts: {
    addon: Addon;
    journal: Journal;
    path: string;
    dir: string;
    reader: Worker;
  }) {
    const { addon, journal, path, dir, reader } = parts;
    this.addon = addon;
    this.journal = journal;
    this.path = path;
    this.#dir = dir;
    this.#reader = reader;
    const pages = new BigUint64Array(addon.mapView()).length;
    this.bytes = new Uint8Array(addon.view(0, pages * PAGE_BYTES));
    this.control = new Int32Array(addon.view(0, PAGE_BYTES));
    this.states = new Uint16Array(addon.statesView());
  }

  #tables(): PageTables {
    return { snapshot: this.journal.tableSnapshot(this.journal.head.number), overlay: null };
  }

  /** Empties the region: it shows the head, as after a start. */
  async show(): Promise<void> {
    this.addon.resetRegion();
    this.#reader.postMessage(this.#tables());
    await once(this.#reader, 'message');
  }

  page(number: number): Uint8Array {
    return this.bytes.subarray(number * PAGE_BYTES, (number + 1) * PAGE_BYTES);
  }

  /** Takes pages out of memory as the vm does. */
  drop(first: number, count = 1): void {
    for (let page = first; page < first + count; page++) this.states[page]! &= 0x3fff;
    this.addon.dropPages(first, count);
  }

  async close(): Promise<void> {
    this.addon.stopPager();
    await this.#reader.terminate();
    this.journal.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
