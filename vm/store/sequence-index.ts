/**
 * Which physical segment holds a sequence number: a hash table in two typed arrays, because a large
 * journal has tens of thousands of segments and is opened in milliseconds.
 *
 * Open addressing with linear probing, at most half full; removing moves later entries back, so
 * there are no tombstones. 0 is no sequence number and means an empty place.
 */
import { assert } from '../base/assert.ts';

export class SequenceIndex {
  #sequences: Uint32Array;
  #physicals: Uint32Array;
  #mask: number;

  /** For at most `count` entries. */
  constructor(count: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(16, 2 * count)));
    this.#sequences = new Uint32Array(size);
    this.#physicals = new Uint32Array(size);
    this.#mask = size - 1;
  }

  /** Adds an entry, or changes it. */
  set(sequence: number, physical: number): void {
    assert(sequence !== 0, 'a sequence number');
    const at = this.#find(sequence);
    this.#sequences[at] = sequence;
    this.#physicals[at] = physical;
  }

  /** The physical segment, or undefined. */
  get(sequence: number): number | undefined {
    const at = this.#find(sequence);
    return this.#sequences[at] === 0 ? undefined : this.#physicals[at];
  }

  /** Removes an entry; none is none. */
  delete(sequence: number): void {
    let hole = this.#find(sequence);
    if (this.#sequences[hole] === 0) return;
    for (let at = (hole + 1) & this.#mask; ; at = (at + 1) & this.#mask) {
      const other = this.#sequences[at] as number;
      if (other === 0) break;
      // It may move back only if that does not bring it before its own place.
      const away = (at - this.#home(other)) & this.#mask;
      if (away < ((at - hole) & this.#mask)) continue;
      this.#sequences[hole] = other;
      this.#physicals[hole] = this.#physicals[at] as number;
      hole = at;
    }
    this.#sequences[hole] = 0;
  }

  #home(sequence: number): number {
    return (Math.imul(sequence, 0x9e3779b1) >>> 7) & this.#mask;
  }

  /** Where a sequence number is, or would be. */
  #find(sequence: number): number {
    let at = this.#home(sequence);
    while (this.#sequences[at] !== 0 && this.#sequences[at] !== sequence)
      at = (at + 1) & this.#mask;
    return at;
  }
}
