/**
 * The journal: an append-only store of page versions, in generations that never change.
 *
 * It knows pages, not objects. A generation is one commit record and the tables it names
 * (record.ts); the log below it is log-writer.ts, finding the end of the log recovery.ts, the bytes
 * docs/FORMAT.md. Everything is synchronous and belongs to one thread.
 *
 * Invariants: commit, rollback, mark and appendChange are durable when they return; whatever was
 * readable stays readable until retention lets go of it; a refused operation (JOURNAL_FULL) has
 * written nothing; after an I/O error the journal takes no more writes until it is opened anew.
 */
import { assert } from '../base/assert.ts';
import { viewOf } from '../base/bytes.ts';
import { BlockReader, type Pointer } from './block-reader.ts';
import type { DamageListener } from './change-log.ts';
import { type ChangeRecord, fitsBody, pageOf, writeChangeBody } from './changes.ts';
import { type PageDifference, pageDifferences } from './diff.ts';
import {
  addressOf,
  changeNumber,
  FIRST_SEGMENT,
  NO_SEGMENT,
  recordNumber,
  SPACE_SIZE,
  sumBlocks,
  UNIT,
  UNIT_BLOCKS_MAX,
  unitBodyOffset,
} from './format.ts';
import { type FormatOptions, formatJournal } from './format-journal.ts';
import type { Batch, Generation, OpenOptions, PagePlace, PageWrite } from './generation.ts';
import { Generations, noGeneration } from './generations.ts';
import { type MarkSource, markSteps } from './live-map.ts';
import { LogWriter } from './log-writer.ts';
import { maintenanceSteps, wantsMaintenance } from './maintenance.ts';
import { type Marks, marksPage, readMarks, writeMarks } from './marks.ts';
import {
  type CommitRecord,
  encodeDelta,
  META_BYTES_MAX,
  recordOverhead,
  type TableState,
  TREE,
  writeRecord,
} from './record.ts';
import { type Recovered, recover, recoverWithoutSuperblock } from './recovery.ts';
import { expired } from './retention.ts';
import { ensureRoom, type Need, pageCredits, type Reserves, reservesOf } from './room.ts';
import { Segments } from './segments.ts';
import { appendPage, StagedPages, sortedPages } from './staged.ts';
import { PAGE_BYTES, type Storage } from './storage.ts';
import { StoreError } from './store-error.ts';
import { TableChanges } from './table-changes.ts';
import { type TableSnapshot, tableSnapshot } from './table-reader.ts';
import { deltaKey, emptyTables, foldBlocksMax, foldTables, pageKey, takePages } from './tables.ts';
import type { AppendBlock } from './tree.ts';
import { Unversioned } from './unversioned.ts';
import { type VacuumStep, vacuumSteps } from './vacuum.ts';
import { type VerifyProgress, type VerifyReport, verifyJournal } from './verify.ts';

export type { Batch, Generation, OpenOptions, PagePlace, PageWrite };

/** Change records, and their bytes, that may wait for the next commit: bounds opening. */
const PENDING_CHANGES_MAX = 64;
const PENDING_BYTES_MAX = 256 * 1024;
/** A delta of more entries surely does not fit into a record: each takes 8 bytes at least. */
const DELTA_ENTRIES_MAX = PAGE_BYTES / 8;

export class Journal {
  readonly unversioned: Unversioned;
  /** What opening found wrong, one sentence each; empty when all was well. */
  readonly notices: readonly string[];
  readonly #storage: Storage;
  readonly #segments: Segments;
  readonly #reader: BlockReader;
  readonly #writer: LogWriter | null;
  readonly #wallClockMs: () => number;
  readonly #manual: boolean;
  readonly #deltaBytesMax: number;
  readonly #onPlaced: (place: PagePlace) => void;
  #id: Uint8Array;
  readonly #view: Generations;
  readonly #staged = new StagedPages();
  readonly #held = new Map<number, number>();
  #vacuums = 0;
  /** Whether generations were let go of since a vacuum ended short of what was wanted. */
  readonly #letGo = { since: true };
  /** Tables that new generations took over since a vacuum began; see live-map.ts. */
  #alsoLive: TableState[] = [];

