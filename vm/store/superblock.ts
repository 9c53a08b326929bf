/**
 * Superblocks: where to begin reading a journal. Two rings of eight blocks, far apart; number n
 * lies in block n mod 8 of both. Written at mount and every 64 segments, ring A first, a flush
 * between.
 *
 *    0 16 bytes "Palimpsest" and zeros   16 u32 format version   20 u32 checksum without this field
 *   24 u64 number                        32 16 bytes journal id (zeros: not yet given)
 *   48 8 bytes format nonce              56 f64 formatted, wall ms     64 f64 written, wall ms
 *   72 u64 partition bytes               80 u32 segment bytes          84 u32 segments, regions included
 *   88 u32 mount   92 u32 salt           96 u32 sequence, 100 u32 physical index, 104 u32 header
 *  checksum of the start segment        108 u32 physical index, 112 u32 slot, 116 u32 header checksum
 *  of the first segment table unit      120 u32 table blocks
 *
 * A superblock is valid when magic, checksum and version match, it lies in the block its number
 * names, and its sizes are possible. A power cut between the two rings leaves one ring newer: the
 * newest valid one of all sixteen counts, and an older one leads to the same end through the chain.
 */
import { assert } from '../base/assert.ts';
import { getUint64, setUint64, viewOf } from '../base/bytes.ts';
import {
  FIRST_SEGMENT,
  FORMAT_VERSION,
  headerChecksum,
  RING_BLOCKS,
  SEGMENT_BYTES_MAX,
  SEGMENT_BYTES_MIN,
} from './format.ts';
import { readPatiently } from './reading.ts';
import { PAGE_BYTES, type Storage } from './storage.ts';
import { StoreError } from './store-error.ts';

const MAGIC = new TextEncoder().encode('Palimpsest\0\0\0\0\0\0');
assert(MAGIC.length === 16, 'magic length');

export interface Superblock {
  number: number;
  id: Uint8Array;
  nonce: Uint8Array;
  formattedMs: number;
  writtenMs: number;
  sizeBytes: number;
  segmentBytes: number;
  segmentCount: number;
  mount: number;
  salt: number;
  startSequence: number;
  startPhysical: number;
  startChecksum: number;
  tablePhysical: number;
  tableSlot: number;
  tableChecksum: number;
  tableBlocks: number;
}

/**
 * Whether a first block of a partition looks like ours, valid or not. For finding the partition.
 */
export function hasJournalMagic(block: Uint8Array): boolean {
  return MAGIC.every((byte, index) => block[index] === byte);
}

/** Fills a block with a superblock. */
export function writeSuperblock(block: Uint8Array, value: Superblock): void {
  block.fill(0);
  const view = viewOf(block);
  block.set(MAGIC, 0);
  view.setUint32(16, FORMAT_VERSION, true);
  setUint64(view, 24, value.number);
  block.set(value.id, 32);
  block.set(value.nonce, 48);
  view.setFloat64(56, value.formattedMs, true);
  view.setFloat64(64, value.writtenMs, true);
  setUint64(view, 72, value.sizeBytes);
  const words = [
    value.segmentBytes,
    value.segmentCount,
    value.mount,
    value.salt,
    value.startSequence,
    value.startPhysical,
    value.startChecksum,
    value.tablePhysical,
    value.tableSlot,
    value.tableChecksum,
    value.tableBlocks,
  ];
  for (const [index, word] of words.entries()) view.setUint32(80 + 4 * index, word, true);
  view.setUint32(20, headerChecksum(block, 20), true);
}

/** The superblock in a block; 'foreign', 'damaged' or the version number of another format. */
export function readSuperblock(block: Uint8Array): Superblock | 'foreign' | 'damaged' | number {
  if (!hasJournalMagic(block)) return 'foreign';
  const view = viewOf(block);
  const version = view.getUint32(16, true);
  if (headerChecksum(block, 20) !== view.getUint32(20, true)) {
    return version === FORMAT_VERSION ? 'damaged' : version;
  }
  if (version !== FORMAT_VERSION) return version;
  const word = (index: number): number => view.getUint32(80 + 4 * index, true);
  const value: Superblock = {
    number: getUint64(view, 24),
    id: block.slice(32, 48),
    nonce: block.slice(48, 56),
    formattedMs: view.getFloat64(56, true),
    writtenMs: view.getFloat64(64, true),
    sizeBytes: getUint64(view, 72),
    segmentBytes: word(0),
    segmentCount: word(1),
    mount: word(2),
    salt: word(3),
    startSequence: word(4),
    startPhysical: word(5),
    startChecksum: word(6),
    tablePhysical: word(7),
    tableSlot: word(8),
    tableChecksum: word(9),
    tableBlocks: word(10),
  };
  return possible(value) ? value : 'damaged';
}

