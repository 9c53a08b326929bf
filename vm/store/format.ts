/**
 * The bytes of the journal, part one: where things lie, addresses, checksums, unit headers.
 *
 *   region 0    offset 0                superblock ring A (8 blocks), unversioned copy A (7 blocks),
 *                                       crash block
 *   region 1    offset segmentBytes     superblock ring B, unversioned copy B
 *   segment p   offset p * segmentBytes p = 2 .. segmentCount - 1
 *
 * A segment is written once, from front to back, as units. A unit is a header block followed by 0
 * to
 * 255 payload blocks; the first unit of a segment is its segment header (no payload).
 *
 *   unit header  0 u32 magic "PUNT"      4 u32 checksum of the block without this field
 *                8 u16 kind             10 u16 zero              12 u32 payload blocks
 *               16 u32 segment sequence 20 u32 slot              24 u32 mount   28 u32 mount salt
 *               32 u32,u32 durable (sequence, slot): everything before it was flushed
 *               40 u32,u32 previous point (sequence, slot; 0,0 = none)  48 u32 its checksum
 *               52 u32 checksum of the unit header before this one in the segment (0 = none)
 *               56 u32 first four bytes of the format nonce          60 u32 zero
 *               64 block list: payload blocks times (u48 block number, u32 block checksum)
 *                  then the body of the kind
 *
 * A unit header is valid when (1) magic and checksum match, (2) sequence and slot are those of the
 * place where it was found, (3) nonce, mount and salt are those of its segment header, (4) field 52
 * is the checksum of the header before it, (5) the payload ends within the segment.
 *
 * An address is a sequence number times 65536 plus a slot. Sequence numbers start at 1 and rise; 0
 * is no address. Block numbers below 2^47 are journal pages (space times 2^40 + page); above are
 * the journal's own blocks, see below. The checksum of a block binds its number and where it lies.
 */
import { assert } from '../base/assert.ts';
import { getUint48, setUint48, viewOf } from '../base/bytes.ts';
import { checksum } from '../base/checksum.ts';
import { PAGE_BYTES } from './storage.ts';

export const FORMAT_VERSION = 2;
export const RING_BLOCKS = 8;
export const UNVERSIONED_OFFSET = RING_BLOCKS * PAGE_BYTES;
export const UNVERSIONED_BYTES = 7 * PAGE_BYTES;
/** One block in region 0 that the journal leaves alone: a dying process writes its reason there. */
export const CRASH_BLOCK_OFFSET = UNVERSIONED_OFFSET + UNVERSIONED_BYTES;
export const FIRST_SEGMENT = 2;
export const SEGMENT_BYTES_MIN = 64 * 1024;
export const SEGMENT_BYTES_MAX = 128 * 1024 * 1024;
export const SEGMENT_BYTES_DEFAULT = 4 * 1024 * 1024;
/** Segments from one superblock to the next. */
export const SUPERBLOCK_INTERVAL = 64;
/**
 * More than this unflushed is flushed before a record is written: it bounds what opening checks.
 */
export const UNFLUSHED_BYTES_MAX = 4 * 1024 * 1024;
/** Payload blocks of one unit: with its header 1 MiB, one write. */
export const UNIT_BLOCKS_MAX = 255;
export const NO_SEGMENT = 0xffff_ffff;
export const SPACE_SIZE = 2 ** 40;

assert(CRASH_BLOCK_OFFSET + PAGE_BYTES <= SEGMENT_BYTES_MIN, 'region layout');

export const UNIT = {
  segment: 1, // first of every segment
  table: 2, // a snapshot of the segment table
  pages: 3, // pages and nodes of a commit still to come, or of none
  commit: 4, // a commit record: a point
  change: 5, // a change record: a point
  moved: 6, // blocks that vacuum took along
} as const;
export type UnitKind = (typeof UNIT)[keyof typeof UNIT];

/** The journal's own block numbers: tree nodes are space 128 + 16 * level + tree. */
export function nodeNumber(tree: number, level: number, index: number): number {
  assert(tree < 16 && level >= 1 && level <= 6, 'tree and level');
  return (128 + 16 * level + tree) * SPACE_SIZE + index;
}

/** Number of the block that holds the commit record of a generation. */
export function recordNumber(generation: number): number {
  return 240 * SPACE_SIZE + generation;
}

/** Number of the n-th block of a segment table snapshot. */
export function tableNumber(index: number): number {
  return 241 * SPACE_SIZE + index;
}

/** Number of the n-th payload block of a change unit. */
export function changeNumber(index: number): number {
  return 242 * SPACE_SIZE + index;
}

