/**
 * Appends units to the log: the only place that writes segments.
 *
 * Order on the medium: the header of a segment before its units; a unit in one write, header first.
 * A point (commit or change record) is on the medium, with everything before it, when point()
 * returns. A segment starts a new superblock when it is the first of this mount, when the segment
 * before could not name it (none was free then), and every 64 segments: header and segment table
 * are flushed first, then ring A, flush, ring B, flush. A power cut anywhere leaves an older
 * superblock whose chain of headers leads here, or ends before here; nothing acknowledged is lost.
 *
 * After a failed write or flush nothing may be appended: what reached the medium is unknown until
 * the journal is opened anew.
 */
import { assert } from '../base/assert.ts';
import { viewOf } from '../base/bytes.ts';
import type { Pointer } from './block-reader.ts';
import {
  addressOf,
  type BlockSums,
  FIRST_SEGMENT,
  NO_SEGMENT,
  pageChecksum,
  SUPERBLOCK_INTERVAL,
  sequenceOf,
  tableNumber,
  UNFLUSHED_BYTES_MAX,
  UNIT,
  UNIT_BLOCKS_MAX,
  type UnitKind,
  unitBodyOffset,
  writeSegmentBody,
  writeUnitHeader,
} from './format.ts';
import type { PageWrite } from './generation.ts';
import type { Totals } from './record.ts';
import type { Segments } from './segments.ts';
import { PAGE_BYTES, type Storage } from './storage.ts';
import { StoreError } from './store-error.ts';
import { type Superblock, storeSuperblock } from './superblock.ts';
import type { TableChanges } from './table-changes.ts';
import { pageKey } from './tables.ts';

/** The last segment of the chain, and what a following header says about it. */
export interface ChainEnd {
  sequence: number;
  physical: number;
  checksum: number;
  nextPhysical: number;
  end: number;
}

export interface LogStart {
  superblock: Superblock;
  chainEnd: ChainEnd;
  lastPoint: Pointer;
  /** Address of the newest commit record; the same as lastPoint unless changes follow it. */
  lastCommit: number;
  /** The mount number and salt that everything written from now on carries. */
  mount: number;
  salt: number;
  /** What the newest record says; see Totals. */
  totals: Totals;
  /** A clock that measures how long flushes take. */
  monotonicMs: () => number;
  blockSums: BlockSums;
}

/** Writes the body of a unit into its header block from `offset` on. */
export type FillBody = (block: Uint8Array, offset: number) => void;

export class LogWriter {
  readonly #storage: Storage;
  readonly #segments: Segments;
  readonly #mount: number;
  readonly #salt: number;
  /** The unit being collected; large commits fill one buffer while the other is written. */
  #staging: Uint8Array;
  #otherStaging: Uint8Array;
  #superblock: Superblock;
  #chain: ChainEnd;
  #mounted = false;
  #slot: number;
  #unitChecksum = 0;
  #durable: number;
  #lastPoint: Pointer;
  /** The unit's payload blocks: numbers, checksums, how many there are, how many have a checksum. */
  readonly #numbers = new Float64Array(UNIT_BLOCKS_MAX);
  readonly #sums = new Uint32Array(UNIT_BLOCKS_MAX);
  #count = 0;
  #summed = 0;
  readonly #blockSums: BlockSums;
  #unitSlot = -1;
  #unflushedBytes = 0;
  #segmentsSince = 0;
  /** Wall clock for headers, set by the journal before it appends. */
  wallMs = 0;
  /** Everything this journal ever cost its medium, carried on in the records. */
  readonly totals: Totals;
  /** The slowest flush since the newest record, in microseconds. */
  slowestFlushMicros = 0;
  readonly #monotonicMs: () => number;
  failed = false;
  superblocksWritten = 0;
  /** Segments from this sequence on are needed to open from the superblock before the newest. */
  protectedSequence = 0;
  #newestProtects = 0;
  #lastCommit: number;

  constructor(storage: Storage, segments: Segments, start: LogStart) {
    this.#storage = storage;
    this.#segments = segments;
    this.#mount = start.mount;
    this.#salt = start.salt;
    this.#superblock = start.superblock;
    this.#chain = start.chainEnd;
    this.#slot = segments.slots;
    this.#lastPoint = start.lastPoint;
    this.#lastCommit = start.lastCommit;
    this.#durable = addressOf(start.chainEnd.sequence, start.chainEnd.end);
    this.#staging = storage.allocate((1 + UNIT_BLOCKS_MAX) * PAGE_BYTES);
    this.#otherStaging = storage.allocate((1 + UNIT_BLOCKS_MAX) * PAGE_BYTES);
    this.totals = { ...start.totals };
    this.#monotonicMs = start.monotonicMs;
    this.#blockSums = start.blockSums;
  }

