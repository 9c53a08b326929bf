/**
 * The port a disk implements for the journal.
 *
 * Rules: offsets and lengths are multiples of PAGE_BYTES; buffers come from allocate(), which gives
 * them the alignment the medium wants. A write may be torn, lost or reordered until flush()
 * returns; what was written before a flush that returned is on the medium. read() and write()
 * transfer everything or throw. Nothing here is asynchronous: the journal runs in a thread of its
 * own.
 */
export const PAGE_BYTES = 4096;

export interface Storage {
  /** Usable bytes, a multiple of PAGE_BYTES. */
  readonly sizeBytes: number;
  /** Fills `into` from `offset`. Throws when the medium cannot read there. */
  read(offset: number, into: Uint8Array): void;
  /** Writes all of `from` at `offset`. Throws when the medium refuses. */
  write(offset: number, from: Uint8Array): void;
  /** Returns when everything written so far survives a power cut. */
  flush(): void;
  /** Gives the medium back, lock included. */
  close(): void;
  /** A zeroed buffer that read() and write() accept. */
  allocate(bytes: number): Uint8Array;
}
