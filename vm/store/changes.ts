/**
 * The change log's bytes. Space 3 is one stream of records, cut into pages; nothing ever takes from
 * it. The journal keeps the bytes and their order; what they mean is the supervisor's business.
 *
 * Stream: records one after the other, each u32 n, n - 8 bytes, u32 n again (so that the last ones
 * are found from the end). A record is named by the position where it begins. Positions below 16
 * are not used.
 *
 * Page k holds positions k * 4080 to (k + 1) * 4080:
 *   0 u32 magic "PCHG"   4 u16 where in the page the first record begins (0 = in none)
 *   6 u16 zero           8 u64 k          16 4080 bytes of the stream, zeros behind its end
 *
 * A record is durable before it is in a page: it lies in a unit of its own (kind `change`) until
 * the next commit record takes all such records into pages. The body of that unit:
 *   0 u64 position   8 u32 length   12 u32 zero   16 the bytes, if they fit; else they are the payload
 */
import { assert } from '../base/assert.ts';
import { getUint64, setUint64, viewOf } from '../base/bytes.ts';
import { PAGE_BYTES } from './storage.ts';

const MAGIC = 0x4748_4350; // "PCHG" in the order of the bytes
const HEADER_BYTES = 16;
/** Bytes of the stream in a page. */
export const STREAM_BYTES = PAGE_BYTES - HEADER_BYTES;
/** The position of the first record. */
export const STREAM_START = 16;
export const FRAME_BYTES = 8;
const BODY_BYTES = 16;
assert(STREAM_START >= 1, 'no record is named 0');

export interface ChangeRecord {
  /** Where it begins in the stream: its identity, rising. */
  number: number;
  record: Uint8Array;
}

/** Bytes a record takes in the stream. */
export function frameBytes(length: number): number {
  return FRAME_BYTES + length;
}

/** The page of space 3 that holds a position. */
export function pageOf(position: number): number {
  return Math.floor(position / STREAM_BYTES);
}

/** The bytes of the stream that a record is. */
export function encodeFrame(record: Uint8Array): Uint8Array {
  const frame = new Uint8Array(frameBytes(record.length));
  const view = viewOf(frame);
  view.setUint32(0, frame.length, true);
  frame.set(record, 4);
  view.setUint32(frame.length - 4, frame.length, true);
  return frame;
}

/** A new page k of the log, empty. */
export function newChangePage(k: number): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  const view = viewOf(page);
  view.setUint32(0, MAGIC, true);
  setUint64(view, 8, k);
  return page;
}

/** The part of a page that is stream; null when it is not page k of the log. */
export function streamOf(page: Uint8Array, k: number): Uint8Array | null {
  const view = viewOf(page);
  if (view.getUint32(0, true) !== MAGIC || getUint64(view, 8) !== k) return null;
  return page.subarray(HEADER_BYTES);
}

/** The position of the first record that begins in page k, or null. */
export function firstRecordOf(page: Uint8Array, k: number): number | null {
  const first = viewOf(page).getUint16(4, true);
  const offset = first - HEADER_BYTES;
  return first === 0 || offset >= STREAM_BYTES ? null : k * STREAM_BYTES + offset;
}

/** Notes that a record begins at `position` of page k, unless an earlier one does. */
export function noteRecord(page: Uint8Array, k: number, position: number): void {
  const view = viewOf(page);
  if (view.getUint16(4, true) !== 0) return;
  view.setUint16(4, HEADER_BYTES + position - k * STREAM_BYTES, true);
}

/** Fills the body of a change unit; the record itself only when it fits. */
export function writeChangeBody(body: Uint8Array, position: number, record: Uint8Array): void {
  const view = viewOf(body);
  setUint64(view, 0, position);
  view.setUint32(8, record.length, true);
  if (fitsBody(record.length, body.length)) body.set(record, BODY_BYTES);
}

/** Whether a record of that length needs no payload blocks. */
export function fitsBody(length: number, bodyBytes: number): boolean {
  return BODY_BYTES + length <= bodyBytes;
}

/** The record in a proved change unit; null when body and payload do not agree. */
export function readChangeBody(body: Uint8Array, payload: Uint8Array): ChangeRecord | null {
  const view = viewOf(body);
  const number = getUint64(view, 0);
  const length = view.getUint32(8, true);
  const bytes = payload.length > 0 ? payload : body.subarray(BODY_BYTES);
  if (!Number.isSafeInteger(number) || length > bytes.length) return null;
  return { number, record: bytes.slice(0, length) };
}
