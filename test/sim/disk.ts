/**
 * A disk that can lose power, lie and break: the only thing the simulator replaces.
 *
 * A medium is an array of blocks that are never changed in place, so media share them, and two
 * media agree on a block exactly when they hold the same object. Every block carries a 64-bit hash
 * of its bytes; the hash of a medium is the exclusive or of hash and place of all blocks, so it
 * follows from the blocks that differ. A block never written is null and counts as zeros.
 */
import { assert } from '../../vm/base/assert.ts';
import { PAGE_BYTES, type Storage } from '../../vm/store/storage.ts';

/** 4096 bytes that never change; `proved` is what the checker found them to be (checker.ts). */
export class Block {
  readonly bytes: Uint8Array;
  readonly low: number;
  readonly high: number;
  proved: { page: number; offsetBytes: number; checksum: number; stamp: number } | null = null;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, PAGE_BYTES / 4);
    let low = 0x2545f491;
    let high = 0x6c078965;
    let any = 0;
    for (let index = 0; index < words.length; index++) {
      const word = words[index] as number;
      any |= word;
      low = Math.imul(low ^ word, 0x5bd1e995);
      low ^= low >>> 15;
      high = Math.imul(high + word, 0x01000193) ^ (high >>> 13);
    }
    // Zeros hash as a block never written does.
    this.low = any === 0 ? 0 : low;
    this.high = any === 0 ? 0 : high;
  }
}

/** Put where a read must fail. As no other medium holds it, it is never taken for proved. */
export class Unreadable extends Block {
  /** Reads that still fail. */
  failures: number;

  constructor(under: Block | null, failures: number) {
    super(under?.bytes ?? NOTHING);
    this.failures = failures;
  }
}

export type Slot = Block | null;

const NOTHING = new Uint8Array(PAGE_BYTES);
/** What is read where the medium was told that nothing is needed any more. */
const GARBAGE = new Block(new Uint8Array(PAGE_BYTES).fill(0xa5));

/** What is on the disk: immutable. `changed` says where it differs from the medium it came from. */
export class Medium {
  readonly blocks: readonly Slot[];
  readonly low: number;
  readonly high: number;
  readonly changed: ReadonlyMap<number, Slot>;

  private constructor(
    blocks: readonly Slot[],
    low: number,
    high: number,
    changed: ReadonlyMap<number, Slot>,
  ) {
    this.blocks = blocks;
    this.low = low;
    this.high = high;
    this.changed = changed;
  }

  /** A disk of that many bytes, never written. */
  static blank(sizeBytes: number): Medium {
    return new Medium(new Array<Slot>(sizeBytes / PAGE_BYTES).fill(null), 0, 0, new Map());
  }

  get sizeBytes(): number {
    return this.blocks.length * PAGE_BYTES;
  }

  /** A number that tells this medium from others: equal media have equal keys. */
  get key(): number {
    return (this.high & 0x1f_ffff) * 0x1_0000_0000 + (this.low >>> 0);
  }

  /** This medium with some blocks replaced. */
  with(changes: ReadonlyMap<number, Slot>): Medium {
    const blocks = this.blocks.slice();
    let { low, high } = this;
    for (const [at, block] of changes) {
      const before = blocks[at];
      assert(before !== undefined, 'a block of this disk');
      low ^= mixed(before, at, 0x85ebca6b) ^ mixed(block, at, 0x85ebca6b);
      high ^= mixed(before, at, 0xc2b2ae35) ^ mixed(block, at, 0xc2b2ae35);
      blocks[at] = block;
    }
    return new Medium(blocks, low, high, changes);
  }

  /** The same with room for more at the end. */
  grown(sizeBytes: number): Medium {
    const more = sizeBytes / PAGE_BYTES - this.blocks.length;
    const blocks = [...this.blocks, ...new Array<Slot>(more).fill(null)];
    return new Medium(blocks, this.low, this.high, new Map());
  }
}

function mixed(block: Slot, at: number, factor: number): number {
  if (block === null || (block.low | block.high) === 0) return 0;
  let mix = Math.imul(block.low ^ Math.imul(at + 1, 0x9e3779b1), factor);
  mix = Math.imul(mix ^ (mix >>> 15) ^ block.high, 0x27d4eb2f);
  return mix ^ (mix >>> 13);
}

export type DiskEvent =
  /** `count` is more than 1 only for what was discarded: anything may be read there. */
  { kind: 'write'; at: number; block: Block; count: number } | { kind: 'flush' };

