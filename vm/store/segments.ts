/**
 * The segment table: which physical segment holds which sequence number, and which are free.
 *
 * In memory two words per physical segment; on the medium a snapshot of the same words, 512 entries
 * to a block (u32 sequence, u32 retired), in units of kind `table` right behind the header of the
 * segment a superblock starts from. Segments begun since then are found by following the chain.
 *
 * `retired` is 0 while the segment may hold something live, else the number of the superblock that
 * was the newest when vacuum emptied it. It is free for writing again only two superblocks later:
 * so a reader that starts from a superblock one older still finds the whole chain.
 */
import { assert } from '../base/assert.ts';
import { viewOf } from '../base/bytes.ts';
import { FIRST_SEGMENT, NO_SEGMENT, sequenceOf, slotOf } from './format.ts';
import { SequenceIndex } from './sequence-index.ts';
import { PAGE_BYTES } from './storage.ts';

export const TABLE_ENTRIES = PAGE_BYTES / 8;

/** The table as plain data, for a reader in another thread. */
export interface SegmentTable {
  readonly segmentBytes: number;
  readonly sequences: Uint32Array;
  readonly retired: Uint32Array;
}

export class Segments {
  readonly segmentBytes: number;
  readonly slots: number;
  #sequences: Uint32Array;
  #retired: Uint32Array;
  #physical: SequenceIndex;
  #free: number;
  #sequenceMax = 0;

  constructor(segmentBytes: number, count: number) {
    this.segmentBytes = segmentBytes;
    this.slots = segmentBytes / PAGE_BYTES;
    this.#sequences = new Uint32Array(count);
    this.#retired = new Uint32Array(count);
    this.#physical = new SequenceIndex(count);
    this.#free = count - FIRST_SEGMENT;
  }

  /** A table of its own with what `snapshot` has answered. */
  static fromSnapshot({ segmentBytes, sequences, retired }: SegmentTable): Segments {
    const segments = new Segments(segmentBytes, sequences.length);
    for (const [physical, sequence] of sequences.entries()) {
      if (sequence !== 0) segments.use(physical, sequence);
    }
    segments.#retired.set(retired);
    return segments;
  }

  /** A copy of the table. */
  snapshot(): SegmentTable {
    return {
      segmentBytes: this.segmentBytes,
      sequences: this.#sequences.slice(),
      retired: this.#retired.slice(),
    };
  }

  /** Segments a journal can have: the snapshot of the table has to fit into one of them. */
  static countMax(segmentBytes: number): number {
    const slots = segmentBytes / PAGE_BYTES;
    return (slots - 2 - Math.ceil(slots / 256)) * TABLE_ENTRIES;
  }

  /** Physical segments, the two regions of superblocks included. */
  get count(): number {
    return this.#sequences.length;
  }

  /** Segments that may be written. */
  get free(): number {
    return this.#free;
  }

  /** The highest sequence number ever seen. */
  get sequenceMax(): number {
    return this.#sequenceMax;
  }

  /** Makes room for a larger partition. */
  grow(count: number): void {
    assert(count >= this.count, 'a journal never shrinks');
    this.#free += count - this.count;
    const sequences = new Uint32Array(count);
    const retired = new Uint32Array(count);
    sequences.set(this.#sequences);
    retired.set(this.#retired);
    this.#sequences = sequences;
    this.#retired = retired;
    this.#physical = new SequenceIndex(count);
    for (const [physical, sequence] of sequences.entries()) {
      if (sequence !== 0) this.#physical.set(sequence, physical);
    }
  }

  /** Records that a physical segment now holds this sequence number. */
  use(physical: number, sequence: number): void {
    assert(physical >= FIRST_SEGMENT && physical < this.count, 'a segment of this journal');
    assert(sequence > 0 && sequence < NO_SEGMENT, 'a sequence number');
    const before = this.#sequences[physical] ?? 0;
    if (before === 0) this.#free--;
    else this.#physical.delete(before);
    this.#sequences[physical] = sequence;
    this.#retired[physical] = 0;
    this.#physical.set(sequence, physical);
    this.#sequenceMax = Math.max(this.#sequenceMax, sequence);
  }

  /** Marks a segment as emptied while superblock `superblock` is the newest. */
  retire(physical: number, superblock: number): void {
    assert((this.#sequences[physical] ?? 0) !== 0, 'a segment in use');
    this.#retired[physical] = superblock;
  }

  /** Frees what was retired long enough ago; answers the physical segments. */
  release(superblock: number): number[] {
    const freed: number[] = [];
    for (let physical = FIRST_SEGMENT; physical < this.count; physical++) {
      const retired = this.#retired[physical] ?? 0;
      if (retired === 0 || superblock < retired + 2) continue;
      this.#physical.delete(this.#sequences[physical] ?? 0);
      this.#sequences[physical] = 0;
      this.#retired[physical] = 0;
      this.#free++;
      freed.push(physical);
    }
    return freed;
  }

  /** The sequence number in a physical segment; 0 when free. */
  sequenceAt(physical: number): number {
    return this.#sequences[physical] ?? 0;
  }

  /** Whether vacuum has emptied this physical segment. */
  isRetired(physical: number): boolean {
    return (this.#retired[physical] ?? 0) !== 0;
  }

  /** The physical segment of a sequence number. */
  physicalOf(sequence: number): number | undefined {
    return this.#physical.get(sequence);
  }

  /** A free segment after `physical`, round and round so that wear spreads; NO_SEGMENT if none. */
  freeAfter(physical: number, except: number): number {
    const span = this.count - FIRST_SEGMENT;
    for (let step = 1; step <= span; step++) {
      const candidate = FIRST_SEGMENT + ((physical - FIRST_SEGMENT + step + span) % span);
      if (this.#sequences[candidate] === 0 && candidate !== except) return candidate;
    }
    return NO_SEGMENT;
  }

  /** Where a block lies in the storage; undefined when its segment is no longer there. */
  offsetOf(address: number): number | undefined {
    const physical = this.#physical.get(sequenceOf(address));
    const slot = slotOf(address);
    if (physical === undefined || slot >= this.slots) return undefined;
    return physical * this.segmentBytes + slot * PAGE_BYTES;
  }

  /** Key of an address in the relocation tree: dense, so that small segments share its leaves. */
  relocationKey(address: number): number {
    return sequenceOf(address) * this.slots + slotOf(address);
  }

  /** Blocks a snapshot takes. */
  get tableBlocks(): number {
    return Math.ceil(this.count / TABLE_ENTRIES);
  }

  /** Fills one block of a snapshot. */
  writeTableBlock(index: number, block: Uint8Array): void {
    const view = viewOf(block);
    for (let entry = 0; entry < TABLE_ENTRIES; entry++) {
      const physical = index * TABLE_ENTRIES + entry;
      view.setUint32(entry * 8, this.#sequences[physical] ?? 0, true);
      view.setUint32(entry * 8 + 4, this.#retired[physical] ?? 0, true);
    }
  }

  /** Takes in one block of a snapshot. */
  readTableBlock(index: number, block: Uint8Array): void {
    const view = viewOf(block);
    for (let entry = 0; entry < TABLE_ENTRIES; entry++) {
      const physical = index * TABLE_ENTRIES + entry;
      const sequence = view.getUint32(entry * 8, true);
      if (physical < FIRST_SEGMENT || physical >= this.count || sequence === 0) continue;
      this.use(physical, sequence);
      this.#retired[physical] = view.getUint32(entry * 8 + 4, true);
    }
  }
}
