/**
 * A storage that never writes to what it is based on: blocks written go to an overlay, a nameless
 * file in the system's folder for temporary ones, at the same offsets. For a look, a rehearsal, an
 * evaluation whose effects nobody keeps. The overlay is a file and not memory so that the pager can
 * read pages back from it, too.
 */
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import { PAGE_BYTES, type Storage } from '../store/storage.ts';
import { StoreError } from '../store/store-error.ts';

/** Blocks that lie in an overlay, for a reader in another thread. */
export interface Overlay {
  /** The open file; it belongs to whoever made it. */
  readonly fd: number;
  readonly offsets: Float64Array;
}

export class ScratchStorage implements Storage {
  readonly sizeBytes: number;
  readonly #base: Storage;
  readonly #fd: number;
  readonly #ownsFile: boolean;
  readonly #written: Set<number>;

  /**
   * `base` is read, and closed with this. With `overlay` the blocks that somebody else wrote; it is
   * only for reading then. Throws a StoreError when there is no room for temporary files.
   */
  constructor(base: Storage, overlay?: Overlay) {
    this.#base = base;
    this.sizeBytes = base.sizeBytes;
    this.#fd = overlay?.fd ?? namelessFile();
    this.#ownsFile = overlay === undefined;
    this.#written = new Set(overlay?.offsets ?? []);
  }

  /** What a reader in another thread has to know. */
  get overlay(): Overlay {
    return { fd: this.#fd, offsets: Float64Array.from(this.#written) };
  }

  /** Whether the block at `offset` lies in the overlay. */
  has(offset: number): boolean {
    return this.#written.has(offset);
  }

  read(offset: number, into: Uint8Array): void {
    this.#base.read(offset, into);
    for (let at = 0; at < into.length; at += PAGE_BYTES) {
      if (!this.#written.has(offset + at)) continue;
      const count = readSync(this.#fd, into, at, PAGE_BYTES, offset + at);
      assert(count === PAGE_BYTES, 'a block of the overlay is whole');
    }
  }

  write(offset: number, from: Uint8Array): void {
    assert(this.#ownsFile, 'the overlay of somebody else');
    assert(offset % PAGE_BYTES === 0 && from.length % PAGE_BYTES === 0, 'unaligned write');
    assert(offset + from.length <= this.sizeBytes, 'write beyond the end');
    for (let done = 0; done < from.length; ) {
      done += writeSync(this.#fd, from, done, from.length - done, offset + done);
    }
    for (let at = 0; at < from.length; at += PAGE_BYTES) this.#written.add(offset + at);
  }

  writeBehind(offset: number, from: Uint8Array): void {
    this.write(offset, from);
  }

  settle(): void {}

  flush(): void {}

  discard(offset: number, bytes: number): void {
    for (let at = offset; at < offset + bytes; at += PAGE_BYTES) this.#written.delete(at);
  }

  close(): void {
    if (this.#ownsFile) closeSync(this.#fd);
    this.#base.close();
  }

  allocate(bytes: number): Uint8Array {
    return this.#base.allocate(bytes);
  }
}

/** An open file that is gone when it is closed, whatever happens. */
function namelessFile(): number {
  try {
    const dir = mkdtempSync(join(tmpdir(), 'palimpsest-'));
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    const path = join(dir, 'scratch');
    try {
      return openSync(path, flags, 0o600);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreError(
      'IO_FAILED',
      `Cannot make a temporary file for what is not kept: ${reason}; set TMPDIR to a folder with room`,
      error,
    );
  }
}
