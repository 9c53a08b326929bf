/**
 * Commit records: one block from which a generation opens, with nothing but its base tables.
 *
 *    0 u64 generation              8 u64 parent (2^48 - 1 = none)
 *   16 f64 wall clock, ms         24 f64 journal time, ms
 *   32 u16 kind                   34 u16 flags: 1 = administrative (the same generation again),
 *                                         2 = has an origin
 *   36 u32 pages of this commit   40 u64 bytes it appended     48 u64 end of the change log in it
 *   56 u8 roots  57 u8 label bytes  58 u16 meta bytes  60 u16 delta bytes  62 u16 delta groups
 *   64 u64 bytes, 72 u64 pages, 80 u64 flushes, 88 u64 microseconds flushes took: since the format
 *   96 u32 microseconds of the slowest flush since the record before        100 u32 zero
 *  104 origin, only with flag 2: 16 bytes journal id, u64 generation: what an import is a copy of
 *      roots, 24 bytes each: u8 tree, u8 level, u16 zero, u32 checksum, u32 sequence, u32 slot,
 *      u64 count; then label (UTF-8), meta, delta
 *
 * The delta is everything that differs from the roots, cumulative since they were written: groups
 * of one tree each, (u8 tree, varint entries, entries ascending). An entry is varint key minus the
 * key before it (the first: the key), varint 0 = removed, else 1 + (sequence of this record minus
 * sequence of the block), u16 slot, u32 checksum. When it outgrows the record the trees are folded:
 * rewritten with the delta, which starts again empty.
 */
import { assert } from '../base/assert.ts';
import { ByteReader, ByteWriter, getUint64, setUint64, viewOf } from '../base/bytes.ts';
import type { Pointer } from './block-reader.ts';
import { addressOf, getAddress, sequenceOf, setAddress, slotOf } from './format.ts';
import { StoreError } from './store-error.ts';
import type { TreeRoot } from './tree.ts';

/** The trees of a record. Spaces keep their own number; space 2 is volatile and never stored. */
export const TREE = {
  objects: 0,
  farBodies: 1,
  changes: 3,
  generations: 4,
  marks: 5,
  relocations: 6,
} as const;
export const TREE_SPAN = 2 ** 48;

export const KINDS = ['format', 'checkpoint', 'rollback', 'import', 'adopt'] as const;
export type GenerationKind = (typeof KINDS)[number];

export const LABEL_BYTES_MAX = 96;
export const META_BYTES_MAX = 256;
const NO_PARENT = 2 ** 48 - 1;
const FIXED_BYTES = 104;
const ORIGIN_BYTES = 24;
const ROOT_BYTES = 24;
const ADMINISTRATIVE = 1;
const HAS_ORIGIN = 2;

/** Sums since the journal was made: they survive when the records between are let go of. */
export interface Totals {
  /** Handed to the medium: pages, tables, headers, superblocks. */
  bytes: number;
  /** Pages that commits wrote. */
  pages: number;
  flushes: number;
  flushMicros: number;
}

/** Where the content of an imported generation was made. */
export interface Origin {
  /** Journal id, 16 bytes. */
  id: Uint8Array;
  generation: number;
}

/** Roots and what changed since: the state a record describes. Delta keys: tree * 2^48 + key. */
export interface TableState {
  roots: Map<number, TreeRoot>;
  delta: Map<number, Pointer>;
}

export interface CommitRecord {
  generation: number;
  parent: number | null;
  wallMs: number;
  journalMs: number;
  kind: GenerationKind;
  administrative: boolean;
  pages: number;
  bytes: number;
  /** End of the change log in it: a position in the stream of space 3. */
  changesEnd: number;
  totals: Totals;
  slowestFlushMicros: number;
  origin: Origin | null;
  label: string | null;
  meta: Uint8Array;
  /** Reading it may throw GENERATION_UNREADABLE: what was stored is taken apart at first use. */
  readonly state: TableState;
}

