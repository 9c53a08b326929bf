/**
 * A journal's storage in a file, in a partition of an image file, or on a block device.
 *
 * With an aligned allocator (the native addon has one) the file is opened O_DIRECT: what is read
 * was on the medium and not in a cache. Without one reads and writes are buffered; flush() is
 * fdatasync either way. A writer is alone: block devices are opened O_EXCL, which also refuses
 * mounted ones; files are locked by the function given (an open file description lock, which QEMU
 * honours too). Without that function a file somebody else holds such a lock on is still noticed
 * and refused.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  writeSync,
} from 'node:fs';
import { basename } from 'node:path';
import { assert } from '../base/assert.ts';
import { viewOf } from '../base/bytes.ts';
import { PAGE_BYTES, type Storage } from '../store/storage.ts';
import { StoreError } from '../store/store-error.ts';
import { hasJournalMagic } from '../store/superblock.ts';
import type { Addon, NativeWriter } from './addon.ts';

export interface JournalFileOptions {
  write: boolean;
  /**
   * Where the journal begins; default: at once, or at partition 4 when there is a partition table.
   */
  baseBytes?: number;
  /** Where it ends after that; default: the end of the partition, file or device. */
  sizeBytes?: number;
  /** Make the file anew (it must not be a device) with that many bytes. */
  createBytes?: number;
  /** Buffers for O_DIRECT, aligned to 4096 bytes. */
  allocateAligned?: (bytes: number) => Uint8Array;
  /** Takes an exclusive lock on the open file; false when somebody else has one. */
  lock?: (fd: number) => boolean;
  /** Writes that overlap with what the caller does next, and hints to the medium. */
  native?: Pick<Addon, 'openWriter' | 'startWrite' | 'finishWrite' | 'discard'>;
}

/** What of the addon a journal's file uses. */
export type JournalAddon = Pick<Addon, 'alignedBuffer' | 'lockFile'> &
  NonNullable<JournalFileOptions['native']>;

const JOURNAL_PARTITION = 4;
const SECTOR_BYTES = 512;

export class JournalFile implements Storage {
  readonly path: string;
  /** Offset of the journal in the file or device. */
  readonly baseBytes: number;
  readonly sizeBytes: number;
  /** Whether reads and writes bypass the page cache. */
  readonly direct: boolean;
  readonly #fd: number;
  readonly #allocate: (bytes: number) => Uint8Array;
  readonly #native: JournalFileOptions['native'];
  #writer: NativeWriter | null = null;
  /** What the writer is writing: kept alive, and unchanged, until it is done. */
  #inFlight: Uint8Array | null = null;
  #refused: Error | null = null;

