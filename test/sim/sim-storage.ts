/**
 * A disk that can lose power: it keeps what is on the medium apart from what was written since the
 * last flush, and makes crash images in which any of that may be there, missing or torn.
 *
 * An image is a map from block number to 4096 bytes. Blocks are never changed in place, so images
 * share them.
 */
import { assert } from '../../vm/base/assert.ts';
import { PAGE_BYTES, type Storage } from '../../vm/store/storage.ts';
import type { Random } from './random.ts';

export type Image = Map<number, Uint8Array>;

export type DiskEvent = { kind: 'write'; block: number; bytes: Uint8Array } | { kind: 'flush' };

const SECTOR_BYTES = 512;
const NOTHING = new Uint8Array(PAGE_BYTES);

export interface DiskFaults {
  /** Blocks that cannot be read, with how many reads fail (Infinity = for ever). */
  unreadable?: Map<number, number>;
}

export class SimStorage implements Storage {
  readonly sizeBytes: number;
  /** Everything written and flushed since forget(), oldest first. */
  events: DiskEvent[] = [];
  /** What was on the medium at the last forget(). */
  base: Image;
  #now: Image;
  readonly #faults: DiskFaults;

  constructor(sizeBytes: number, image: Image = new Map(), faults: DiskFaults = {}) {
    this.sizeBytes = sizeBytes;
    this.base = image;
    this.#now = new Map(image);
    this.#faults = faults;
  }

  read(offset: number, into: Uint8Array): void {
    this.#check(offset, into.length);
    for (let at = 0; at < into.length; at += PAGE_BYTES) {
      const block = (offset + at) / PAGE_BYTES;
      const left = this.#faults.unreadable?.get(block) ?? 0;
      if (left > 0) {
        this.#faults.unreadable?.set(block, left - 1);
        throw new Error(`read error at block ${block}`);
      }
      into.set(this.#now.get(block) ?? NOTHING, at);
    }
  }

  write(offset: number, from: Uint8Array): void {
    this.#check(offset, from.length);
    for (let at = 0; at < from.length; at += PAGE_BYTES) {
      const block = (offset + at) / PAGE_BYTES;
      const bytes = from.slice(at, at + PAGE_BYTES);
      this.events.push({ kind: 'write', block, bytes });
      this.#now.set(block, bytes);
    }
  }

  writeBehind(offset: number, from: Uint8Array): void {
    this.write(offset, from);
  }

  settle(): void {}

  discard(): void {}

  flush(): void {
    this.events.push({ kind: 'flush' });
  }

  close(): void {}

  allocate(bytes: number): Uint8Array {
    return new Uint8Array(bytes);
  }

  /** Forgets what was flushed; what was not may still be lost, whatever was acknowledged. */
  forget(): void {
    const flushed = this.events.findLastIndex((event) => event.kind === 'flush');
    const sure = this.events.slice(0, flushed + 1);
    const base = new Map(this.base);
    for (const event of sure) if (event.kind === 'write') base.set(event.block, event.bytes);
    this.base = base;
    this.events = this.events.slice(flushed + 1);
  }

  /**
   * What is on the medium when the power goes after `count` events: everything before the last
   * flush, and of the rest what chance lets through, sector by sector or block by block.
   */
  crashImage(count: number, random: Random): Image {
    const image: Image = new Map(this.base);
    let flushed = 0;
    for (let index = 0; index < count; index++) {
      if (this.events[index]?.kind === 'flush') flushed = index;
    }
    const style = random.below(6);
    for (let index = 0; index < count; index++) {
      const event = this.events[index] as DiskEvent;
      if (event.kind === 'flush') continue;
      const sure = index < flushed;
      // Styles: 0 nothing came through, 1 everything, 2 whole blocks, 3 sectors, 4 only the last
      // write is torn, 5 all but a few blocks.
      const last = index === count - 1;
      const whole =
        sure ||
        style === 1 ||
        (style === 2 && random.chance(50)) ||
        (style === 4 && !last) ||
        (style === 5 && random.chance(90));
      if (whole) image.set(event.block, event.bytes);
      else if (style === 3 || (style === 4 && last)) {
        const before = image.get(event.block) ?? NOTHING;
        image.set(event.block, tear(before, event.bytes, random));
      }
    }
    return image;
  }

  #check(offset: number, bytes: number): void {
    assert(offset % PAGE_BYTES === 0 && bytes % PAGE_BYTES === 0 && bytes > 0, 'whole pages');
    assert(offset >= 0 && offset + bytes <= this.sizeBytes, 'within the disk');
  }
}

function tear(before: Uint8Array, after: Uint8Array, random: Random): Uint8Array {
  const torn = before.slice();
  for (let at = 0; at < PAGE_BYTES; at += SECTOR_BYTES) {
    if (random.chance(50)) torn.set(after.subarray(at, at + SECTOR_BYTES), at);
  }
  return torn;
}
