/**
 * The journal as the supervisor asks for it: each request of messages.ts carried out. Kept apart
 * from the thread so that the appliance, the command line and the tests drive the same code.
 */
import { randomBytes } from 'node:crypto';
import { assert } from '../base/assert.ts';
import type { PageMap } from '../pager/page-map.ts';
import type { BlockSums } from '../store/format.ts';
import { type Generation, Journal, type PagePlace, type PageWrite } from '../store/journal.ts';
import { PAGE_BYTES, type Storage } from '../store/storage.ts';
import { StoreError } from '../store/store-error.ts';
import { decodeChangeRecord, encodeChangeRecord } from '../supervisor/change-record.ts';
import type {
  CrashReason,
  GenerationLine,
  StoreRequestName,
  StoreRequests,
} from '../supervisor/messages.ts';
import { forwardClock } from './clock.ts';
import { CRASH_OFFSET, parseCrashBlock } from './crash-block.ts';
import { Housekeeper } from './housekeeper.ts';
import { mapPlace } from './map-place.ts';
import type { PageTables } from './map-reader.ts';
import { ScratchStorage } from './scratch-storage.ts';
import type { JournalFile } from './storage-file.ts';

export interface StoreServiceOptions {
  /** Opens the file, image partition or device that holds the journal. */
  readonly openStorage: (path: string, write: boolean) => JournalFile;
  /** Called with an open journal's file: where a native death is to leave its reason. */
  readonly armCrashHandler: (file: JournalFile, offsetBytes: number) => void;
  /** The pager's map; asked for when the journal is opened. */
  readonly map: () => PageMap;
  readonly progress: (done: number, total: number) => void;
  /** Checksums of many blocks at once, in native code. */
  readonly blockSums: BlockSums;
}

type Handlers = {
  [N in StoreRequestName]: (request: StoreRequests[N]['request']) => StoreRequests[N]['reply'];
};

