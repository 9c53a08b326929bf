/**
 * Little-endian fields in byte blocks: everything the journal stores is read and written by these.
 *
 * Invariant: numbers above 32 bits are exact integers up to 2^53 - 1, kept in 6 or 8 bytes.
 */
import { assert } from './assert.ts';

const TWO_32 = 0x1_0000_0000;

/** A view for typed access to exactly these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads an unsigned 48-bit integer. */
export function getUint48(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint16(offset + 4, true) * TWO_32;
}

/** Writes an unsigned 48-bit integer. */
export function setUint48(view: DataView, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0 && value < 2 ** 48, 'a 48-bit integer');
  view.setUint32(offset, value % TWO_32, true);
  view.setUint16(offset + 4, Math.floor(value / TWO_32), true);
}

/** Reads an unsigned 64-bit integer; NaN when it is no safe integer (damaged or foreign bytes). */
export function getUint64(view: DataView, offset: number): number {
  const high = view.getUint32(offset + 4, true);
  return high < 0x20_0000 ? view.getUint32(offset, true) + high * TWO_32 : Number.NaN;
}

/** Writes an unsigned integer up to 2^53 - 1 into 64 bits. */
export function setUint64(view: DataView, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'an unsigned safe integer');
  view.setUint32(offset, value % TWO_32, true);
  view.setUint32(offset + 4, Math.floor(value / TWO_32), true);
}

/** Writes variable-length integers and fixed fields one after the other into a bounded block. */
export class ByteWriter {
  readonly #bytes: Uint8Array;
  position: number;

  constructor(bytes: Uint8Array, position = 0) {
    this.#bytes = bytes;
    this.position = position;
  }

  /** Bytes that still fit. */
  get room(): number {
    return this.#bytes.length - this.position;
  }

  /** One byte. */
  byte(value: number): void {
    assert(this.position < this.#bytes.length, 'room for a byte');
    this.#bytes[this.position++] = value;
  }

  /** An unsigned integer in 1 to 8 bytes, 7 bits each, low bits first. */
  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'an unsigned safe integer');
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  /** Two bytes, low first. */
  uint16(value: number): void {
    this.byte(value & 0xff);
    this.byte((value >>> 8) & 0xff);
  }

  /** Four bytes, low first. */
  uint32(value: number): void {
    this.uint16(value & 0xffff);
    this.uint16(value >>> 16);
  }

  /** The bytes themselves. */
  raw(bytes: Uint8Array): void {
    assert(bytes.length <= this.room, 'room for the bytes');
    this.#bytes.set(bytes, this.position);
    this.position += bytes.length;
  }
}

/** The reverse of ByteWriter. Damaged input sets `failed` and yields zeros; it never throws. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  position: number;
  failed = false;

  constructor(bytes: Uint8Array, position = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#end = Math.min(end, bytes.length);
    this.position = position;
  }

  /** One byte. */
  byte(): number {
    if (this.position < this.#end) return this.#bytes[this.position++] ?? 0;
    this.failed = true;
    return 0;
  }

  /** An unsigned integer written by ByteWriter.varint. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
      if (count === 7) this.failed = true;
    }
    if (!Number.isSafeInteger(value)) this.failed = true;
    return this.failed ? 0 : value;
  }

  /** Two bytes, low first. */
  uint16(): number {
    const low = this.byte();
    return low | (this.byte() << 8);
  }

  /** Four bytes, low first. */
  uint32(): number {
    const low = this.uint16();
    return low + this.uint16() * 0x1_0000;
  }

  /** A copy of the next `count` bytes. */
  raw(count: number): Uint8Array {
    if (this.position + count > this.#end) {
      this.failed = true;
      return new Uint8Array(0);
    }
    this.position += count;
    return this.#bytes.slice(this.position - count, this.position);
  }
}
