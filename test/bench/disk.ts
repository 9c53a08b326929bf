/**
 * Files as benchmarks need them: already written from end to end, so that neither side pays for
 * allocating blocks; opened past the page cache; counted; and sparse ones for journals larger than
 * a disk has room for.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { BuildError } from '../../build/lib/failure.ts';
import { assert } from '../../vm/base/assert.ts';
import { type Addon, loadAddon } from '../../vm/host/addon.ts';
import { openJournalFile } from '../../vm/host/storage-file.ts';
import { Journal, type OpenOptions } from '../../vm/store/journal.ts';
import { PAGE_BYTES, type Storage } from '../../vm/store/storage.ts';

export const MIB = 1024 * 1024;
/** One transfer of a sequential copy, ours and everybody's. */
export const TRANSFER_BYTES = MIB;

/** A file opened past the page cache, for raw transfers. */
export class RawFile {
  readonly #fd: number;
  readonly #addon: Addon = loadAddon();

  constructor(path: string) {
    try {
      this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_DIRECT, 0o644);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
      throw new BuildError(
        'USAGE',
        `Cannot measure in "${dirname(path)}": its file system does not know O_DIRECT; ` +
          'name a folder on a disk with --dir',
      );
    }
  }

  /** A buffer that this file can be read into and written from. */
  buffer(bytes: number): Uint8Array {
    return new Uint8Array(this.#addon.alignedBuffer(bytes));
  }

  /** Writes all of `from` in one call. */
  write(offset: number, from: Uint8Array): void {
    const count = writeSync(this.#fd, from, 0, from.length, offset);
    assert(count === from.length, 'a whole write');
  }

  /** Fills `into` in one call. */
  read(offset: number, into: Uint8Array): void {
    const count = readSync(this.#fd, into, 0, into.length, offset);
    assert(count === into.length, 'a whole read');
  }

  /** fdatasync. */
  flush(): void {
    fdatasyncSync(this.#fd);
  }

  /** Everything, the file's own description too. */
  sync(): void {
    fsyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Makes a file whose every block is written and flushed. */
export function writtenFile(path: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(dirname(path));
  if (bavail * bsize < bytes * 1.1) {
    throw new BuildError(
      'USAGE',
      `Cannot make "${path}": it needs ${Math.ceil(bytes / MIB)} MiB, its file system has ` +
        `${Math.floor((bavail * bsize) / MIB)} MiB free; name another folder with --dir`,
    );
  }
  const file = new RawFile(path);
  const chunk = file.buffer(8 * MIB);
  randomBytes(PAGE_BYTES).copy(chunk);
  for (let at = PAGE_BYTES; at < chunk.length; at *= 2) chunk.copyWithin(at, 0, at);
  for (let at = 0; at < bytes; at += chunk.length) {
    file.write(at, chunk.subarray(0, Math.min(chunk.length, bytes - at)));
  }
  file.sync();
  file.close();
}

/** A storage that passes everything on and counts it. */
export class CountingStorage implements Storage {
  bytesWritten = 0;
  /** Bytes of reads of more than a block: of stretches of segments, not of nodes. */
  stretchBytesRead = 0;
  readonly #inner: Storage;

  constructor(inner: Storage) {
    this.#inner = inner;
  }

  get sizeBytes(): number {
    return this.#inner.sizeBytes;
  }

  read(offset: number, into: Uint8Array): void {
    if (into.length > PAGE_BYTES) this.stretchBytesRead += into.length;
    this.#inner.read(offset, into);
  }

  write(offset: number, from: Uint8Array): void {
    this.bytesWritten += from.length;
    this.#inner.write(offset, from);
  }

  writeBehind(offset: number, from: Uint8Array): void {
    this.bytesWritten += from.length;
    this.#inner.writeBehind(offset, from);
  }

  settle(): void {
    this.#inner.settle();
  }

  discard(offset: number, bytes: number): void {
    this.#inner.discard(offset, bytes);
  }

  flush(): void {
    this.#inner.flush();
  }

  close(): void {
    this.#inner.close();
  }

  allocate(bytes: number): Uint8Array {
    return this.#inner.allocate(bytes);
  }
}

const ZEROS = new Uint8Array(PAGE_BYTES);

/**
 * A storage on a fresh sparse file that leaves holes where zeros are to be written: what is read
 * back is the same, so a journal of zero pages is a whole and proper one of any size. Nothing is
 * flushed; `failAfterBytes` makes it fail as if the power went, when that many have been taken.
 */
export class SparseStorage implements Storage {
  failAfterBytes = Number.POSITIVE_INFINITY;
  readonly #inner: Storage;

  constructor(inner: Storage) {
    this.#inner = inner;
  }

  get sizeBytes(): number {
    return this.#inner.sizeBytes;
  }

  read(offset: number, into: Uint8Array): void {
    this.#inner.read(offset, into);
  }

  write(offset: number, from: Uint8Array): void {
    this.failAfterBytes -= from.length;
    if (this.failAfterBytes < 0) throw new Error('the power went');
    let begin = 0;
    while (begin < from.length) {
      while (begin < from.length && isZero(from, begin)) begin += PAGE_BYTES;
      let end = begin;
      while (end < from.length && !isZero(from, end)) end += PAGE_BYTES;
      if (end > begin) this.#inner.write(offset + begin, from.subarray(begin, end));
      begin = end;
    }
  }

  writeBehind(offset: number, from: Uint8Array): void {
    this.write(offset, from);
  }

  settle(): void {}

  discard(): void {}

  flush(): void {}

  close(): void {
    this.#inner.close();
  }

  allocate(bytes: number): Uint8Array {
    return this.#inner.allocate(bytes);
  }
}

function isZero(bytes: Uint8Array, at: number): boolean {
  return Buffer.compare(bytes.subarray(at, at + PAGE_BYTES), ZEROS) === 0;
}

/** Opens a file for a journal, past the page cache; it must be there unless `createBytes` is given. */
export function journalStorage(path: string, createBytes?: number): Storage {
  const file = openJournalFile(path, {
    write: true,
    baseBytes: 0,
    addon: loadAddon(),
    ...(createBytes === undefined ? {} : { createBytes }),
  });
  assert(file.direct, 'O_DIRECT');
  return file;
}

/** Formats a journal in `storage` and opens it for writing. */
export function freshJournal(storage: Storage, options: Partial<OpenOptions> = {}): Journal {
  Journal.format(storage, { wallClockMs: Date.now(), random: randomBytes });
  return openJournal(storage, options);
}

/** Opens the journal in `storage` for writing, as the store's thread does. */
export function openJournal(storage: Storage, options: Partial<OpenOptions> = {}): Journal {
  return Journal.open(storage, {
    write: true,
    wallClockMs: () => Date.now(),
    random: (count) => randomBytes(count),
    monotonicMs: () => performance.now(),
    blockSums: loadAddon().sumBlocks,
    ...options,
  });
}