/** Cuts a label to what a record holds, at a character. */
export function labelBytes(label: string | null, bytesMax = LABEL_BYTES_MAX): Uint8Array {
  const bytes = new TextEncoder().encode(label ?? '');
  if (bytes.length <= bytesMax) return bytes;
  let end = bytesMax;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

/** The delta of a state as bytes, or null when longer than `room`. */
export function encodeDelta(
  delta: ReadonlyMap<number, Pointer>,
  sequence: number,
  room: number,
): { bytes: Uint8Array; groups: number } | null {
  // The shortest entry takes 2 bytes: no need to sort what cannot fit.
  if (delta.size * 2 > room) return null;
  const keys = Float64Array.from(delta.keys()).sort();
  const buffer = new Uint8Array(Math.max(room, 0) + 32);
  const writer = new ByteWriter(buffer);
  let groups = 0;
  for (let begin = 0; begin < keys.length; ) {
    const tree = Math.floor((keys[begin] as number) / TREE_SPAN);
    let end = begin;
    while (end < keys.length && (keys[end] as number) < (tree + 1) * TREE_SPAN) end++;
    if (writer.position + 5 > room) return null;
    writer.byte(tree);
    writer.varint(end - begin);
    let before = tree * TREE_SPAN;
    for (; begin < end; begin++) {
      const key = keys[begin] as number;
      const pointer = delta.get(key) as Pointer;
      writer.varint(key - before);
      before = key;
      if (pointer.address === 0) writer.varint(0);
      else {
        const back = sequence - sequenceOf(pointer.address);
        assert(back >= 0, 'a record points back');
        writer.varint(1 + back);
        writer.uint16(slotOf(pointer.address));
        writer.uint32(pointer.checksum);
      }
      if (writer.position > room) return null;
    }
    groups++;
  }
  return { bytes: buffer.subarray(0, writer.position), groups };
}

/** Bytes of a record besides its delta. */
export function recordOverhead(record: CommitRecord): number {
  return (
    FIXED_BYTES +
    (record.origin ? ORIGIN_BYTES : 0) +
    ROOT_BYTES * record.state.roots.size +
    labelBytes(record.label).length +
    record.meta.length
  );
}

/** Writes a record at `offset` of a header block; `delta` comes from encodeDelta. */
export function writeRecord(
  block: Uint8Array,
  offset: number,
  record: CommitRecord,
  delta: { bytes: Uint8Array; groups: number },
): void {
  const label = labelBytes(record.label);
  assert(record.meta.length <= META_BYTES_MAX, 'meta of at most 256 bytes');
  assert(offset + recordOverhead(record) + delta.bytes.length <= block.length, 'a record fits');
  const view = viewOf(block.subarray(offset));
  setUint64(view, 0, record.generation);
  setUint64(view, 8, record.parent ?? NO_PARENT);
  view.setFloat64(16, record.wallMs, true);
  view.setFloat64(24, record.journalMs, true);
  view.setUint16(32, KINDS.indexOf(record.kind), true);
  const flags = (record.administrative ? ADMINISTRATIVE : 0) | (record.origin ? HAS_ORIGIN : 0);
  view.setUint16(34, flags, true);
  view.setUint32(36, record.pages, true);
  setUint64(view, 40, record.bytes);
  setUint64(view, 48, record.changesEnd);
  view.setUint8(56, record.state.roots.size);
  view.setUint8(57, label.length);
  view.setUint16(58, record.meta.length, true);
  view.setUint16(60, delta.bytes.length, true);
  view.setUint16(62, delta.groups, true);
  setUint64(view, 64, record.totals.bytes);
  setUint64(view, 72, record.totals.pages);
  setUint64(view, 80, record.totals.flushes);
  setUint64(view, 88, record.totals.flushMicros);
  view.setUint32(96, Math.min(record.slowestFlushMicros, 0xffff_ffff), true);
  let at = FIXED_BYTES;
  if (record.origin) {
    block.set(record.origin.id, offset + at);
    setUint64(view, at + 16, record.origin.generation);
    at += ORIGIN_BYTES;
  }
  for (const root of record.state.roots.values()) {
    view.setUint8(at, root.tree);
    view.setUint8(at + 1, root.level);
    view.setUint16(at + 2, 0, true);
    view.setUint32(at + 4, root.checksum, true);
    setAddress(view, at + 8, root.address);
    setUint64(view, at + 16, root.count);
    at += ROOT_BYTES;
  }
  block.set(label, offset + at);
  block.set(record.meta, offset + at + label.length);
  block.set(delta.bytes, offset + at + label.length + record.meta.length);
}

/** Reads a record whose block checksum already matched; null when a field is impossible. */
export function readRecord(
  block: Uint8Array,
  offset: number,
  sequence: number,
): CommitRecord | null {
  if (offset + FIXED_BYTES > block.length) return null;
  const view = viewOf(block.subarray(offset));
  const rootCount = view.getUint8(56);
  const labelLength = view.getUint8(57);
  const metaLength = view.getUint16(58, true);
  const deltaLength = view.getUint16(60, true);
  const flags = view.getUint16(34, true);
  const rootsOffset = FIXED_BYTES + ((flags & HAS_ORIGIN) === 0 ? 0 : ORIGIN_BYTES);
  const fixed = rootsOffset + ROOT_BYTES * rootCount;
  if (offset + fixed + labelLength + metaLength + deltaLength > block.length) return null;
  const roots = readRoots(view, rootsOffset, rootCount);
  const kind = KINDS[view.getUint16(32, true)];
  const generation = getUint64(view, 0);
  const parent = getUint64(view, 8);
  if (!roots || !kind || !Number.isSafeInteger(generation)) return null;
  const reader = new ByteReader(block, offset + fixed);
  const label = new TextDecoder().decode(reader.raw(labelLength));
  const meta = reader.raw(metaLength);
  const deltaReader = new ByteReader(block, reader.position, reader.position + deltaLength);
  const groups = view.getUint16(62, true);
  let state: TableState | null = null;
  return {
    generation,
    parent: parent === NO_PARENT ? null : parent,
    wallMs: view.getFloat64(16, true),
    journalMs: view.getFloat64(24, true),
    kind,
    administrative: (flags & ADMINISTRATIVE) !== 0,
    pages: view.getUint32(36, true),
    bytes: getUint64(view, 40),
    changesEnd: getUint64(view, 48),
    totals: {
      bytes: getUint64(view, 64),
      pages: getUint64(view, 72),
      flushes: getUint64(view, 80),
      flushMicros: getUint64(view, 88),
    },
    slowestFlushMicros: view.getUint32(96, true),
    origin: rootsOffset === FIXED_BYTES ? null : readOrigin(block, offset + FIXED_BYTES),
    label: label === '' ? null : label,
    meta,
    // Listing generations needs no tables: the delta is taken apart when they are first used.
    get state(): TableState {
      state ??= { roots, delta: readDelta(deltaReader, groups, sequence, generation) };
      return state;
    },
  };
}

function readOrigin(block: Uint8Array, offset: number): Origin {
  const generation = getUint64(viewOf(block), offset + 16);
  return { id: block.slice(offset, offset + 16), generation };
}

function readRoots(view: DataView, offset: number, count: number): Map<number, TreeRoot> | null {
  const roots = new Map<number, TreeRoot>();
  for (let index = 0; index < count; index++) {
    const at = offset + index * ROOT_BYTES;
    const root = {
      tree: view.getUint8(at),
      level: view.getUint8(at + 1),
      checksum: view.getUint32(at + 4, true),
      address: getAddress(view, at + 8),
      count: getUint64(view, at + 16),
    };
    if (root.tree > 15 || root.level > 6 || !Number.isSafeInteger(root.count)) return null;
    roots.set(root.tree, root);
  }
  return roots;
}

function readDelta(
  reader: ByteReader,
  groups: number,
  sequence: number,
  generation: number,
): Map<number, Pointer> {
  const delta = new Map<number, Pointer>();
  for (let group = 0; group < groups && !reader.failed; group++) {
    let key = reader.byte() * TREE_SPAN;
    const entries = reader.varint();
    for (let entry = 0; entry < entries && !reader.failed; entry++) {
      key += reader.varint();
      const back = reader.varint();
      if (back === 0) {
        delta.set(key, { address: 0, checksum: 0 });
        continue;
      }
      const address = addressOf(sequence + 1 - back, reader.uint16());
      delta.set(key, { address, checksum: reader.uint32() });
    }
  }
  if (!reader.failed) return delta;
  throw new StoreError(
    'GENERATION_UNREADABLE',
    `Cannot read generation ${generation}: its record does not parse; use another generation`,
  );
}
