/**
 * A storage that never writes: blocks written stay in memory over a base that is only read. For a
 * look, a rehearsal, an evaluation whose effects nobody keeps.
 */
import { assert } from '../base/assert.ts';
import { PAGE_BYTES, type Storage } from '../store/storage.ts';

export class ScratchStorage implements Storage {
  readonly sizeBytes: number;
  readonly #base: Storage;
  readonly #blocks = new Map<number, Uint8Array>();

  /** `base` is read, and closed with this. */
  constructor(base: Storage) {
    this.#base = base;
    this.sizeBytes = base.sizeBytes;
  }

  read(offset: number, into: Uint8Array): void {
    this.#base.read(offset, into);
    for (let at = 0; at < into.length; at += PAGE_BYTES) {
      const block = this.#blocks.get(offset + at);
      if (block !== undefined) into.set(block, at);
    }
  }

  write(offset: number, from: Uint8Array): void {
    assert(offset % PAGE_BYTES === 0 && from.length % PAGE_BYTES === 0, 'unaligned write');
    assert(offset + from.length <= this.sizeBytes, 'write beyond the end');
    for (let at = 0; at < from.length; at += PAGE_BYTES) {
      this.#blocks.set(offset + at, from.slice(at, at + PAGE_BYTES));
    }
  }

  writeBehind(offset: number, from: Uint8Array): void {
    this.write(offset, from);
  }

  settle(): void {}

  flush(): void {}

  discard(offset: number, bytes: number): void {
    for (let at = offset; at < offset + bytes; at += PAGE_BYTES) this.#blocks.delete(at);
  }

  close(): void {
    this.#blocks.clear();
    this.#base.close();
  }

  allocate(bytes: number): Uint8Array {
    return this.#base.allocate(bytes);
  }
}
