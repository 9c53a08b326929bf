/**
 * A storage in memory: for tests, and for throwaway overlays that must not touch a disk. Sparse:
 * only chunks that were written take memory.
 */
import { assert } from '../base/assert.ts';
import { PAGE_BYTES, type Storage } from './storage.ts';

const CHUNK_BYTES = 64 * 1024;

export class MemoryStorage implements Storage {
  sizeBytes: number;
  readonly #chunks = new Map<number, Uint8Array>();

  constructor(sizeBytes: number) {
    assert(sizeBytes % PAGE_BYTES === 0, 'a size in pages');
    this.sizeBytes = sizeBytes;
  }

  /** Copies bytes out; what was never written is zero. */
  read(offset: number, into: Uint8Array): void {
    this.#each(offset, into.length, (chunk, at, from, length) => {
      const found = this.#chunks.get(chunk);
      if (found) into.set(found.subarray(at, at + length), from);
      else into.fill(0, from, from + length);
    });
  }

  /** Copies bytes in. */
  write(offset: number, from: Uint8Array): void {
    this.#each(offset, from.length, (chunk, at, begin, length) => {
      let found = this.#chunks.get(chunk);
      if (!found) {
        found = new Uint8Array(CHUNK_BYTES);
        this.#chunks.set(chunk, found);
      }
      found.set(from.subarray(begin, begin + length), at);
    });
  }

  /** Copies bytes in at once. */
  writeBehind(offset: number, from: Uint8Array): void {
    this.write(offset, from);
  }

  /** Nothing is ever being written. */
  settle(): void {}

  /** Gives whole chunks of memory back. */
  discard(offset: number, bytes: number): void {
    const end = Math.floor((offset + bytes) / CHUNK_BYTES);
    for (let chunk = Math.ceil(offset / CHUNK_BYTES); chunk < end; chunk++) {
      this.#chunks.delete(chunk);
    }
  }

  /** Memory has nothing to flush. */
  flush(): void {}

  /** Memory has nothing to give back. */
  close(): void {}

  /** Any buffer will do. */
  allocate(bytes: number): Uint8Array {
    return new Uint8Array(bytes);
  }

  #each(
    offset: number,
    bytes: number,
    visit: (chunk: number, at: number, from: number, length: number) => void,
  ): void {
    assert(offset % PAGE_BYTES === 0 && bytes % PAGE_BYTES === 0, 'whole pages');
    assert(offset >= 0 && offset + bytes <= this.sizeBytes, 'within the storage');
    for (let done = 0; done < bytes; ) {
      const at = (offset + done) % CHUNK_BYTES;
      const length = Math.min(CHUNK_BYTES - at, bytes - done);
      visit((offset + done - at) / CHUNK_BYTES, at, done, length);
      done += length;
    }
  }
}