  constructor(path: string, options: JournalFileOptions) {
    const { fd, direct } = openFile(path, options);
    this.path = path;
    this.direct = direct;
    this.#fd = fd;
    this.#native = options.native;
    this.#allocate = options.allocateAligned ?? ((bytes) => new Uint8Array(bytes));
    try {
      claim(path, fd, options);
      if (options.createBytes !== undefined) {
        // Through zero: nothing of an older journal may be left behind.
        ftruncateSync(fd, 0);
        ftruncateSync(fd, options.createBytes);
      }
      const whole = fileBytes(path, fd);
      const found =
        options.baseBytes === undefined && options.createBytes === undefined
          ? findJournal(fd, this.#allocate(PAGE_BYTES), whole)
          : { baseBytes: options.baseBytes ?? 0, sizeBytes: whole - (options.baseBytes ?? 0) };
      this.baseBytes = found.baseBytes;
      const sizeBytes = Math.min(found.sizeBytes, options.sizeBytes ?? Number.POSITIVE_INFINITY);
      this.sizeBytes = Math.max(0, sizeBytes - (sizeBytes % PAGE_BYTES));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** The open file, for those who read beside the journal (pager, crash handler). */
  get fd(): number {
    return this.#fd;
  }

  read(offset: number, into: Uint8Array): void {
    this.#check(offset, into.length);
    this.#finish();
    for (let done = 0; done < into.length; ) {
      const count = readSync(
        this.#fd,
        into,
        done,
        into.length - done,
        this.#position(offset, done),
      );
      if (count === 0)
        throw new Error(`read at byte ${offset + done}: found the end of ${this.path}`);
      done += count;
    }
  }

  write(offset: number, from: Uint8Array): void {
    this.#check(offset, from.length);
    this.settle();
    for (let done = 0; done < from.length; ) {
      done += writeSync(this.#fd, from, done, from.length - done, this.#position(offset, done));
    }
  }

  writeBehind(offset: number, from: Uint8Array): void {
    if (!this.#native) return this.write(offset, from);
    this.#check(offset, from.length);
    this.settle();
    this.#writer ??= this.#native.openWriter(this.#fd);
    this.#inFlight = from;
    this.#native.startWrite(this.#writer, from, this.#position(offset, 0));
  }

  flush(): void {
    this.settle();
    fdatasyncSync(this.#fd);
  }

  discard(offset: number, bytes: number): void {
    this.#check(offset, bytes);
    this.#native?.discard(this.#fd, this.#position(offset, 0), bytes);
  }

  settle(): void {
    this.#finish();
    if (this.#refused) throw this.#refused;
  }

  close(): void {
    this.#finish();
    closeSync(this.#fd);
  }

  /** Waits for the write in flight; a refusal is kept for whoever writes or flushes next. */
  #finish(): void {
    if (!this.#inFlight || !this.#writer) return;
    this.#inFlight = null;
    try {
      this.#native?.finishWrite(this.#writer);
    } catch (error) {
      this.#refused = error as Error;
    }
  }

  allocate(bytes: number): Uint8Array {
    return this.#allocate(bytes);
  }

  #position(offset: number, done: number): number {
    return this.baseBytes + offset + done;
  }

  #check(offset: number, bytes: number): void {
    assert(offset % PAGE_BYTES === 0 && bytes % PAGE_BYTES === 0, 'transfers are whole pages');
    assert(offset >= 0 && offset + bytes <= this.sizeBytes, 'transfers stay in the journal');
  }
}

/**
 * Opens a journal's file with what the native addon offers: O_DIRECT and locks that QEMU honours.
 */
export function openJournalFile(
  path: string,
  options: Omit<JournalFileOptions, 'allocateAligned' | 'lock' | 'native'> & {
    addon?: JournalAddon | null;
  },
): JournalFile {
  const { addon, ...rest } = options;
  if (!addon) return new JournalFile(path, rest);
  return new JournalFile(path, {
    ...rest,
    allocateAligned: (bytes) => new Uint8Array(addon.alignedBuffer(bytes)),
    lock: (fd) => addon.lockFile(fd),
    native: addon,
  });
}

function openFile(path: string, options: JournalFileOptions): { fd: number; direct: boolean } {
  const create = options.createBytes === undefined ? 0 : constants.O_CREAT;
  const access = options.write ? constants.O_RDWR | create : constants.O_RDONLY;
  const exclusive = options.write && isBlockDevice(path) ? constants.O_EXCL : 0;
  const flags = access | exclusive;
  try {
    if (options.allocateAligned) {
      try {
        return { fd: openSync(path, flags | constants.O_DIRECT, 0o644), direct: true };
      } catch (error) {
        // Some file systems (tmpfs) do not know O_DIRECT.
        if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
      }
    }
    return { fd: openSync(path, flags, 0o644), direct: false };
  } catch (error) {
    throw openError(path, error as NodeJS.ErrnoException);
  }
}

function openError(path: string, error: NodeJS.ErrnoException): StoreError {
  const reasons: Record<string, [StoreError['code'], string]> = {
    EBUSY: ['JOURNAL_LOCKED', 'it is mounted or in use by another program; stop that first'],
    ENOENT: ['NOT_A_JOURNAL', 'there is no such file'],
    EISDIR: ['NOT_A_JOURNAL', 'it is a directory, wanted a file or block device'],
    EACCES: ['IO_FAILED', 'permission is denied; run as a user who may use it'],
    EPERM: ['IO_FAILED', 'permission is denied; run as a user who may use it'],
    EROFS: ['IO_FAILED', 'it is read-only'],
  };
  const [code, reason] = reasons[error.code ?? ''] ?? ['IO_FAILED', error.message];
  return new StoreError(code, `Cannot open journal "${path}": ${reason}`, error);
}

/** Makes sure that this is the only writer. */
function claim(path: string, fd: number, options: JournalFileOptions): void {
  if (!options.write) return;
  const free = options.lock ? options.lock(fd) : !lockedElsewhere(fd);
  if (free) return;
  throw new StoreError(
    'JOURNAL_LOCKED',
    `Cannot open journal "${path}": another program is using it; stop that first`,
  );
}

/** Whether the kernel's list of locks names this file. */
function lockedElsewhere(fd: number): boolean {
  const { dev, ino } = fstatSync(fd);
  const major = ((dev >>> 8) & 0xfff).toString(16).padStart(2, '0');
  const minor = ((dev & 0xff) | ((dev >>> 12) & 0xfff00)).toString(16).padStart(2, '0');
  try {
    return readFileSync('/proc/locks', 'utf8').includes(` ${major}:${minor}:${ino} `);
  } catch {
    return false;
  }
}

function isBlockDevice(path: string): boolean {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const block = fstatSync(fd).isBlockDevice();
    closeSync(fd);
    return block;
  } catch {
    return false;
  }
}

function fileBytes(path: string, fd: number): number {
  const found = fstatSync(fd);
  if (found.isDirectory() || found.isCharacterDevice() || found.isFIFO()) {
    throw new StoreError(
      'NOT_A_JOURNAL',
      `Cannot open journal "${path}": found no file or block device there`,
    );
  }
  if (!found.isBlockDevice()) return found.size;
  const name = basename(realpathSync(path));
  return Number(readFileSync(`/sys/class/block/${name}/size`, 'utf8')) * SECTOR_BYTES;
}

/** Finds the journal: at the beginning, or in partition 4 of a master boot record. */
function findJournal(
  fd: number,
  block: Uint8Array,
  wholeBytes: number,
): { baseBytes: number; sizeBytes: number } {
  const whole = { baseBytes: 0, sizeBytes: wholeBytes };
  if (wholeBytes < PAGE_BYTES) return whole;
  readSync(fd, block, 0, PAGE_BYTES, 0);
  if (hasJournalMagic(block)) return whole;
  const partition = readPartition(block, JOURNAL_PARTITION);
  if (partition === null) return whole;
  // An image that was cut off ends before its table says.
  const { baseBytes, sizeBytes } = partition;
  return { baseBytes, sizeBytes: Math.max(0, Math.min(sizeBytes, wholeBytes - baseBytes)) };
}

/** Place and size of a primary partition in a master boot record, or null. */
export function readPartition(
  block: Uint8Array,
  number: number,
): { baseBytes: number; sizeBytes: number } | null {
  const view = viewOf(block);
  if (view.getUint16(510, true) !== 0xaa55) return null;
  const entry = 446 + 16 * (number - 1);
  const first = view.getUint32(entry + 8, true);
  const sectors = view.getUint32(entry + 12, true);
  if (first === 0 || sectors === 0) return null;
  return { baseBytes: first * SECTOR_BYTES, sizeBytes: sectors * SECTOR_BYTES };
}