  /** The superblock written last. */
  get superblock(): Superblock {
    return this.#superblock;
  }

  /** Bytes handed to the storage since the journal was made. */
  get bytesWritten(): number {
    return this.totals.bytes;
  }

  /** Sequence number of the segment being written. */
  get sequence(): number {
    return this.#chain.sequence;
  }

  /** The point written last. */
  get lastPoint(): Pointer {
    return this.#lastPoint;
  }

  /** Payload blocks that fit before the journal has to take `reserve` of its free segments. */
  blocksFree(reserve: number): number {
    const spare = Math.max(0, this.#segments.free - reserve);
    const mountCost = this.#mounted ? 0 : this.#segments.tableBlocks + 2;
    const perSegment = this.#segments.slots - 1 - Math.ceil(this.#segments.slots / 256);
    const here = this.#mounted ? Math.max(0, this.#segments.slots - this.#slot - 2) : 0;
    const tables = Math.ceil(spare / SUPERBLOCK_INTERVAL) * (this.#segments.tableBlocks + 2);
    return Math.max(0, here + spare * perSegment - mountCost - tables);
  }

  /** Makes sure this mount has its segment and its superblock. */
  mount(): void {
    if (!this.#mounted) this.#guard(() => this.#startSegment());
  }

  /** Makes durable what opening accepted. */
  flushAccepted(): void {
    this.#guard(() => this.#storage.flush());
  }

  /** Bytes left for a body in the header of the unit being collected. */
  bodyRoom(): number {
    return PAGE_BYTES - unitBodyOffset(this.#count);
  }

  /** Sequence number a body written by point() would get. */
  pointSequence(): number {
    if (this.#unitSlot < 0) this.#guard(() => this.#openUnit(1));
    return this.#chain.sequence;
  }

  /** Bytes of the unit being collected, its header included. */
  get pendingBytes(): number {
    return this.#unitSlot < 0 ? PAGE_BYTES : (1 + this.#count) * PAGE_BYTES;
  }

  /** Makes the next unit one with room for `blocks` blocks. */
  reserve(blocks: number): void {
    this.closeUnit(UNIT.pages);
    this.#guard(() => this.#openUnit(1 + blocks));
  }

  /** Appends one block to the unit being collected. */
  append(number: number, bytes: Uint8Array): Pointer {
    const address = this.#collect(number, bytes);
    this.#sumCollected();
    return { address, checksum: this.#sums[this.#count - 1] as number };
  }

  /**
   * Appends pages (null bytes: dropped, nothing is appended) and notes in `changes` where they lie.
   */
  appendPages(pages: readonly PageWrite[], changes: TableChanges): void {
    for (const { page, bytes } of pages) {
      if (bytes === null) {
        this.#sumInto(changes);
        changes.add(pageKey(page), 0, 0);
        continue;
      }
      if (this.#isFull) {
        this.#sumInto(changes);
        this.closeUnit(UNIT.pages);
      }
      changes.add(pageKey(page), this.#collect(page, bytes), 0);
    }
    this.#sumInto(changes);
  }

  /** Appends blocks, and tells where each lies once its checksum is known. */
  appendBlocks(
    blocks: readonly { number: number; bytes: Uint8Array }[],
    placed: (index: number, pointer: Pointer) => void,
  ): void {
    const addresses: number[] = [];
    let told = 0;
    const tell = (): void => {
      for (const checksum of this.#sumCollected()) {
        placed(told, { address: addresses[told] as number, checksum });
        told++;
      }
    };
    this.#sumCollected();
    for (const { number, bytes } of blocks) {
      if (this.#unitSlot >= 0 && this.#isFull) {
        tell();
        this.closeUnit(UNIT.moved);
      }
      addresses.push(this.#collect(number, bytes));
    }
    tell();
  }

  /** See BlockSums. */
  get blockSums(): BlockSums {
    return this.#blockSums;
  }

  get #isFull(): boolean {
    return (
      this.#count === UNIT_BLOCKS_MAX || this.#unitSlot + 1 + this.#count >= this.#segments.slots
    );
  }

  /** Puts a block into the unit, without its checksum; answers its address. */
  #collect(number: number, bytes: Uint8Array): number {
    assert(bytes.length === PAGE_BYTES, 'blocks are pages');
    if (this.#unitSlot >= 0 && this.#isFull) this.closeUnit(UNIT.pages);
    if (this.#unitSlot < 0) this.#guard(() => this.#openUnit(2));
    this.#staging.set(bytes, (1 + this.#count) * PAGE_BYTES);
    this.#numbers[this.#count] = number;
    this.#count++;
    return addressOf(this.#chain.sequence, this.#unitSlot + this.#count);
  }

  /** Computes the checksums still missing, and answers them. */
  #sumCollected(): Uint32Array {
    const [from, to] = [this.#summed, this.#count];
    const sums = this.#sums.subarray(from, to);
    if (from === to) return sums;
    this.#summed = to;
    const bytes = this.#staging.subarray((1 + from) * PAGE_BYTES, (1 + to) * PAGE_BYTES);
    const slot = this.#unitSlot + 1 + from;
    const offset = this.#chain.physical * this.#segments.segmentBytes + slot * PAGE_BYTES;
    if (to - from > 1) this.#blockSums(bytes, this.#numbers.subarray(from, to), offset, sums);
    else sums[0] = pageChecksum(this.#numbers[from] as number, offset, bytes);
    return sums;
  }

  /** The same, for the last of `changes`. */
  #sumInto(changes: TableChanges): void {
    const sums = this.#sumCollected();
    if (sums.length > 0) changes.sum(sums);
  }

  /** Returns when what was appended can be read from the storage by others. */
  settle(): void {
    this.#guard(() => this.#storage.settle());
  }

  /** Writes the collected unit as one that is no point. */
  closeUnit(kind: UnitKind, fill?: FillBody): void {
    if (this.#unitSlot < 0) return;
    this.#guard(() => this.#writeUnit(kind, fill, true));
  }

  /**
   * Writes the collected unit as a point and flushes. Answers where its header block lies and that
   * block's checksum under `number`.
   */
  point(kind: UnitKind, number: number, fill: FillBody): Pointer {
    return this.#guard(() => {
      if (this.#unitSlot < 0) this.#openUnit(1);
      const unitBytes = (1 + this.#count) * PAGE_BYTES;
      if (this.#unflushedBytes + unitBytes > UNFLUSHED_BYTES_MAX) this.#flush(this.#unitSlot);
      const slot = this.#unitSlot;
      const header = this.#writeUnit(kind, fill);
      this.#lastPoint = { address: addressOf(this.#chain.sequence, slot), checksum: header };
      if (kind === UNIT.commit) this.#lastCommit = this.#lastPoint.address;
      const offset = this.#chain.physical * this.#segments.segmentBytes + slot * PAGE_BYTES;
      const checksum = pageChecksum(number, offset, this.#staging.subarray(0, PAGE_BYTES));
      this.#flush(this.#slot);
      return { address: this.#lastPoint.address, checksum };
    });
  }

  /** Writes a superblock now, where the log is; vacuum needs two to reuse what it emptied. */
  renewSuperblock(): void {
    assert(this.#unitSlot < 0, 'no unit is being collected');
    this.#guard(() => {
      const blocks = this.#segments.tableBlocks;
      const room = this.#segments.slots - this.#slot - Math.ceil(blocks / UNIT_BLOCKS_MAX);
      if (this.#mounted && room >= blocks) return this.#writeSuperblock();
      this.#segmentsSince = SUPERBLOCK_INTERVAL;
      this.#startSegment();
    });
  }

  #guard<T>(body: () => T): T {
    assert(!this.failed, 'no append after a failure');
    try {
      return body();
    } catch (error) {
      this.failed = true;
      throw error;
    }
  }

  #openUnit(slots: number): void {
    if (!this.#mounted || this.#slot + slots > this.#segments.slots) this.#startSegment();
    this.#unitSlot = this.#slot;
    this.#count = 0;
    this.#summed = 0;
  }

  #writeUnit(kind: UnitKind, fill?: FillBody, behind = false): number {
    const block = this.#staging.subarray(0, PAGE_BYTES);
    const blocks = this.#count;
    this.#sumCollected();
    assert(this.#unitSlot + 1 + blocks <= this.#segments.slots, 'a unit ends in its segment');
    block.fill(0);
    fill?.(block, unitBodyOffset(blocks));
    const checksum = writeUnitHeader(
      block,
      {
        kind,
        blocks,
        sequence: this.#chain.sequence,
        slot: this.#unitSlot,
        mount: this.#mount,
        salt: this.#salt,
        nonce: viewOf(this.#superblock.nonce).getUint32(0, true),
        durable: this.#durable,
        previousPoint: this.#lastPoint.address,
        previousPointChecksum: this.#lastPoint.checksum,
        previousUnitChecksum: this.#unitChecksum,
      },
      { numbers: this.#numbers, sums: this.#sums },
    );
    const unit = this.#staging.subarray(0, (1 + blocks) * PAGE_BYTES);
    this.#write(this.#unitSlot, unit, behind);
    // Writing this one waited for the one before, so the other buffer is free.
    if (behind) [this.#staging, this.#otherStaging] = [this.#otherStaging, this.#staging];
    this.#unitChecksum = checksum;
    this.#slot = this.#unitSlot + 1 + blocks;
    this.#unitSlot = -1;
    this.#count = 0;
    this.#summed = 0;
    return checksum;
  }

  #write(slot: number, bytes: Uint8Array, behind: boolean): void {
    const { segmentBytes } = this.#segments;
    const offset = this.#chain.physical * segmentBytes + slot * PAGE_BYTES;
    if (behind) this.#storage.writeBehind(offset, bytes);
    else this.#storage.write(offset, bytes);
    this.#unflushedBytes += bytes.length;
    this.totals.bytes += bytes.length;
  }

  #flush(durableSlot: number): void {
    const begin = this.#monotonicMs();
    this.#storage.flush();
    const micros = Math.max(0, Math.round((this.#monotonicMs() - begin) * 1000));
    this.totals.flushes++;
    this.totals.flushMicros += micros;
    this.slowestFlushMicros = Math.max(this.slowestFlushMicros, micros);
    this.#durable = addressOf(this.#chain.sequence, durableSlot);
    this.#unflushedBytes = 0;
  }

  #startSegment(): void {
    const before = this.#chain;
    const end = this.#mounted ? this.#slot : before.end;
    const linked = before.nextPhysical !== NO_SEGMENT;
    const physical = linked ? before.nextPhysical : this.#segments.freeAfter(before.physical, -1);
    if (physical === NO_SEGMENT) {
      throw new StoreError('JOURNAL_FULL', 'Cannot write to the journal: no segment is free');
    }
    assert(physical >= FIRST_SEGMENT, 'never the superblocks');
    const sequence = this.#segments.sequenceMax + 1;
    const nextPhysical = this.#segments.freeAfter(physical, physical);
    this.#segments.use(physical, sequence);
    this.#chain = { sequence, physical, checksum: 0, nextPhysical, end: 0 };
    this.#unitSlot = 0;
    this.#unitChecksum = 0;
    this.#count = 0;
    this.#summed = 0;
    this.#chain.checksum = this.#writeUnit(UNIT.segment, (block) =>
      writeSegmentBody(block, {
        nonce: this.#superblock.nonce,
        physical,
        nextPhysical,
        previousSequence: before.sequence,
        previousPhysical: before.physical,
        previousChecksum: before.checksum,
        previousEnd: end,
        wallMs: this.wallMs,
      }),
    );
    this.#segmentsSince++;
    const due = !this.#mounted || !linked || this.#segmentsSince >= SUPERBLOCK_INTERVAL;
    this.#mounted = true;
    if (due) this.#writeSuperblock();
  }

  #writeSuperblock(): void {
    const tableSlot = this.#slot;
    const tableBlocks = this.#segments.tableBlocks;
    const page = new Uint8Array(PAGE_BYTES);
    let tableChecksum = 0;
    for (let index = 0; index < tableBlocks; ) {
      this.#unitSlot = this.#slot;
      for (; index < tableBlocks && this.#count < UNIT_BLOCKS_MAX; index++) {
        this.#segments.writeTableBlock(index, page);
        this.append(tableNumber(index), page);
      }
      const checksum = this.#writeUnit(UNIT.table);
      if (tableChecksum === 0) tableChecksum = checksum;
    }
    this.#flush(this.#slot);
    const superblock: Superblock = {
      ...this.#superblock,
      number: this.#superblock.number + 1,
      writtenMs: this.wallMs,
      segmentCount: this.#segments.count,
      mount: this.#mount,
      salt: this.#salt,
      startSequence: this.#chain.sequence,
      startPhysical: this.#chain.physical,
      startChecksum: this.#chain.checksum,
      tablePhysical: this.#chain.physical,
      tableSlot,
      tableChecksum,
      tableBlocks,
    };
    const block = this.#storage.allocate(PAGE_BYTES);
    storeSuperblock(this.#storage, block, superblock);
    this.totals.bytes += 2 * PAGE_BYTES;
    this.#superblock = superblock;
    this.#segmentsSince = 0;
    this.superblocksWritten++;
    this.protectedSequence = this.#newestProtects;
    this.#newestProtects = Math.min(
      this.#chain.sequence,
      sequenceOf(this.#lastPoint.address),
      sequenceOf(this.#lastCommit),
    );
    const { segmentBytes } = this.#segments;
    for (const physical of this.#segments.release(superblock.number)) {
      // Nobody who starts from this superblock or the one before looks there.
      this.#storage.discard(physical * segmentBytes, segmentBytes);
    }
  }
}