/** Sequence number and slot in one number; both ways exact up to 2^48. */
export function addressOf(sequence: number, slot: number): number {
  return sequence * 0x1_0000 + slot;
}

/** The segment sequence number of an address. */
export function sequenceOf(address: number): number {
  return Math.floor(address / 0x1_0000);
}

/** The slot (block within the segment) of an address. */
export function slotOf(address: number): number {
  return address % 0x1_0000;
}

// Scratch for the 16 bytes hashed before each page; a thread has its own copy of the module.
const prefix = new Uint8Array(16);
const prefixView = viewOf(prefix);

/**
 * The checksum of a block: CRC-32 over its number (u64), its byte offset in the storage (u64) and
 * its 4096 bytes. The pager in C computes the same.
 */
export function pageChecksum(page: number, offsetBytes: number, bytes: Uint8Array): number {
  prefixView.setUint32(0, page % 0x1_0000_0000, true);
  prefixView.setUint32(4, Math.floor(page / 0x1_0000_0000), true);
  prefixView.setUint32(8, offsetBytes % 0x1_0000_0000, true);
  prefixView.setUint32(12, Math.floor(offsetBytes / 0x1_0000_0000), true);
  return checksum(bytes, checksum(prefix));
}

/**
 * Computes the checksums of blocks that lie one after the other in `bytes`, and in the storage from
 * `offsetBytes` on: into[i] is pageChecksum(numbers[i], offsetBytes + i * PAGE_BYTES, block i).
 */
export type BlockSums = (
  bytes: Uint8Array,
  numbers: Float64Array,
  offsetBytes: number,
  into: Uint32Array,
) => void;

/** BlockSums where no faster way is at hand. */
export function sumBlocks(
  bytes: Uint8Array,
  numbers: Float64Array,
  offsetBytes: number,
  into: Uint32Array,
): void {
  for (const [index, number] of numbers.entries()) {
    const at = index * PAGE_BYTES;
    into[index] = pageChecksum(number, offsetBytes + at, bytes.subarray(at, at + PAGE_BYTES));
  }
}

/**
 * The checksum of a header block, leaving out the four bytes at `fieldOffset` that will hold it.
 */
export function headerChecksum(block: Uint8Array, fieldOffset: number): number {
  const before = checksum(block.subarray(0, fieldOffset));
  return checksum(block.subarray(fieldOffset + 4, PAGE_BYTES), before);
}

const UNIT_MAGIC = 0x544e_5550; // "PUNT" in the order of the bytes
export const BLOCK_LIST_OFFSET = 64;
const BLOCK_LIST_ENTRY_BYTES = 10;

export interface UnitHeader {
  kind: UnitKind;
  /** Payload blocks after the header. */
  blocks: number;
  sequence: number;
  slot: number;
  mount: number;
  salt: number;
  /** Tells this journal from an older one in the same place. */
  nonce: number;
  durable: number;
  previousPoint: number;
  previousPointChecksum: number;
  previousUnitChecksum: number;
}

export interface ListedBlock {
  number: number;
  checksum: number;
}

/** Offset of the body in the header block of a unit with that many payload blocks. */
export function unitBodyOffset(blocks: number): number {
  return BLOCK_LIST_OFFSET + blocks * BLOCK_LIST_ENTRY_BYTES;
}

/**
 * Fills `block` (4096 zeroed bytes, the body already in place) and answers its checksum. `list` has
 * number and checksum of each payload block.
 */
export function writeUnitHeader(
  block: Uint8Array,
  header: UnitHeader,
  list: { readonly numbers: Float64Array; readonly sums: Uint32Array },
): number {
  assert(list.numbers.length >= header.blocks && header.blocks <= UNIT_BLOCKS_MAX, 'block list');
  const view = viewOf(block);
  view.setUint32(0, UNIT_MAGIC, true);
  view.setUint16(8, header.kind, true);
  view.setUint16(10, 0, true);
  view.setUint32(12, header.blocks, true);
  view.setUint32(16, header.sequence, true);
  view.setUint32(20, header.slot, true);
  view.setUint32(24, header.mount, true);
  view.setUint32(28, header.salt, true);
  setAddress(view, 32, header.durable);
  setAddress(view, 40, header.previousPoint);
  view.setUint32(48, header.previousPointChecksum, true);
  view.setUint32(52, header.previousUnitChecksum, true);
  view.setUint32(56, header.nonce, true);
  let offset = BLOCK_LIST_OFFSET;
  for (let index = 0; index < header.blocks; index++) {
    setUint48(view, offset, list.numbers[index] as number);
    view.setUint32(offset + 6, list.sums[index] as number, true);
    offset += BLOCK_LIST_ENTRY_BYTES;
  }
  const sum = headerChecksum(block, 4);
  view.setUint32(4, sum, true);
  return sum;
}