export class StoreService {
  readonly #options: StoreServiceOptions;
  #opened: Journal | null = null;
  #storage: Storage | null = null;
  /** Where pages lie that the journal's file does not have. */
  #overlay: ScratchStorage | null = null;
  #journalMsAtOpen = 0;
  #clock: () => number = Date.now;
  #openedAtMs = 0;
  readonly #housekeeper = new Housekeeper(
    () => this.#opened,
    () => this.#now().journalMs,
  );

  readonly #handlers: Handlers = {
    open: (request) => this.#open(request),
    list: () => this.#journal.generations().map(lineOf),
    pageTables: ({ generation }) => this.#pageTables(generation),
    rollback: ({ generation }) => lineOf(this.#journal.rollback(generation, this.#now())),
    label: ({ generation, label }) => lineOf(this.#journal.label(generation, label)),
    verify: () => this.#verify(),
    change: ({ record }) => this.#journal.appendChange(encodeChangeRecord(record)),
    changes: ({ last }) => this.#changes(last),
    setCounter: ({ name, value }) => {
      this.#journal.unversioned.write(name, new TextEncoder().encode(String(value)));
      return null;
    },
    counter: ({ name }) => {
      const bytes = this.#journal.unversioned.read(name);
      return bytes === undefined ? 0 : Number(new TextDecoder().decode(bytes));
    },
    detachVm: () => {
      // The thread has closed the line; what the vm wrote ahead of a commit is in none.
      this.#opened?.unstage();
      return null;
    },
    close: () => {
      this.#housekeeper.stop();
      this.#opened?.close();
      this.#opened = null;
      return null;
    },
  };

  constructor(options: StoreServiceOptions) {
    this.#options = options;
  }

  /** Carries out one request. Throws StoreError with one sentence when it cannot. */
  handle<N extends StoreRequestName>(name: N, request: unknown): StoreRequests[N]['reply'] {
    const handler: (request: StoreRequests[N]['request']) => StoreRequests[N]['reply'] =
      this.#handlers[name];
    return handler(request as StoreRequests[N]['request']);
  }

  /** Writes pages (numbers, and their bytes one after the other) ahead of their commit. */
  stage(pages: readonly number[], bytes: Uint8Array): void {
    const { journalMs } = this.#now();
    this.#journal.stage({ pages: writesOf(pages, bytes), journalMs });
  }

  /** Forgets what was staged: the vm that did it is gone. */
  unstage(): void {
    this.#opened?.unstage();
  }

  /** Makes what was staged, and these pages over it, a generation; its number. */
  commit(pages: readonly number[], bytes: Uint8Array): number {
    const { number } = this.#journal.commit({ pages: writesOf(pages, bytes), ...this.#now() });
    this.#housekeeper.wake();
    return number;
  }

  get #journal(): Journal {
    assert(this.#opened !== null, 'the journal is not open');
    return this.#opened;
  }

  #open({
    path,
    write,
    scratch,
  }: StoreRequests['open']['request']): StoreRequests['open']['reply'] {
    const file = this.#options.openStorage(path, write && !scratch);
    this.#overlay = scratch ? new ScratchStorage(file) : null;
    this.#storage = this.#overlay ?? file;
    const map = this.#options.map();
    this.#opened = Journal.open(this.#storage, {
      write,
      wallClockMs: () => Date.now(),
      monotonicMs: () => performance.now(),
      blockSums: this.#options.blockSums,
      random: (count) => randomBytes(count),
      onPlaced: (place) => enter(map, place, this.#overlay),
    });
    this.#journalMsAtOpen = this.#opened.head.journalMs;
    this.#clock = forwardClock(this.#opened.head.wallMs);
    this.#openedAtMs = performance.now();
    const crash: CrashReason | null = scratch ? null : this.#takeCrash(this.#storage, write);
    if (write && !scratch) this.#options.armCrashHandler(file, CRASH_OFFSET);
    const { head, id, notices } = this.#opened;
    const scratchFd = this.#overlay?.overlay.fd ?? null;
    return { head: lineOf(head), id, baseBytes: file.baseBytes, scratchFd, crash, notices };
  }

  /** Reads the last words of the boot before, and removes them: they are told once. */
  #takeCrash(storage: Storage, write: boolean): CrashReason | null {
    const block = storage.allocate(PAGE_BYTES);
    storage.read(CRASH_OFFSET, block);
    const crash = parseCrashBlock(block);
    if (crash !== null && write) {
      storage.write(CRASH_OFFSET, storage.allocate(PAGE_BYTES));
      storage.flush();
    }
    return crash;
  }

  /** The head's tables, for the reader whose own have been overtaken; null: none can be read. */
  headTables(): PageTables | null {
    if (this.#opened === null) return null;
    return this.#pageTables(this.#opened.head.number);
  }

  #pageTables(generation: number): PageTables {
    if (this.#journal.generation(generation) === undefined) {
      throw new StoreError(
        'NO_SUCH_GENERATION',
        `Cannot start generation ${generation}: the journal does not have it, "list" shows which it has`,
      );
    }
    const snapshot = this.#journal.tableSnapshot(generation);
    return { snapshot, overlay: this.#overlay?.overlay ?? null };
  }

  #verify(): { sentence: string; ok: boolean } {
    const report = this.#journal.verify(({ generations, of }) =>
      this.#options.progress(generations, of),
    );
    const [first] = report.problems;
    const checked = `${report.generations} generations, ${report.blocks} blocks checked`;
    return {
      ok: report.ok,
      sentence:
        first === undefined
          ? `${checked}: all is well.`
          : `${checked}: ${report.problems.length} damaged, the first: ${first.message}`,
    };
  }

  #changes(last: number): StoreRequests['changes']['reply'] {
    return this.#journal
      .lastChanges(last)
      .flatMap(({ number, record }) => decodeChangeRecord(number, record) ?? []);
  }

  #now(): { wallMs: number; journalMs: number } {
    const elapsed = Math.round(performance.now() - this.#openedAtMs);
    return { wallMs: Math.floor(this.#clock()), journalMs: this.#journalMsAtOpen + elapsed };
  }
}

function writesOf(pages: readonly number[], bytes: Uint8Array): PageWrite[] {
  return pages.map((page, index) => ({
    page,
    bytes: bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES),
  }));
}

/** Tells the pager where a page lies; pages beyond the region are not its business. */
function enter(map: PageMap, place: PagePlace, overlay: ScratchStorage | null): void {
  if (place.page < map.pageCount) map.set(mapPlace(place, overlay));
}

function lineOf(generation: Generation): GenerationLine {
  const { number, parent, wallMs, journalMs, kind, label, pages } = generation;
  return { number, parent: parent ?? 0, wallMs, journalMs, kind: String(kind), label, pages };
}
