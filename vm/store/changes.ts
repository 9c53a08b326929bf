/**
 * Change records: pages of space 3, numbered on and on, never taken back by a rollback.
 *
 * A record begins a page: u32 magic "PCHG", u32 length, u64 number of its first page, 8 bytes zero,
 * then its bytes, going on through the following pages without headers. The journal stores the
 * bytes and keeps the order; what they mean is the supervisor's business.
 */
import { getUint64, setUint64, viewOf } from '../base/bytes.ts';
import { PAGE_BYTES } from './storage.ts';

const MAGIC = 0x4748_4350; // "PCHG" in the order of the bytes
const HEADER_BYTES = 24;

export interface ChangeRecord {
  /** Page of space 3 it begins at: its identity, rising. */
  number: number;
  record: Uint8Array;
}

/** Pages a record of that length takes. */
export function changePages(length: number): number {
  return Math.ceil((HEADER_BYTES + length) / PAGE_BYTES);
}

/** The pages of a record that begins at page `number`. */
export function encodeChange(number: number, record: Uint8Array): Uint8Array[] {
  const count = changePages(record.length);
  const bytes = new Uint8Array(count * PAGE_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, record.length, true);
  setUint64(view, 8, number);
  bytes.set(record, HEADER_BYTES);
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES),
  );
}

/** Length of the record that begins in this page; null when none begins here. */
export function changeLength(page: Uint8Array, number: number): number | null {
  const view = viewOf(page);
  if (view.getUint32(0, true) !== MAGIC || getUint64(view, 8) !== number) return null;
  return view.getUint32(4, true);
}

/** The record in its pages put together. */
export function decodeChange(pages: Uint8Array, length: number): Uint8Array {
  return pages.slice(HEADER_BYTES, HEADER_BYTES + length);
}
