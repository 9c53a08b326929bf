/**
 * The change log of an open journal: what of it lies in pages of space 3, and the records since,
 * which the next commit record takes there.
 *
 * Invariants: `end` never falls; the records in `pending` are durable, ascending, and begin at or
 * after `packed`; between a record and the next there is nothing, unless the page that held the end
 * could not be read any more: then the log goes on at the next page.
 */
import { assert } from '../base/assert.ts';
import { viewOf } from '../base/bytes.ts';
import type { BlockReader, Pointer } from './block-reader.ts';
import {
  type ChangeRecord,
  encodeFrame,
  FRAME_BYTES,
  firstRecordOf,
  frameBytes,
  newChangePage,
  noteRecord,
  pageOf,
  readChangeBody,
  STREAM_BYTES,
  STREAM_START,
  streamOf,
} from './changes.ts';
import { SPACE_SIZE, unitBodyOffset } from './format.ts';
import { type TableState, TREE } from './record.ts';
import { type FoundUnit, provedPayload } from './recovery.ts';
import { PAGE_BYTES, type Storage } from './storage.ts';
import { StoreError } from './store-error.ts';
import { tableFind } from './tables.ts';

/** Told of each stretch of the log that cannot be read, once. */
export type DamageListener = (error: StoreError) => void;

export class ChangeLog {
  readonly #reader: BlockReader;
  readonly #state: () => TableState;
  /** Where the next record goes. */
  end: number;
  #packed: number;
  #pending: ChangeRecord[] = [];
  /** The page that holds `packed`, when it is not at a page's begin; undefined = not yet read. */
  #tail: Uint8Array | null | undefined;

  /** `packed` is what the head's record says; `state` gives the head's tables. */
  constructor(reader: BlockReader, packed: number, state: () => TableState) {
    this.#reader = reader;
    this.#state = state;
    this.#packed = Math.max(packed, STREAM_START);
    this.end = this.#packed;
  }

  /** Takes in the units that follow the head's record, oldest first; they are proved already. */
  takeUnits(storage: Storage, units: readonly FoundUnit[]): void {
    for (const unit of units) {
      const payload = provedPayload(storage, unit);
      const body = unit.block.subarray(unitBodyOffset(unit.header.blocks));
      const found = payload && readChangeBody(body, payload);
      if (!found || found.number < this.end) continue;
      this.add(found.record, found.number);
    }
  }

