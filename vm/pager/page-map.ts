/**
 * The pager's map: for each page of the region, where its bytes lie in the journal and what their
 * CRC-32 is. The C thread reads it, one thread writes it.
 *
 *   entry  low 32 bits: 1 + journal offset / 4096 (0: never written, zeros) · high 32 bits: CRC-32
 *
 * The journal's checksum of a page covers a 16-byte prefix (page number and offset) and then the
 * page. The pager knows neither, so it is given the CRC of the content alone. CRC-32 is linear:
 * crc(prefix · page) = advance(crc(prefix)) xor crc(page), where `advance` runs a register over
 * 4096 zero bytes. `advance` is a linear map of 32 bits, kept here as four tables of 256.
 */
import { assert } from '../base/assert.ts';

const PAGE_BYTES = 4096;
const OFFSET_BYTES_MAX = (2 ** 32 - 2) * PAGE_BYTES;

/** Computes a CRC-32 of `bytes`, continuing from `crc` (zlib's convention). */
export type Crc32 = (bytes: Uint8Array, crc: number) => number;

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

  /**
   * Enters a page: `checksum` is the journal's, `prefixCrc` the CRC-32 of the 16 bytes that the
   * journal hashed before the page's own. The entry changes in one piece, while the pager reads it.
   */
  set(page: number, offsetBytes: number, checksum: number, prefixCrc: number): void {
    assert(page < this.pageCount, `page ${page} lies outside of the region`);
    assert(offsetBytes % PAGE_BYTES === 0 && offsetBytes <= OFFSET_BYTES_MAX, 'journal offset');
    const table = this.#advance;
    const advanced =
      table[prefixCrc & 0xff]! ^
      table[256 + ((prefixCrc >>> 8) & 0xff)]! ^
      table[512 + ((prefixCrc >>> 16) & 0xff)]! ^
      table[768 + (prefixCrc >>> 24)]!;
    const contentCrc = (checksum ^ advanced) >>> 0;
    const entry = (BigInt(contentCrc) << 32n) | BigInt(offsetBytes / PAGE_BYTES + 1);
    Atomics.store(this.#entries, page, entry);
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
