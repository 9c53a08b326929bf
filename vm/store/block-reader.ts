/**
 * Reads blocks by address and proves them: nothing leaves here whose checksum, which binds number
 * and place, does not match the one its parent holds.
 *
 * A segment that vacuum retired is no longer in the segment table once reused; the relocation tree
 * then names the new place and the new checksum. Tree nodes are kept in a bounded cache.
 */
import { pageChecksum, sequenceOf, slotOf } from './format.ts';
import type { Segments } from './segments.ts';
import { PAGE_BYTES, type Storage } from './storage.ts';
import { StoreError } from './store-error.ts';

/** Where a block is, and the checksum it must have there. Address 0 = nothing. */
export interface Pointer {
  address: number;
  checksum: number;
}

/** Nodes in each half of the cache. */
const CACHED_NODES_MAX = 2048;

export class BlockReader {
  readonly storage: Storage;
  readonly segments: Segments;
  /** Looks an address up in the relocation tree; set once the head record is known. */
  relocate: (address: number) => Pointer | null = () => null;
  /** Blocks fetched from the storage since the start; for tests and statistics. */
  reads = 0;
  #relocating = false;
  readonly #scratch: Uint8Array;
  /** The cache: nodes used lately, and those used before these. */
  #young = new Map<number, Uint8Array>();
  #old = new Map<number, Uint8Array>();

  constructor(storage: Storage, segments: Segments) {
    this.storage = storage;
    this.segments = segments;
    this.#scratch = storage.allocate(PAGE_BYTES);
  }

  /** Byte offset and checksum of a block today, or null when it is nowhere. */
  resolve(pointer: Pointer): { offsetBytes: number; checksum: number } | null {
    const here = this.segments.offsetOf(pointer.address);
    const stays = here === undefined ? null : { offsetBytes: here, checksum: pointer.checksum };
    if (
      here !== undefined &&
      !this.segments.isRetired(Math.floor(here / this.segments.segmentBytes))
    ) {
      return stays;
    }
    // The relocation tree itself is never relocated: its nodes are where they were written.
    if (this.#relocating) return stays;
    this.#relocating = true;
    let moved: Pointer | null;
    try {
      moved = this.relocate(pointer.address);
    } finally {
      this.#relocating = false;
    }
    if (moved === null) return stays;
    const there = this.segments.offsetOf(moved.address);
    return there === undefined ? null : { offsetBytes: there, checksum: moved.checksum };
  }

  /** Copies a proved block into `into`. Throws PAGE_UNREADABLE. */
  read(number: number, pointer: Pointer, into: Uint8Array): void {
    into.set(this.#fetch(number, pointer));
  }

  /** A proved tree node; callers must not change it. */
  node(number: number, pointer: Pointer): Uint8Array {
    const young = this.#young.get(pointer.address);
    if (young) return young;
    const node = this.#old.get(pointer.address) ?? this.#fetch(number, pointer).slice();
    this.keep(pointer.address, node);
    return node;
  }

  /** Puts a node that was just written or read into the cache. */
  keep(address: number, node: Uint8Array): void {
    if (this.#young.size >= CACHED_NODES_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(address, node);
  }

  /** Forgets all cached nodes, so that verify reads the medium. */
  forget(): void {
    this.#young.clear();
    this.#old.clear();
  }

  #fetch(number: number, pointer: Pointer): Uint8Array {
    const place = this.resolve(pointer);
    const name = `block ${blockName(number)} at ${addressName(pointer.address)}`;
    if (place === null) {
      throw new StoreError('PAGE_UNREADABLE', `Cannot read ${name}: its segment does not exist`);
    }
    this.reads++;
    let reason = '';
    // Read errors can pass: a second try costs nothing against losing a page.
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        this.storage.read(place.offsetBytes, this.#scratch);
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
        continue;
      }
      const found = pageChecksum(number, place.offsetBytes, this.#scratch);
      if (found === place.checksum) return this.#scratch;
      reason = `checksum is ${found.toString(16)}, wanted ${place.checksum.toString(16)}`;
    }
    throw new StoreError(
      'PAGE_UNREADABLE',
      `Cannot read ${name} (byte ${place.offsetBytes}): ${reason}; ` +
        'an earlier generation may have a good copy',
    );
  }
}

/** An address as people read it. */
export function addressName(address: number): string {
  return `${sequenceOf(address)}:${slotOf(address)}`;
}

function blockName(number: number): string {
  const space = Math.floor(number / 2 ** 40);
  return `${space}/${number % 2 ** 40}`;
}
