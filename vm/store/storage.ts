/**
 * The port a disk implements for the journal.
 *
 * Rules: offsets and lengths are multiples of PAGE_BYTES; buffers come from allocate(), which gives
 * them the alignment the medium wants. A write may be torn, lost or reordered until flush()
 * returns; what was written before a flush that returned is on the medium. read() and write()
 * transfer everything or throw. To the journal nothing here is asynchronous: it runs in a thread of
 * its own. One write may go on behind its back (writeBehind), which lets checksums and transfers of
 * large commits overlap.
 */
export const PAGE_BYTES = 4096;

export interface Storage {
  /** Usable bytes, a multiple of PAGE_BYTES. */
  readonly sizeBytes: number;
  /** Fills `into` from `offset`. Sees what writeBehind() was given. Throws when it cannot read. */
  read(offset: number, into: Uint8Array): void;
  /** Writes all of `from` at `offset`. Throws when the medium refuses. */
  write(offset: number, from: Uint8Array): void;
  /**
   * As write(), but may still be going on when it returns: `from` must stay as it is until the
   * next call of write(), writeBehind(), settle() or flush(). If the medium refuses it, that call
   * throws, and so does each later one: what was refused can not be taken for written.
   */
  writeBehind(offset: number, from: Uint8Array): void;
  /** Returns when nothing is being written. */
  settle(): void;
  /** Returns when everything written so far survives a power cut. */
  flush(): void;
  /**
   * Tells the medium that nothing there is needed any more. A hint: may do nothing, never throws;
   * afterwards anything may be read there.
   */
  discard(offset: number, bytes: number): void;
  /** Gives the medium back, lock included. */
  close(): void;
  /** A zeroed buffer that read() and write() accept. */
  allocate(bytes: number): Uint8Array;
}
