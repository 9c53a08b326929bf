/**
 * Changes of a table in columns: a commit of a gigabyte has 262,144 of them, and an object for each
 * would cost more than writing the pages. Invariant: keys rise.
 */
import { assert } from '../base/assert.ts';
import type { Pointer } from './block-reader.ts';

export class TableChanges {
  readonly #keys: Float64Array;
  readonly #addresses: Float64Array;
  readonly #checksums: Uint32Array;
  #length = 0;

  constructor(capacity: number) {
    this.#keys = new Float64Array(capacity);
    this.#addresses = new Float64Array(capacity);
    this.#checksums = new Uint32Array(capacity);
  }

  /** Columns of changes given as objects, ascending by key. */
  static from(entries: readonly ({ key: number } & Pointer)[]): TableChanges {
    const changes = new TableChanges(entries.length);
    for (const { key, address, checksum } of entries) changes.add(key, address, checksum);
    return changes;
  }

  get length(): number {
    return this.#length;
  }

  /** Adds a change behind the others; address 0 removes the key. Answers its place. */
  add(key: number, address: number, checksum: number): number {
    const at = this.#length++;
    assert(at < this.#keys.length, 'room for a change');
    assert(at === 0 || this.key(at - 1) < key, 'keys rise');
    this.#keys[at] = key;
    this.#addresses[at] = address;
    this.#checksums[at] = checksum;
    return at;
  }

  /** Notes the checksums of the last blocks added, which were not known then. */
  sum(checksums: Uint32Array): void {
    this.#checksums.set(checksums, this.#length - checksums.length);
  }

  key(at: number): number {
    return this.#keys[at] as number;
  }

  address(at: number): number {
    return this.#addresses[at] as number;
  }

  checksum(at: number): number {
    return this.#checksums[at] as number;
  }

  /** All keys. */
  keys(): Float64Array {
    return this.#keys.subarray(0, this.#length);
  }

  /** The first place from `begin` on, before `end`, whose key is not below `key`. */
  firstFrom(key: number, begin = 0, end = this.#length): number {
    let low = begin;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.key(middle) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