/** The header in `block`, or null when magic, checksum or a range is wrong (conditions 1 and 5). */
export function readUnitHeader(
  block: Uint8Array,
  segmentSlots: number,
): (UnitHeader & { checksum: number }) | null {
  const view = viewOf(block);
  if (view.getUint32(0, true) !== UNIT_MAGIC) return null;
  const sum = view.getUint32(4, true);
  if (headerChecksum(block, 4) !== sum) return null;
  const kind = view.getUint16(8, true);
  const blocks = view.getUint32(12, true);
  const slot = view.getUint32(20, true);
  if (kind < UNIT.segment || kind > UNIT.moved || blocks > UNIT_BLOCKS_MAX) return null;
  if (slot + 1 + blocks > segmentSlots) return null;
  return {
    kind: kind as UnitKind,
    blocks,
    sequence: view.getUint32(16, true),
    slot,
    mount: view.getUint32(24, true),
    salt: view.getUint32(28, true),
    nonce: view.getUint32(56, true),
    durable: getAddress(view, 32),
    previousPoint: getAddress(view, 40),
    previousPointChecksum: view.getUint32(48, true),
    previousUnitChecksum: view.getUint32(52, true),
    checksum: sum,
  };
}

/** The block list of a unit header that readUnitHeader accepted. */
export function readBlockList(block: Uint8Array, blocks: number): ListedBlock[] {
  const view = viewOf(block);
  const list: ListedBlock[] = [];
  for (let index = 0; index < blocks; index++) {
    const offset = unitBodyOffset(index);
    list.push({ number: getUint48(view, offset), checksum: view.getUint32(offset + 6, true) });
  }
  return list;
}

/** Writes an address as sequence number and slot, 8 bytes. */
export function setAddress(view: DataView, offset: number, address: number): void {
  view.setUint32(offset, sequenceOf(address), true);
  view.setUint32(offset + 4, slotOf(address), true);
}

/** Reads what setAddress wrote; a slot out of range reads as no address. */
export function getAddress(view: DataView, offset: number): number {
  const slot = view.getUint32(offset + 4, true);
  return slot > 0xffff ? 0 : addressOf(view.getUint32(offset, true), slot);
}

const SEGMENT_BODY = unitBodyOffset(0);

/**
 * The body of a segment header: what came before it and where the next segment will be.
 *   0 u64 format nonce   8 u32 physical index   12 u32 physical index of the next (all ones = open)
 *  16 u32 sequence, 20 u32 physical index, 24 u32 header checksum, 28 u32 end slot of the segment
 *     before it in the chain (0 = first)        32 f64 wall clock, ms
 */
export interface SegmentBody {
  nonce: Uint8Array;
  physical: number;
  nextPhysical: number;
  previousSequence: number;
  previousPhysical: number;
  previousChecksum: number;
  previousEnd: number;
  wallMs: number;
}

/** Writes the body of a segment header into its block. */
export function writeSegmentBody(block: Uint8Array, body: SegmentBody): void {
  const view = viewOf(block);
  block.set(body.nonce, SEGMENT_BODY);
  view.setUint32(SEGMENT_BODY + 8, body.physical, true);
  view.setUint32(SEGMENT_BODY + 12, body.nextPhysical, true);
  view.setUint32(SEGMENT_BODY + 16, body.previousSequence, true);
  view.setUint32(SEGMENT_BODY + 20, body.previousPhysical, true);
  view.setUint32(SEGMENT_BODY + 24, body.previousChecksum, true);
  view.setUint32(SEGMENT_BODY + 28, body.previousEnd, true);
  view.setFloat64(SEGMENT_BODY + 32, body.wallMs, true);
}

/** Reads the body of a segment header. */
export function readSegmentBody(block: Uint8Array): SegmentBody {
  const view = viewOf(block);
  return {
    nonce: block.slice(SEGMENT_BODY, SEGMENT_BODY + 8),
    physical: view.getUint32(SEGMENT_BODY + 8, true),
    nextPhysical: view.getUint32(SEGMENT_BODY + 12, true),
    previousSequence: view.getUint32(SEGMENT_BODY + 16, true),
    previousPhysical: view.getUint32(SEGMENT_BODY + 20, true),
    previousChecksum: view.getUint32(SEGMENT_BODY + 24, true),
    previousEnd: view.getUint32(SEGMENT_BODY + 28, true),
    wallMs: view.getFloat64(SEGMENT_BODY + 32, true),
  };
}