  /** Notes a record that is now durable at `number`, which beginRecord() gave. */
  add(record: Uint8Array, number: number): void {
    assert(number >= this.end, 'positions rise');
    if (this.#pending.length === 0) this.#packed = Math.max(this.#packed, number);
    this.#pending.push({ number, record });
    this.end = number + frameBytes(record.length);
  }

  /** Where a record may begin now: the end, or the next page when the page there is lost. */
  beginRecord(): number {
    if (this.#pending.length > 0 || this.#tailPage() !== null) return this.end;
    return Math.ceil(this.end / STREAM_BYTES) * STREAM_BYTES;
  }

  /** Pages of space 3 the next commit record writes. */
  get pagesToPack(): number {
    if (this.#pending.length === 0) return 0;
    return pageOf(this.end - 1) - pageOf(this.#packed) + 1;
  }

  /** Bytes of records that wait for the next commit record. */
  get pendingBytes(): number {
    return this.end - this.#packed;
  }

  /** Records that wait. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /** The pages the next commit record must write, ascending, by their page in space 3. */
  pack(): { page: number; bytes: Uint8Array }[] {
    const pages: { page: number; bytes: Uint8Array }[] = [];
    for (const { number, record } of this.#pending) {
      const frame = encodeFrame(record);
      for (let done = 0; done < frame.length; ) {
        const position = number + done;
        const k = pageOf(position);
        let last = pages.at(-1);
        if (last?.page !== k) {
          const old = pages.length === 0 ? this.#tailPage() : null;
          last = { page: k, bytes: old?.slice() ?? newChangePage(k) };
          pages.push(last);
        }
        const stream = streamOf(last.bytes, k);
        assert(stream !== null, 'a page of the log');
        if (done === 0) noteRecord(last.bytes, k, position);
        const at = position - k * STREAM_BYTES;
        const part = frame.subarray(done, done + STREAM_BYTES - at);
        stream.set(part, at);
        done += part.length;
      }
    }
    assert(pages.length === this.pagesToPack, 'as many pages as were counted');
    return pages;
  }

  /** The pages that pack() answered are durable now. */
  packed(pages: readonly { page: number; bytes: Uint8Array }[]): void {
    this.#packed = this.end;
    this.#pending = [];
    const last = pages.at(-1);
    if (last) this.#tail = this.#packed % STREAM_BYTES === 0 ? undefined : last.bytes;
  }

  /**
   * The records from number `from` on, oldest first. Where pages cannot be read, `damaged` is told
   * and it goes on with the first record behind; without it the StoreError is thrown.
   */
  *records(from = 0, damaged?: DamageListener): Generator<ChangeRecord, void> {
    const pages = new PageReader(this.#reader, this.#state());
    const pending = [...this.#pending];
    const end = this.#packed;
    let position = Math.max(from, STREAM_START);
    let aligned = from <= STREAM_START;
    let told = '';
    while (position < end) {
      try {
        if (!aligned) {
          position = pages.firstRecord(position, end);
          aligned = true;
          continue;
        }
        const frame = pages.frame(position, end);
        if (frame === null) {
          // A hole: the log went on at the next page, or nothing begins here.
          position = (pageOf(position) + 1) * STREAM_BYTES;
          aligned = false;
          continue;
        }
        yield { number: position, record: frame };
        position += frameBytes(frame.length);
      } catch (error) {
        if (!(error instanceof StoreError) || !damaged) throw error;
        // A record that runs into a lost page meets it twice.
        if (error.message !== told) damaged(error);
        told = error.message;
        position = (pageOf(position) + 1) * STREAM_BYTES;
        aligned = false;
      }
    }
    for (const change of pending) if (change.number >= from) yield change;
  }

  /** At most the last `count` records, oldest first; fewer when what is before cannot be read. */
  last(count: number): ChangeRecord[] {
    const found: ChangeRecord[] = this.#pending.slice(-count).reverse();
    const pages = new PageReader(this.#reader, this.#state());
    let position = this.#packed;
    try {
      while (found.length < count && position > STREAM_START) {
        const begin = position - viewOf(pages.bytes(position - 4, 4)).getUint32(0, true);
        const frame = begin < STREAM_START ? null : pages.frame(begin, position);
        if (frame === null || begin + frameBytes(frame.length) !== position) break;
        found.push({ number: begin, record: frame });
        position = begin;
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
    return found.reverse();
  }

  /** The page that the stream ends in: null when there was one and it cannot be read. */
  #tailPage(): Uint8Array | null {
    if (this.#tail === undefined) {
      const k = pageOf(this.#packed);
      if (this.#packed % STREAM_BYTES === 0 || this.#packed === STREAM_START) {
        return newChangePage(k);
      }
      try {
        const page = new PageReader(this.#reader, this.#state()).page(k);
        this.#tail = page;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        this.#tail = null;
      }
    }
    return this.#tail;
  }
}

/** Reads the stream; keeps the page read last. */
class PageReader {
  readonly #reader: BlockReader;
  readonly #state: TableState;
  #page: Uint8Array = new Uint8Array(0);
  #number = -1;

  constructor(reader: BlockReader, state: TableState) {
    this.#reader = reader;
    this.#state = state;
  }

  /** A copy of page k. Throws PAGE_UNREADABLE. */
  page(k: number): Uint8Array {
    this.#load(k);
    return this.#page.slice();
  }

  /** Bytes of the stream from a position on. */
  bytes(position: number, count: number): Uint8Array {
    const result = new Uint8Array(count);
    for (let done = 0; done < count; ) {
      const k = pageOf(position + done);
      const at = position + done - k * STREAM_BYTES;
      const part = this.#load(k).subarray(at, at + count - done);
      result.set(part, done);
      done += part.length;
    }
    return result;
  }

  /** The record at `position`; null when none begins there that ends by `end`. */
  frame(position: number, end: number): Uint8Array | null {
    if (position + FRAME_BYTES > end) return null;
    const length = viewOf(this.bytes(position, 4)).getUint32(0, true);
    if (length < FRAME_BYTES || position + length > end) return null;
    const again = viewOf(this.bytes(position + length - 4, 4)).getUint32(0, true);
    return again === length ? this.bytes(position + 4, length - FRAME_BYTES) : null;
  }

  /** The first record that begins at or after `position`; `end` when there is none. */
  firstRecord(position: number, end: number): number {
    for (let k = pageOf(position); k * STREAM_BYTES < end; k++) {
      this.#load(k);
      let at = firstRecordOf(this.#page, k);
      // Records may begin before `position` in its page: follow them.
      while (at !== null && at < position && pageOf(at) === k) {
        const frame = this.frame(at, end);
        at = frame === null ? null : at + frameBytes(frame.length);
        this.#load(k);
      }
      if (at !== null && at >= position) return at;
    }
    return end;
  }

  #load(k: number): Uint8Array {
    if (this.#number !== k) {
      this.#number = -1;
      const page = new Uint8Array(PAGE_BYTES);
      const pointer: Pointer | null = tableFind(this.#reader, this.#state, TREE.changes, k);
      if (!pointer) throw damagedPage(k, 'it is nowhere');
      this.#reader.read(TREE.changes * SPACE_SIZE + k, pointer, page);
      this.#page = page;
      this.#number = k;
    }
    const stream = streamOf(this.#page, k);
    if (!stream) throw damagedPage(k, 'its header names another page');
    return stream;
  }
}

function damagedPage(k: number, reason: string): StoreError {
  return new StoreError('PAGE_UNREADABLE', `Cannot read page ${k} of the change log: ${reason}`);
}
