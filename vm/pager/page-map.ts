/**
 * The pager's map: for each page of the region, where its bytes lie in the journal and what their
 * CRC-32 is. The C thread reads it; the store enters what it has written or moved, the reader of
 * the page tables what nobody has entered yet.
 *
 *   entry  low 32 bits: place (see vm/pager/native/pager.c) · high 32 bits: CRC-32, or errno
 *
 * Invariants: an entry changes in one piece; `fill` never replaces what is there, so what the
 * store has entered, which is newer, wins over what the tables of the generation say.
 *
 * The journal's checksum of a page covers a 16-byte prefix (page number and offset) and then the
 * page. The pager knows neither, so it is given the CRC of the content alone. CRC-32 is linear:
 * crc(prefix · page) = advance(crc(prefix)) xor crc(page), where `advance` runs a register over
 * 4096 zero bytes. `advance` is a linear map of 32 bits, kept here as four tables of 256.
 */
import { assert } from '../base/assert.ts';

const PAGE_BYTES = 4096;
const UNKNOWN = 0n;
const EMPTY = 0xffff_ffffn;
const UNREADABLE = 0xffff_fffen;
/** Bit 31 of a place: the page lies in the scratch overlay. */
const SCRATCH = 0x8000_0000n;
const OFFSET_BYTES_MAX = (2 ** 31 - 3) * PAGE_BYTES;

/** Computes a CRC-32 of `bytes`, continuing from `crc` (zlib's convention). */
export type Crc32 = (bytes: Uint8Array, crc: number) => number;

/** Where a page lies, as the journal says it. */
export interface MapPlace {
  readonly page: number;
  readonly offsetBytes: number;
  /** The journal's checksum of it. */
  readonly checksum: number;
  /** The CRC-32 of the 16 bytes that the journal hashed before the page's own. */
  readonly prefixCrc: number;
  /** It lies in the scratch overlay. */
  readonly scratch: boolean;
}

export class PageMap {
  readonly #entries: BigUint64Array;
  readonly #advance: Uint32Array;

  /** `buffer`: the addon's map, 8 bytes a page of the region. */
  constructor(buffer: ArrayBuffer, crc32: Crc32) {
    this.#entries = new BigUint64Array(buffer);
    this.#advance = advanceTables(crc32);
  }

  /** Pages of the region. */
  get pageCount(): number {
    return this.#entries.length;
  }

  /** Enters where a page lies from now on. */
  set(place: MapPlace): void {
    assert(place.page < this.pageCount, `page ${place.page} lies outside of the region`);
    Atomics.store(this.#entries, place.page, this.#entry(place));
  }

  /**
   * Enters what is not known yet of `count` pages from `first` on: the given places (ascending),
   * and that the others were never written.
   */
  fill(first: number, count: number, places: readonly MapPlace[]): void {
    let at = 0;
    for (let page = first; page < first + count; page++) {
      const place = places[at];
      const here = place?.page === page ? place : undefined;
      if (here !== undefined) at++;
      if (this.#entries[page] !== UNKNOWN) continue;
      const entry = here === undefined ? EMPTY : this.#entry(here);
      Atomics.compareExchange(this.#entries, page, UNKNOWN, entry);
    }
    assert(at === places.length, 'places of other pages');
  }

  /** Says of what is not known yet of these pages that their table cannot be read. */
  fillUnreadable(first: number, count: number, errno: number): void {
    const entry = (BigInt(errno) << 32n) | UNREADABLE;
    for (let page = first; page < first + count; page++) {
      Atomics.compareExchange(this.#entries, page, UNKNOWN, entry);
    }
  }

  #entry({ offsetBytes, checksum, prefixCrc, scratch }: MapPlace): bigint {
    assert(offsetBytes % PAGE_BYTES === 0 && offsetBytes <= OFFSET_BYTES_MAX, 'journal offset');
    const table = this.#advance;
    const advanced =
      table[prefixCrc & 0xff]! ^
      table[256 + ((prefixCrc >>> 8) & 0xff)]! ^
      table[512 + ((prefixCrc >>> 16) & 0xff)]! ^
      table[768 + (prefixCrc >>> 24)]!;
    const contentCrc = (checksum ^ advanced) >>> 0;
    const place = BigInt(offsetBytes / PAGE_BYTES + 1) | (scratch ? SCRATCH : 0n);
    return (BigInt(contentCrc) << 32n) | place;
  }
}

/** Tables of the linear map "what 4096 zero bytes do to the difference of two CRC registers". */
function advanceTables(crc32: Crc32): Uint32Array {
  const zeros = new Uint8Array(PAGE_BYTES);
  const base = crc32(zeros, 0);
  const tables = new Uint32Array(4 * 256);
  for (let byte = 0; byte < 4; byte++) {
    for (let value = 1; value < 256; value++) {
      tables[byte * 256 + value] = crc32(zeros, (value << (8 * byte)) >>> 0) ^ base;
    }
  }
  return tables;
}
