/**
 * The generations of an open journal as they are read: head, index, tables, marks, change log.
 *
 * The head is the newest record. Only the journal changes it, after what it says is durable.
 */
import { assert } from '../base/assert.ts';
import type { BlockReader, Pointer } from './block-reader.ts';
import { ChangeLog } from './change-log.ts';
import {
  addressOf,
  pageChecksum,
  readUnitHeader,
  recordNumber,
  SPACE_SIZE,
  unitBodyOffset,
} from './format.ts';
import type { Generation, PagePlace } from './generation.ts';
import { type Marks, marksPage, NO_MARKS, readMarks } from './marks.ts';
import { type CommitRecord, readRecord, type TableState, TREE } from './record.ts';
import type { Recovered } from './recovery.ts';
import type { Segments } from './segments.ts';
import { PAGE_BYTES } from './storage.ts';
import { StoreError } from './store-error.ts';
import { copyTables, deltaKey, tableCount, tableEntries, tableFind } from './tables.ts';

export interface Loaded {
  record: CommitRecord;
  pointer: Pointer;
}

const LOADED_MAX = 64;

export class Generations {
  readonly reader: BlockReader;
  readonly segments: Segments;
  readonly loaded = new Map<number, Loaded>();
  head: Loaded;
  readonly changeLog: ChangeLog;

  constructor(reader: BlockReader, found: Recovered) {
    this.reader = reader;
    this.segments = found.segments;
    this.head = { record: found.record, pointer: recordPointer(found) };
    const packed = found.record.changesEnd;
    this.changeLog = new ChangeLog(reader, packed, () => this.head.record.state);
    reader.relocate = (address) => {
      const key = this.segments.relocationKey(address);
      return tableFind(reader, this.head.record.state, TREE.relocations, key);
    };
    this.changeLog.takeUnits(reader.storage, found.changes);
  }

  /** The generations that are kept, newest first, at most `limit`. Unreadable ones are left out. */
  list(limit = Number.POSITIVE_INFINITY): Generation[] {
    const result: Generation[] = [this.describe(this.head.record)];
    for (const number of this.readableNumbers()) {
      if (result.length >= limit) break;
      try {
        const found = this.load(number);
        if (found) result.push(this.describe(found.record));
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
      }
    }
    return result;
  }

  /**
   * Copies a page of a generation into `into`; false when it was never written there. Throws
   * PAGE_UNREADABLE when the medium does not give back what was written.
   */
  readPage(generation: Generation | number, page: number, into: Uint8Array): boolean {
    assert(into.length === PAGE_BYTES, 'a buffer of one page');
    const { state } = this.required(generation, 'read a page').record;
    const tree = Math.floor(page / SPACE_SIZE);
    const pointer = tableFind(this.reader, state, tree, page % SPACE_SIZE);
    if (pointer === null) return false;
    this.reader.read(page, pointer, into);
    return true;
  }

  /** Where the pages of a generation lie in the storage (spaces 0 and 1, ascending). */
  *pageMap(generation: Generation | number, fromPage = 0): Generator<PagePlace, void> {
    const { state } = this.required(generation, 'list pages').record;
    for (const tree of [TREE.objects, TREE.farBodies]) {
      const from = Math.max(0, fromPage - tree * SPACE_SIZE);
      if (from >= SPACE_SIZE) continue;
      for (const entry of tableEntries(this.reader, state, tree, from)) {
        const place = this.reader.resolve(entry);
        // A place that does not exist is given as offset 0, whose checksum cannot match.
        const found = place ?? { offsetBytes: 0, checksum: entry.checksum };
        yield { page: tree * SPACE_SIZE + entry.key, ...found };
      }
    }
  }

  /** Pages a generation has in spaces 0 and 1. */
  pageCount(generation: Generation | number): number {
    const { state } = this.required(generation, 'count pages').record;
    return [TREE.objects, TREE.farBodies].reduce<number>(
      (sum, tree) => sum + tableCount(this.reader, state, tree),
      0,
    );
  }