  /** Writes a blank journal, generation 0, over whatever the storage held. */
  static format(storage: Storage, options: FormatOptions): void {
    formatJournal(storage, options);
  }

  /** Opens a journal. `write` also adopts a larger partition and gives a blank journal its id. */
  static open(storage: Storage, options: OpenOptions): Journal {
    const found = recover(storage);
    const journal = new Journal(storage, found, options);
    if (options.write) journal.#settle(found);
    return journal;
  }

  /** Opens what is left of a journal that open() refuses as damaged, for reading only. */
  static openForSalvage(storage: Storage, options: Omit<OpenOptions, 'write'>): Journal {
    let found: Recovered;
    try {
      found = recover(storage);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code === 'WRONG_VERSION') throw error;
      found = recoverWithoutSuperblock(storage);
    }
    return new Journal(storage, found, { ...options, write: false });
  }

  private constructor(storage: Storage, found: Recovered, options: OpenOptions) {
    const { wallClockMs } = options;
    this.#storage = storage;
    this.#segments = found.segments;
    this.#wallClockMs = typeof wallClockMs === 'number' ? () => wallClockMs : wallClockMs;
    this.#reader = new BlockReader(storage, found.segments);
    this.notices = found.notices;
    this.#manual = options.retention === 'manual';
    this.#deltaBytesMax = options.deltaBytesMax ?? PAGE_BYTES;
    this.#onPlaced = options.onPlaced ?? (() => {});
    this.#view = new Generations(this.#reader, found);
    this.unversioned = new Unversioned(storage, found.segments.segmentBytes, options.write);
    this.#id = found.superblock.id;
    this.#writer = options.write ? this.#startWriter(found, options) : null;
  }

  /** The journal's identity, 32 hexadecimal digits; zeros until a blank journal is first opened. */
  get id(): string {
    return nameOf(this.#id);
  }

  /** The same, 16 bytes. */
  get idBytes(): Uint8Array {
    return this.#id.slice();
  }

  /** The newest generation. */
  get head(): Generation {
    return this.#view.describe(this.#view.head.record);
  }

  /** The generation with that number, or undefined when it never was or is no longer kept. */
  generation(number: number): Generation | undefined {
    const loaded = this.#view.load(number);
    return loaded && this.#view.describe(loaded.record);
  }

  /** The generations that are kept, newest first, at most `limit`. Unreadable ones are left out. */
  generations(limit = Number.POSITIVE_INFINITY): Generation[] {
    return this.#view.list(limit);
  }

  /**
   * Makes what was staged, and over it `batch`, the next generation; durable on return. Throws
   * JOURNAL_FULL before anything was written (what was staged stays so), IO_FAILED when the medium
   * refused (the journal must then be opened anew).
   */
  commit(batch: Batch): Generation {
    const action = `commit generation ${this.#view.head.record.generation + 1}`;
    const writer = this.#begin(action);
    const pages = sortedPages(batch.pages);
    const staged = this.#staged;
    assert((batch.meta?.length ?? 0) <= META_BYTES_MAX, 'meta of at most 256 bytes');
    const keys = [...staged.keys(), ...pages.map((entry) => pageKey(entry.page))];
    if (batch.over) {
      const { delta } = this.#view.required(batch.over, action).record.state;
      for (const key of delta.keys()) keys.push(key);
    }
    const { commit: reserve } = this.#reserves;
    this.#makeRoom({ action, blocks: pages.length, keys, reserve }, batch.journalMs);
    return this.#writing(action, () => {
      const state = this.#stateOver(batch.over);
      const before = writer.bytesWritten - staged.bytes;
      writer.mount();
      // More than a record can hold goes straight into the trees.
      const bulk = pages.length > DELTA_ENTRIES_MAX && staged.pages.size === 0;
      const changes = bulk ? new TableChanges(pages.length) : null;
      if (changes) writer.appendPages(pages, changes);
      else {
        for (const { page, bytes } of pages) staged.add(page, appendPage(writer, page, bytes));
        staged.enter(state);
      }
      const count = bulk ? pages.length : staged.pages.size;
      writer.totals.pages += count;
      const folded = changes ? this.#fold(state, changes) : state;
      const generation = this.#appendRecord(folded, before, {
        generation: this.#view.head.record.generation + 1,
        parent: batch.over ?? this.#view.head.record.generation,
        wallMs: batch.wallMs,
        journalMs: batch.journalMs,
        kind: batch.kind ?? 'checkpoint',
        administrative: false,
        pages: count,
        label: batch.label ?? null,
        meta: batch.meta?.slice() ?? new Uint8Array(0),
        origin: batch.origin ?? null,
      });
      for (const { page } of pages) {
        const pointer = staged.pages.get(page);
        const place = pointer === undefined ? null : this.#placeOf(page, pointer);
        if (place !== null) this.#onPlaced(place);
      }
      staged.clear();
      return generation;
    });
  }

  /**
   * Writes pages of the next commit ahead of it, and answers where they lie: readable there at
   * once, durable with the commit. They are in no generation before. Throws as commit does; then
   * none of these pages is staged, those before still are.
   */
  stage(batch: Pick<Batch, 'pages' | 'journalMs'>): PagePlace[] {
    const action = 'write pages ahead of their commit';
    const writer = this.#begin(action);
    const pages = sortedPages(batch.pages);
    const keys = [...this.#staged.keys(), ...pages.map((entry) => pageKey(entry.page))];
    const { commit: reserve } = this.#reserves;
    this.#makeRoom({ action, blocks: pages.length, keys, reserve }, batch.journalMs);
    return this.#writing(action, () => {
      const before = writer.bytesWritten;
      const places: PagePlace[] = [];
      writer.mount();
      for (const { page, bytes } of pages) {
        const pointer = appendPage(writer, page, bytes);
        this.#staged.add(page, pointer);
        const place = this.#placeOf(page, pointer);
        if (place !== null) places.push(place);
      }
      writer.closeUnit(UNIT.pages);
      writer.settle();
      for (const place of places) this.#onPlaced(place);
      this.#staged.bytes += writer.bytesWritten - before;
      return places;
    });
  }

  /** Forgets what was staged: who staged it is gone. */
  unstage(): void {
    if (this.#staged.pages.size > 0) this.#letGo.since = true;
    this.#staged.clear();
  }

  /** Pages that may be dirty, those staged included, so that their commit surely fits. */
  get credits(): number {
    const writer = this.#begin('grant pages');
    const { state } = this.#view.head.record;
    return pageCredits(writer, state, this.#reserves.commit) + this.#staged.pages.size;
  }

  /**
   * A new generation with the pages of generation `number`. The change log goes on as it is. Can
   * itself be undone by a rollback to the generation before it.
   */
  rollback(number: number, now: { wallMs: number; journalMs: number }): Generation {
    const action = `roll back to generation ${number}`;
    const writer = this.#begin(action);
    const target = this.#view.load(number);
    if (!target) throw noGeneration(action, number);
    const keys = [...target.record.state.delta.keys()];
    this.#ensureRoom({ action, blocks: 0, keys, reserve: this.#reserves.recovery });
    this.unstage();
    return this.#writing(action, () => {
      const before = writer.bytesWritten;
      writer.mount();
      return this.#appendRecord(this.#stateOver(number), before, {
        generation: this.#view.head.record.generation + 1,
        parent: number,
        wallMs: now.wallMs,
        journalMs: now.journalMs,
        kind: 'rollback',
        administrative: false,
        pages: 0,
        label: null,
        meta: target.record.meta,
        origin: target.record.origin,
      });
    });
  }

  /** Tables of a new generation whose pages are those of the head, of another, or none (null). */
  #stateOver(over: number | null | undefined): TableState {
    const state = this.#view.nextState();
    if (over === undefined) return state;
    const target =
      over === null ? emptyTables() : this.#view.required(over, 'use a generation').record.state;
    takePages(state, target);
    this.#alsoLive.push(target);
    return state;
  }

  /** Takes the newest step back: a rollback to the generation before the head. */
  undo(now: { wallMs: number; journalMs: number }): Generation {
    return this.rollback(Math.max(0, this.#view.head.record.generation - 1), now);
  }

  /** Keeps a generation for a reader, whatever retention says, until the answer is called. */
  hold(number: number): () => void {
    if (!this.#view.load(number)) throw noGeneration('hold a generation', number);
    this.#held.set(number, (this.#held.get(number) ?? 0) + 1);
    let holds = true;
    return () => {
      const left = (this.#held.get(number) ?? 0) - (holds ? 1 : 0);
      holds = false;
      if (left > 0) this.#held.set(number, left);
      else this.#held.delete(number);
    };
  }

  /** Sets marks (label, pinned, known good, verified) of a generation; durable on return. */
  mark(number: number, marks: Partial<Marks>): Generation {
    const action = `mark generation ${number}`;
    const writer = this.#begin(action);
    if (!this.#view.load(number)) throw noGeneration(action, number);
    const key = marksPage(number);
    const keys = [deltaKey(TREE.marks, key)];
    this.#ensureRoom({ action, blocks: 1, keys, reserve: this.#reserves.recovery });
    return this.#writing(action, () => {
      const state = this.#view.nextState(true);
      const before = writer.bytesWritten;
      const page = this.#view.marksPage(key);
      writeMarks(page, number, { ...readMarks(page, number), ...marks });
      writer.mount();
      state.delta.set(
        deltaKey(TREE.marks, key),
        writer.append(TREE.marks * SPACE_SIZE + key, page),
      );
      this.#administrate(state, before);
      return this.generation(number) as Generation;
    });
  }

  /** Lets go of generations; their pages are given back by the next vacuum. The head stays. */
  forget(numbers: readonly number[]): void {
    const action = 'let go of generations';
    const writer = this.#begin(action);
    const keys = numbers.map((number) => deltaKey(TREE.generations, number));
    assert(!numbers.includes(this.#view.head.record.generation), 'the head is kept');
    assert(!numbers.some((number) => this.#held.has(number)), 'what is held is kept');
    for (const number of numbers) if (!this.#view.load(number)) throw noGeneration(action, number);
    this.#ensureRoom({ action, blocks: 0, keys, reserve: this.#reserves.recovery });
    this.#writing(action, () => {
      const state = this.#view.nextState(true);
      for (const key of keys) state.delta.set(key, { address: 0, checksum: 0 });
      writer.mount();
      this.#administrate(state, writer.bytesWritten);
      for (const number of numbers) this.#view.loaded.delete(number);
      this.#letGo.since = true;
    });
  }

  /** Lets go of what the rules of retention.ts no longer keep; answers how many generations. */
  thin(journalMs: number, pressure = 0): number {
    const numbers = expired(this.generations(), journalMs, pressure).filter(
      (number) => !this.#held.has(number),
    );
    // A batch at a time: a removal is an entry of the delta, and a fold needs room.
    for (let at = 0; at < numbers.length; at += 256) this.forget(numbers.slice(at, at + 256));
    return numbers.length;
  }

  /**
   * Gives back segments without live blocks and empties sparse ones, a bounded step at each next(),
   * until `wantedFree` segments are free. Throws StoreError when something kept is unreadable.
   */
  *vacuum(wantedFree?: number): Generator<VacuumStep, void> {
    const action = 'vacuum';
    const writer = this.#begin(action);
    // What an interrupted vacuum knew is out of date once another one has run.
    const turn = ++this.#vacuums;
    this.#alsoLive = [];
    const steps = vacuumSteps(
      {
        ...this.#markSource,
        writer,
        stagedSequences: () => this.#staged.sequences(),
        // Of a page that is staged the newest place is known already.
        moved: (place) => {
          if (!this.#staged.pages.has(place.page)) this.#onPlaced(place);
        },
        administrate: (change) => {
          const state = this.#view.nextState(true);
          change(state);
          writer.mount();
          this.#administrate(state, writer.bytesWritten);
        },
      },
      wantedFree,
    );
    while (turn === this.#vacuums) {
      this.#begin(action);
      const step = this.#writing(action, () => steps.next());
      if (step.done) return;
      yield step.value;
    }
  }

  /**
   * Counts the bytes that something kept can reach, and those of all segments that are not free, a
   * bounded step at each next(); the difference is what vacuum could give back. Throws StoreError
   * when something kept is unreadable.
   */
  *measureLive(): Generator<void, { liveBytes: number; usedBytes: number }> {
    const turn = ++this.#vacuums;
    this.#alsoLive = [];
    const steps = markSteps(this.#markSource);
    for (let step = steps.next(); ; step = steps.next()) {
      assert(turn === this.#vacuums, 'no vacuum while live blocks are counted');
      const { count, free, segmentBytes } = this.#segments;
      const usedBytes = (count - FIRST_SEGMENT - free) * segmentBytes;
      if (step.done) return { liveBytes: step.value.total * PAGE_BYTES, usedBytes };
      yield;
    }
  }

  get #markSource(): MarkSource {
    return {
      reader: this.#reader,
      segments: this.#segments,
      kept: () => this.#view.keptWithHead(),
      state: (number) => this.#view.load(number)?.record.state ?? null,
      headState: () => this.#view.nextState(true),
      alsoLive: () => this.#alsoLive.splice(0),
    };
  }

  /**
   * Keeps a store of free segments: vacuums, and under pressure lets go of older generations, when
   * less than an eighth (or `blocksWanted`) is free. Commit calls it when it must.
   */
  maintain(journalMs: number, blocksWanted = 0): void {
    for (const _ of this.maintenance(journalMs, blocksWanted));
  }

  /** Whether it is time for maintenance(): room begins to be short. */
  get wantsMaintenance(): boolean {
    return !this.#manual && wantsMaintenance(this.#segments, this.#reserves.commit);
  }

  /** What maintain() does, a bounded step at each next(): for idle times; see maintenance.ts. */
  *maintenance(journalMs: number, blocksWanted = 0): Generator<VacuumStep, void> {
    const writer = this.#begin('make room');
    const reserve = this.#reserves.commit;
    yield* maintenanceSteps(
      {
        segments: this.#segments,
        reserve,
        blocksFree: () => writer.blocksFree(reserve),
        thin: (pressure) => void this.thin(journalMs, pressure),
        letGo: this.#letGo,
        vacuum: (wantedFree) => this.vacuum(wantedFree),
        vacuums: () => this.#vacuums,
      },
      blocksWanted,
    );
  }

  /** Gives a generation a label, or takes it away with null. */
  label(number: number, label: string | null): Generation {
    return this.mark(number, { label: label ?? '' });
  }

  /**
   * Copies a page of a generation into `into`; false when it was never written there. Throws
   * PAGE_UNREADABLE when the medium does not give back what was written.
   */
  readPage(generation: Generation | number, page: number, into: Uint8Array): boolean {
    return this.#view.readPage(generation, page, into);
  }

  /** The pages in which generation `after` differs from `before`; null = from nothing at all. */
  differences(before: number | null, after: number): Iterable<PageDifference> {
    const action = 'compare generations';
    const one = before === null ? emptyTables() : this.#view.required(before, action).record.state;
    return pageDifferences(this.#reader, one, this.#view.required(after, action).record.state);
  }

  /** Where the pages of a generation lie in the storage (spaces 0 and 1, ascending). */
  pageMap(generation: Generation | number, fromPage = 0): Iterable<PagePlace> {
    return this.#view.pageMap(generation, fromPage);
  }

  /** What a reader of a generation's page table in another thread starts from. */
  tableSnapshot(number: number): TableSnapshot {
    return tableSnapshot(number, {
      state: this.#view.required(number, 'read page tables').record.state,
      head: this.#view.head.record.state,
      segments: this.#segments,
    });
  }

  /** Pages a generation has in spaces 0 and 1. */
  pageCount(generation: Generation | number): number {
    return this.#view.pageCount(generation);
  }

  /** Appends a change record; durable on return. Answers its number. */
  appendChange(record: Uint8Array): number {
    const action = 'append a change record';
    const writer = this.#begin(action);
    const log = this.#view.changeLog;
    const bodyBytes = PAGE_BYTES - unitBodyOffset(0);
    const count = fitsBody(record.length, bodyBytes) ? 0 : Math.ceil(record.length / PAGE_BYTES);
    const countMax = Math.min(UNIT_BLOCKS_MAX, this.#segments.slots - 4);
    if (count > countMax) {
      throw new RangeError(
        `Cannot ${action}: it has ${record.length} bytes, ${countMax * PAGE_BYTES} are possible`,
      );
    }
    const { journalMs } = this.#view.head.record;
    // Itself, and the pages it will be taken into.
    const blocks = 2 * count + 3 + log.pagesToPack;
    this.#makeRoom({ action, blocks, keys: [], reserve: this.#reserves.change }, journalMs);
    return this.#writing(action, () => {
      writer.mount();
      const full = log.pendingBytes + record.length > PENDING_BYTES_MAX;
      if (log.pendingCount > 0 && (full || log.pendingCount >= PENDING_CHANGES_MAX)) {
        this.#administrate(this.#view.nextState(true), writer.bytesWritten);
      }
      const number = log.beginRecord();
      writer.reserve(count);
      for (let index = 0; index < count; index++) {
        const block = new Uint8Array(PAGE_BYTES);
        block.set(record.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES));
        writer.append(changeNumber(index), block);
      }
      writer.point(UNIT.change, 0, (block, offset) =>
        writeChangeBody(block.subarray(offset), number, record),
      );
      log.add(record.slice(), number);
      return number;
    });
  }

  /** The end of the change log: the number the next record gets. */
  get changesEnd(): number {
    return this.#view.changeLog.end;
  }

  /**
   * The change records from number `from` on, oldest first. With `damaged` it goes on behind what
   * cannot be read.
   */
  changes(from = 0, damaged?: DamageListener): Iterable<ChangeRecord> {
    return this.#view.changeLog.records(from, damaged);
  }

  /** At most the last `count` change records, oldest first. */
  lastChanges(count: number): ChangeRecord[] {
    return this.#view.changeLog.last(count);
  }

  /** Reads and proves everything that is kept, or one generation. */
  verify(progress?: VerifyProgress, generation?: number): VerifyReport {
    const numbers =
      generation === undefined
        ? [this.#view.head.record.generation, ...this.#view.readableNumbers()]
        : [generation];
    return verifyJournal(
      {
        reader: this.#reader,
        numbers,
        state: (number) => this.#view.required(number, 'verify').record.state,
        headState: this.#view.nextState(true),
        notices: this.notices,
      },
      progress,
    );
  }

  /** Sizes in bytes, and what opening and writing have cost so far. */
  statistics(): {
    partitionBytes: number;
    segmentBytes: number;
    segments: number;
    segmentsFree: number;
    bytesFree: number;
    bytesWritten: number;
    blocksRead: number;
    generation: number;
  } {
    const { segmentBytes, count, free } = this.#segments;
    return {
      partitionBytes: this.#storage.sizeBytes,
      segmentBytes,
      segments: count - FIRST_SEGMENT,
      segmentsFree: free,
      bytesFree: this.#writer
        ? this.#writer.blocksFree(this.#reserves.commit) * PAGE_BYTES
        : Math.max(0, free - this.#reserves.commit) * segmentBytes,
      bytesWritten: this.#writer?.bytesWritten ?? 0,
      blocksRead: this.#reader.reads,
      generation: this.#view.head.record.generation,
    };
  }

  /** Gives the storage back. Nothing is written: everything acknowledged is durable already. */
  close(): void {
    this.#storage.close();
  }

  #placeOf(page: number, { address, checksum }: Pointer): PagePlace | null {
    const offsetBytes = this.#segments.offsetOf(address);
    return offsetBytes === undefined ? null : { page, offsetBytes, checksum };
  }

  // ---- opening ----

  #startWriter(found: Recovered, options: OpenOptions): LogWriter {
    const { superblock, last } = found;
    const { random } = options;
    const blank = superblock.id.every((byte) => byte === 0);
    if (blank) this.#id = random(16);
    const countMax = Segments.countMax(superblock.segmentBytes);
    const possible = Math.floor(this.#storage.sizeBytes / superblock.segmentBytes);
    const count = Math.max(superblock.segmentCount, Math.min(possible, countMax));
    this.#segments.grow(count);
    const { nextPhysical } = last.body;
    const nextIsFree = nextPhysical < count && this.#segments.sequenceAt(nextPhysical) === 0;
    return new LogWriter(this.#storage, this.#segments, {
      superblock: { ...superblock, id: this.#id, sizeBytes: this.#storage.sizeBytes },
      chainEnd: {
        sequence: last.sequence,
        physical: last.physical,
        checksum: last.header.checksum,
        nextPhysical: nextIsFree ? nextPhysical : NO_SEGMENT,
        end: found.end,
      },
      lastCommit: addressOf(found.head.header.sequence, found.head.header.slot),
      lastPoint: {
        address: addressOf(found.point.header.sequence, found.point.header.slot),
        checksum: found.point.header.checksum,
      },
      mount: Math.max(superblock.mount, last.header.mount) + 1,
      salt: viewOf(random(4)).getUint32(0, true),
      totals: found.record.totals,
      monotonicMs: options.monotonicMs ?? (() => 0),
      blockSums: options.blockSums ?? sumBlocks,
    });
  }

  /** Makes what was accepted at opening durable; a new id or size goes to the medium at once. */
  #settle(found: Recovered): void {
    const writer = this.#begin('open journal for writing');
    this.#writing('open journal for writing', () => {
      writer.flushAccepted();
      const newId = found.superblock.id.some((byte, index) => byte !== this.#id[index]);
      const grown = this.#segments.count !== found.superblock.segmentCount;
      if ((!newId && !grown) || this.#segments.free === 0) return;
      writer.mount();
      // Twice: should the medium lose the newest superblock, the one before must have the id and
      // reach the new segments, too.
      writer.renewSuperblock();
    });
  }

  // ---- writing ----

  get #reserves(): Reserves {
    return reservesOf(this.#segments);
  }

  #begin(action: string): LogWriter {
    const writer = this.#writer;
    if (!writer) {
      throw new StoreError('READ_ONLY', `Cannot ${action}: the journal was opened for reading`);
    }
    if (writer.failed) {
      throw new StoreError(
        'IO_FAILED',
        `Cannot ${action}: an earlier write failed; open the journal anew`,
      );
    }
    writer.wallMs = this.#wallClockMs();
    return writer;
  }

  /** Runs a write; what the medium throws becomes one sentence. */
  #writing<T>(action: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (error instanceof StoreError || !(error instanceof Error)) throw error;
      if (!this.#writer?.failed || error.message.startsWith('Bug:')) throw error;
      throw new StoreError(
        'IO_FAILED',
        `Cannot ${action}: ${error.message}; nothing acknowledged is lost, open the journal anew`,
        error,
      );
    }
  }

  /** As ensureRoom, but vacuums and thins first when that could help. */
  #makeRoom(need: Need, journalMs: number): void {
    try {
      this.#ensureRoom(need);
    } catch (full) {
      if (!(full instanceof StoreError) || full.code !== 'JOURNAL_FULL' || this.#manual) throw full;
      try {
        const nodes = foldBlocksMax(need.keys, this.#view.head.record.state);
        this.maintain(journalMs, need.blocks + nodes + this.#segments.slots);
      } catch (error) {
        // Vacuum could not (say, an old page is unreadable): what counts is whether it fits now.
        if (!(error instanceof StoreError) || this.#writer?.failed) throw error;
      }
      this.#ensureRoom(need);
    }
  }

  #ensureRoom(need: Need): void {
    // Every record takes the waiting change records into pages of the log.
    const pack = this.#view.changeLog.pagesToPack;
    const first = pageOf(this.#view.changeLog.end) - pack;
    const packKeys = Array.from({ length: pack + 1 }, (_, index) =>
      deltaKey(TREE.changes, Math.max(0, first + index)),
    );
    ensureRoom(this.#writer as LogWriter, this.#view.head.record.state, this.#deltaBytesMax, {
      ...need,
      blocks: need.blocks + pack,
      keys: pack === 0 ? need.keys : [...need.keys, ...packKeys],
    });
  }

  /** Writes the head's record again with other tables: no new generation. */
  #administrate(state: TableState, bytesBefore: number): void {
    const { state: _, bytes, changesEnd: __, ...fields } = this.#view.head.record;
    this.#appendRecord(state, bytesBefore, { ...fields, administrative: true }, bytes);
  }

  #fold(state: TableState, further?: TableChanges): TableState {
    const append: AppendBlock = (number, bytes) =>
      (this.#writer as LogWriter).append(number, bytes);
    return foldTables(this.#reader, state, append, further);
  }

  #appendRecord(
    tables: TableState,
    bytesBefore: number,
    fields: Omit<CommitRecord, 'state' | 'bytes' | 'changesEnd' | 'totals' | 'slowestFlushMicros'>,
    bytesKept?: number,
  ): Generation {
    const writer = this.#writer as LogWriter;
    const log = this.#view.changeLog;
    const packed = log.pack();
    for (const { page, bytes } of packed) {
      const pointer = writer.append(TREE.changes * SPACE_SIZE + page, bytes);
      tables.delta.set(deltaKey(TREE.changes, page), pointer);
    }
    let state = tables;
    const { totals } = writer;
    const { slowestFlushMicros } = writer;
    const start = { ...fields, bytes: 0, changesEnd: log.end, totals, slowestFlushMicros };
    const overhead = recordOverhead({ ...start, state });
    const room = Math.min(PAGE_BYTES - unitBodyOffset(0) - overhead, this.#deltaBytesMax);
    let sequence = writer.pointSequence();
    let delta = encodeDelta(state.delta, sequence, room);
    if (!delta) state = this.#fold(state);
    // A record beside a long block list gets a unit of its own, maybe in the next segment.
    if (overhead + (delta?.bytes.length ?? 0) > writer.bodyRoom()) writer.closeUnit(UNIT.pages);
    if (!delta || writer.pointSequence() !== sequence) {
      sequence = writer.pointSequence();
      delta = encodeDelta(state.delta, sequence, writer.bodyRoom() - overhead);
    }
    assert(delta !== null, 'a record fits');
    // With the unit that this record is about to end.
    const bytesWritten = writer.bytesWritten + writer.pendingBytes;
    const bytes = bytesKept ?? bytesWritten - bytesBefore;
    const record: CommitRecord = {
      ...start,
      totals: { ...totals, bytes: bytesWritten },
      bytes,
      state,
    };
    const encoded = delta;
    // The flush of this record is the next one's to tell.
    writer.slowestFlushMicros = 0;
    const pointer = writer.point(UNIT.commit, recordNumber(record.generation), (block, offset) =>
      writeRecord(block, offset, record, encoded),
    );
    this.#view.head = { record, pointer };
    log.packed(packed);
    return this.#view.describe(record);
  }
}

/** A journal id as people see it: 32 hexadecimal digits. */
export function nameOf(id: Uint8Array): string {
  return Array.from(id, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