/** Refuses one request: the n-th write, or the n-th flush, counted from when it was set. */
export interface Refusal {
  kind: 'write' | 'flush';
  after: number;
}

export class Disk implements Storage {
  /** Everything written and flushed since the last takeIn(), oldest first. */
  events: DiskEvent[] = [];
  /** What is surely there, and was at the last takeIn(). */
  medium: Medium;
  /** When set, notes which blocks are read. */
  touched: Uint8Array | null = null;
  refusal: Refusal | null = null;
  /** The blocks as they read now; the medium's own until something is written. */
  #now: readonly Slot[];
  #written: Slot[] | null = null;

  constructor(medium: Medium) {
    this.medium = medium;
    this.#now = medium.blocks;
  }

  get sizeBytes(): number {
    return this.medium.sizeBytes;
  }

  /** The block at a place as it reads now. */
  blockAt(at: number): Slot {
    return this.#now[at] ?? null;
  }

  read(offset: number, into: Uint8Array): void {
    this.#check(offset, into.length);
    for (let at = 0; at < into.length; at += PAGE_BYTES) {
      const index = (offset + at) / PAGE_BYTES;
      const block = this.#now[index] as Slot;
      if (this.touched) this.touched[index] = 1;
      if (block === null) into.fill(0, at, at + PAGE_BYTES);
      else {
        if (block instanceof Unreadable && block.failures-- > 0) {
          throw new Error(`read error at block ${index}`);
        }
        into.set(block.bytes, at);
      }
    }
  }

  write(offset: number, from: Uint8Array): void {
    this.#check(offset, from.length);
    if (this.#refused('write')) throw new Error('the medium refused a write');
    for (let at = 0; at < from.length; at += PAGE_BYTES) {
      const index = (offset + at) / PAGE_BYTES;
      const block = new Block(from.slice(at, at + PAGE_BYTES));
      this.events.push({ kind: 'write', at: index, block, count: 1 });
      this.#change(index, 1, block);
    }
  }

  writeBehind(offset: number, from: Uint8Array): void {
    this.write(offset, from);
  }

  settle(): void {}

  discard(offset: number, bytes: number): void {
    this.#check(offset, bytes);
    const begin = offset / PAGE_BYTES;
    const count = bytes / PAGE_BYTES;
    this.events.push({ kind: 'write', at: begin, block: GARBAGE, count });
    this.#change(begin, count, GARBAGE);
  }

  flush(): void {
    if (this.#refused('flush')) throw new Error('the medium refused a flush');
    this.events.push({ kind: 'flush' });
  }

  close(): void {}

  allocate(bytes: number): Uint8Array {
    return new Uint8Array(bytes);
  }

  /** Takes what was flushed into the medium; what was not may be lost, acknowledged or not. */
  takeIn(): void {
    const flushed = this.events.findLastIndex((event) => event.kind === 'flush');
    this.medium = this.medium.with(written(this.events.slice(0, flushed + 1)));
    this.events = this.events.slice(flushed + 1);
  }

  /** Gives the disk more room at its end. */
  grow(sizeBytes: number): void {
    const more = new Array<Slot>((sizeBytes - this.sizeBytes) / PAGE_BYTES).fill(null);
    this.medium = this.medium.grown(sizeBytes);
    this.#written = [...this.#now, ...more];
    this.#now = this.#written;
  }

  #change(at: number, count: number, block: Block): void {
    this.#written ??= this.#now.slice();
    this.#now = this.#written;
    this.#written.fill(block, at, at + count);
  }

  #refused(kind: Refusal['kind']): boolean {
    if (this.refusal?.kind !== kind) return false;
    return this.refusal.after-- === 0;
  }

  #check(offset: number, bytes: number): void {
    assert(offset % PAGE_BYTES === 0 && bytes % PAGE_BYTES === 0 && bytes > 0, 'whole pages');
    assert(offset >= 0 && offset + bytes <= this.sizeBytes, 'within the disk');
  }
}

/** Enters a write among changes of a medium. */
export function put(
  changes: Map<number, Slot>,
  { at, count, block }: { at: number; count: number; block: Block },
): void {
  for (let index = at; index < at + count; index++) changes.set(index, block);
}

/** What a list of events leaves on the disk. */
export function written(events: readonly DiskEvent[]): Map<number, Slot> {
  const changes = new Map<number, Slot>();
  for (const event of events) if (event.kind === 'write') put(changes, event);
  return changes;
}