  /** Numbers as kept, as far as the index can be read: a damaged node hides only what is behind. */
  *readableNumbers(): Generator<number, void> {
    try {
      for (const { number } of this.kept()) yield number;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }

  /** As kept, the head first. */
  *keptWithHead(): Generator<{ number: number; pointer: Pointer }, void> {
    yield { number: this.head.record.generation, pointer: this.head.pointer };
    yield* this.kept();
  }

  /** Numbers of the kept generations before the head, newest first. */
  *kept(): Generator<{ number: number; pointer: Pointer }, void> {
    const { state, generation } = this.head.record;
    const window = 256;
    for (let begin = generation - (generation % window); begin >= 0; begin -= window) {
      const found: { number: number; pointer: Pointer }[] = [];
      for (const entry of tableEntries(this.reader, state, TREE.generations, begin)) {
        if (entry.key >= begin + window || entry.key >= generation) break;
        found.push({ number: entry.key, pointer: entry });
      }
      yield* found.reverse();
    }
  }

  /** The record of a kept generation. Throws StoreError when it is unreadable. */
  load(number: number): Loaded | undefined {
    if (number === this.head.record.generation) return this.head;
    const cached = this.loaded.get(number);
    if (cached) return cached;
    if (!Number.isSafeInteger(number) || number < 0) return undefined;
    const { state } = this.head.record;
    const pointer = tableFind(this.reader, state, TREE.generations, number);
    if (pointer === null) return undefined;
    const block = new Uint8Array(PAGE_BYTES);
    this.reader.read(recordNumber(number), pointer, block);
    const header = readUnitHeader(block, this.segments.slots);
    const record = header && readRecord(block, unitBodyOffset(header.blocks), header.sequence);
    if (!record || record.generation !== number) {
      throw new StoreError(
        'GENERATION_UNREADABLE',
        `Cannot read generation ${number}: its record does not parse; use another generation`,
      );
    }
    const loaded = { record, pointer };
    this.loaded.set(number, loaded);
    if (this.loaded.size > LOADED_MAX) {
      const oldest = this.loaded.keys().next();
      if (!oldest.done) this.loaded.delete(oldest.value);
    }
    return loaded;
  }

  /** As load, but a generation that is not kept is an error. */
  required(generation: Generation | number, action: string): Loaded {
    const number = typeof generation === 'number' ? generation : generation.number;
    const loaded = this.load(number);
    if (!loaded) throw noGeneration(action, number);
    return loaded;
  }

  /** A record with its marks, as the outside sees it. */
  describe(record: CommitRecord): Generation {
    const marks = this.marksOf(record.generation);
    const label = marks.label ?? record.label;
    return {
      number: record.generation,
      parent: record.parent,
      wallMs: record.wallMs,
      journalMs: record.journalMs,
      kind: record.kind,
      pages: record.pages,
      bytes: record.bytes,
      label: label === '' ? null : label,
      pinned: marks.pinned,
      knownGood: marks.knownGood,
      verified: marks.verified,
      changes: record.changesEnd,
      origin: record.origin,
      totals: record.totals,
      slowestFlushMicros: record.slowestFlushMicros,
      meta: record.meta.slice(),
    };
  }

  /** Marks are remarks: an unreadable page of them hides no generation (verify reports it). */
  marksOf(number: number): Marks {
    try {
      const key = marksPage(number);
      if (tableFind(this.reader, this.head.record.state, TREE.marks, key) === null) return NO_MARKS;
      return readMarks(this.marksPage(key), number);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return NO_MARKS;
    }
  }

  /** A copy of a page of marks, zeros when there is none. */
  marksPage(key: number): Uint8Array {
    const page = new Uint8Array(PAGE_BYTES);
    const pointer = tableFind(this.reader, this.head.record.state, TREE.marks, key);
    if (pointer) this.reader.read(TREE.marks * SPACE_SIZE + key, pointer, page);
    return page;
  }

  /** The head's tables, for a new generation with the head in the index. */
  nextState(sameGeneration = false): TableState {
    const state = copyTables(this.head.record.state);
    if (!sameGeneration) {
      const key = deltaKey(TREE.generations, this.head.record.generation);
      state.delta.set(key, this.head.pointer);
    }
    return state;
  }
}

function recordPointer(found: Recovered): Pointer {
  const { header, block, offsetBytes } = found.head;
  return {
    address: addressOf(header.sequence, header.slot),
    checksum: pageChecksum(recordNumber(found.record.generation), offsetBytes, block),
  };
}

/** The error for a generation that is not there. */
export function noGeneration(action: string, number: number): StoreError {
  return new StoreError(
    'NO_SUCH_GENERATION',
    `Cannot ${action}: generation ${number} is not kept; list shows those that are`,
  );
}