/** Writes a superblock into both rings; durable on return. */
export function storeSuperblock(storage: Storage, block: Uint8Array, value: Superblock): void {
  writeSuperblock(block, value);
  const offset = (value.number % RING_BLOCKS) * PAGE_BYTES;
  storage.write(offset, block);
  storage.flush();
  storage.write(value.segmentBytes + offset, block);
  storage.flush();
}

export interface FoundSuperblocks {
  /** Valid ones, newest first, without doubles. */
  valid: Superblock[];
  /** Blocks of the rings that carry our magic but cannot be used. */
  damaged: number;
}

/** Reads both rings. Throws NOT_A_JOURNAL, WRONG_VERSION or JOURNAL_DAMAGED when none is valid. */
export function findSuperblocks(storage: Storage): FoundSuperblocks {
  const seen = { damaged: 0, version: -1 };
  const found = new Map<number, Superblock>();
  readRing(storage, 0, found, seen);
  const first = [...found.values()][0];
  if (first) readRing(storage, first.segmentBytes, found, seen);
  else {
    // Ring A is gone: ring B lies at one of the possible segment sizes.
    for (let offset = SEGMENT_BYTES_MIN; offset <= SEGMENT_BYTES_MAX; offset *= 2) {
      readRing(storage, offset, found, seen);
    }
  }
  const valid = [...found.values()].sort((a, b) => b.number - a.number);
  if (valid.length > 0) return { valid, damaged: seen.damaged };
  if (seen.version >= 0) {
    throw new StoreError(
      'WRONG_VERSION',
      `Cannot open journal: its format version is ${seen.version}, this program reads ` +
        `version ${FORMAT_VERSION}; use the program that wrote it`,
    );
  }
  if (seen.damaged > 0) {
    throw new StoreError(
      'JOURNAL_DAMAGED',
      `Cannot open journal: none of its ${seen.damaged} superblocks is intact; ` +
        'try verify --salvage to copy what is left to another disk',
    );
  }
  throw new StoreError(
    'NOT_A_JOURNAL',
    'Cannot open journal: found no superblock, wanted a partition or file with a journal',
  );
}

function readRing(
  storage: Storage,
  ringOffset: number,
  found: Map<number, Superblock>,
  seen: { damaged: number; version: number },
): void {
  const bytes = RING_BLOCKS * PAGE_BYTES;
  if (ringOffset + bytes > storage.sizeBytes) return;
  const ring = storage.allocate(bytes);
  const readable = readPatiently(storage, ringOffset, ring);
  for (let index = 0; index < RING_BLOCKS; index++) {
    const block = ring.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES);
    // After a failed read of the ring each block gets a chance of its own.
    if (!readable && !readPatiently(storage, ringOffset + index * PAGE_BYTES, block)) {
      seen.damaged++;
      continue;
    }
    const result = readSuperblock(block);
    if (result === 'foreign') continue;
    if (result === 'damaged') seen.damaged++;
    else if (typeof result === 'number') seen.version = result;
    else if (result.number % RING_BLOCKS !== index) seen.damaged++;
    else if (ringOffset !== 0 && ringOffset !== result.segmentBytes) seen.damaged++;
    else found.set(result.number, result);
  }
}

function possible(value: Superblock): boolean {
  const { segmentBytes, segmentCount } = value;
  return (
    Number.isSafeInteger(value.number) &&
    Number.isSafeInteger(value.sizeBytes) &&
    segmentBytes >= SEGMENT_BYTES_MIN &&
    segmentBytes <= SEGMENT_BYTES_MAX &&
    (segmentBytes & (segmentBytes - 1)) === 0 &&
    segmentCount > FIRST_SEGMENT &&
    segmentCount * segmentBytes <= value.sizeBytes &&
    value.startPhysical >= FIRST_SEGMENT &&
    value.startPhysical < segmentCount &&
    value.tablePhysical >= FIRST_SEGMENT &&
    value.tablePhysical < segmentCount &&
    value.tableSlot < segmentBytes / PAGE_BYTES
  );
}
