/**
 * Vacuum: gives segments back that hold little or nothing which a kept generation can reach.
 *
 * A block is live iff it is reachable from the record of a kept generation or from the journal's
 * own tables. mark() walks all of them; a node that cannot be read ends the vacuum, for what lies
 * beneath it would be unknown. Segments without live blocks are retired; from others the live
 * blocks are copied, and the relocation tree learns where they went. No node is rewritten for it.
 *
 * Why a power cut is safe at every step: (1) copies are units without a record: nobody refers to
 * them; (2) the head's record is written again with the new relocation tree, flushed: from now on
 * both places are good; (3) the segment is retired in the segment table by the next superblock; (4)
 * two superblocks later it may be written again. Cut before (2) the copies are dead blocks for the
 * next vacuum, cut before (3) the segment is simply emptied once more.
 *
 * Commits may come between steps: they make no dead block live, as a rollback reaches only kept
 * generations, which were all walked.
 */
import { assert } from '../base/assert.ts';
import type { BlockReader, Pointer } from './block-reader.ts';
import {
  addressOf,
  FIRST_SEGMENT,
  pageChecksum,
  readBlockList,
  readUnitHeader,
  recordNumber,
  SPACE_SIZE,
  sequenceOf,
  UNIT,
  unitBodyOffset,
} from './format.ts';
import type { PagePlace } from './generation.ts';
import type { LogWriter } from './log-writer.ts';
import { readRecord, type TableState, TREE } from './record.ts';
import type { Segments } from './segments.ts';
import { PAGE_BYTES } from './storage.ts';
import { StoreError } from './store-error.ts';
import { deltaOf, rootOf, tableEntries, tableFind, treeNodesMax } from './tables.ts';
import { emptyTree, type TreeChange, treeNodes, treeUpdate } from './tree.ts';

export interface VacuumSource {
  reader: BlockReader;
  segments: Segments;
  writer: LogWriter;
  /** The kept generations, head included, and where their records lie. */
  kept: () => Iterable<{ number: number; pointer: Pointer }>;
  state: (number: number) => TableState;
  headState: () => TableState;
  /** Segments with blocks that are live though no record names them yet. */
  stagedSequences: () => ReadonlySet<number>;
  /** Writes the head's record again with changed tables, durable. */
  administrate: (change: (state: TableState) => void) => void;
  /** Told of each page of the head that has a new place, before the old one can be overwritten. */
  moved: (place: PagePlace) => void;
}

export interface VacuumStep {
  segmentsFreed: number;
  blocksCopied: number;
  segmentsFree: number;
}

/** Segments fuller than this are not worth copying. */
const LIVE_SHARE_MAX = 0.75;
/** Segments emptied in one step. */
const BATCH_SEGMENTS_MAX = 64;

/** Frees segments step by step; each next() is bounded work and leaves the journal whole. */
export function* vacuumSteps(
  source: VacuumSource,
  wantedFree = Number.POSITIVE_INFINITY,
): Generator<VacuumStep, void> {
  const { segments, writer } = source;
  source.administrate(() => {});
  // The chain from the superblock before the newest is not touched: make that chain short.
  for (let count = 0; count < 2; count++) {
    if (writer.protectedSequence < writer.sequence) writer.renewSuperblock();
  }
  const live = mark(source);
  const staged = source.stagedSequences();
  const victims = live
    .victims(segments, writer.protectedSequence)
    .filter((physical) => !staged.has(segments.sequenceAt(physical)));
  const empty = victims.filter((physical) => live.count(physical) === 0);
  if (empty.length > 0) yield retire(source, empty, []);
  const sparse = victims
    .filter((physical) => live.count(physical) > 0)
    .filter((physical) => live.count(physical) <= segments.slots * LIVE_SHARE_MAX)
    .sort((a, b) => live.count(a) - live.count(b));
  for (let at = 0; at < sparse.length && segments.free < wantedFree; ) {
    const batch: number[] = [];
    let blocks = 0;
    let room = roomForCopies(source, live);
    for (; at < sparse.length && batch.length < BATCH_SEGMENTS_MAX; at++) {
      const physical = sparse[at] as number;
      room -= live.count(physical) + relocationNodes(segments);
      if (room < 0) break;
      batch.push(physical);
      blocks += live.count(physical);
    }
    // A gain of less than a segment is no gain: superblocks and records cost blocks, too.
    if (batch.length === 0 || batch.length * segments.slots - blocks < segments.slots / 4) return;
    const copied = copyLive(source, live, batch);
    yield retire(source, copied.emptied, copied.blocks);
  }
}

function retire(
  source: VacuumSource,
  physicals: readonly number[],
  copied: readonly CopiedBlock[],
): VacuumStep {
  const { segments, writer } = source;
  const before = segments.free;
  const newest = writer.superblock.number;
  for (const physical of physicals) segments.retire(physical, newest);
  tellMoved(source, copied);
  writer.renewSuperblock();
  writer.renewSuperblock();
  return {
    segmentsFreed: Math.max(0, segments.free - before),
    blocksCopied: copied.length,
    segmentsFree: segments.free,
  };
}

/**
 * Readers beside the journal (the pager) must learn of new places before the old ones are reused.
 */
function tellMoved(source: VacuumSource, copied: readonly CopiedBlock[]): void {
  const head = source.headState();
  for (const { number, pointer } of copied) {
    const tree = Math.floor(number / SPACE_SIZE);
    if (tree !== TREE.objects && tree !== TREE.farBodies) continue;
    const found = tableFind(source.reader, head, tree, number % SPACE_SIZE);
    const place = found && source.reader.resolve(found);
    // An older version of the page has moved, not the head's.
    if (!place || place.offsetBytes !== source.segments.offsetOf(pointer.address)) continue;
    source.moved({ page: number, ...place });
  }
}

/** Blocks that copies may take: what is free less relocation tree, record and superblocks. */
function roomForCopies(source: VacuumSource, live: LiveMap): number {
  const { segments, writer } = source;
  const keys = Float64Array.from(live.relocated).sort();
  const superblocks = 2 * (segments.tableBlocks + 2);
  const slack = 8 + Math.ceil(segments.slots / 8);
  return writer.blocksFree(0) - treeNodesMax(keys, 0) - superblocks - slack;
}

/** Nodes of the relocation tree that one segment adds. */
function relocationNodes(segments: Segments): number {
  return Math.ceil(segments.slots / 256) + 1;
}

/** Copies what is live in some segments and enters it in the relocation tree. */
function copyLive(
  source: VacuumSource,
  live: LiveMap,
  physicals: readonly number[],
): { emptied: number[]; blocks: CopiedBlock[] } {
  const moved = new Map<number, Pointer>();
  const emptied: number[] = [];
  const blocks: CopiedBlock[] = [];
  for (const physical of physicals) {
    const found = liveBlocks(source, live, physical);
    if (!found) continue;
    emptied.push(physical);
    for (const { address, number, bytes } of found) {
      const pointer = source.writer.append(number, bytes);
      moved.set(address, pointer);
      blocks.push({ number, pointer });
    }
  }
  source.writer.closeUnit(UNIT.moved);
  source.administrate((state) => {
    const entries = relocations(source, live, state, moved);
    for (const key of state.delta.keys()) {
      if (Math.floor(key / 2 ** 48) === TREE.relocations) state.delta.delete(key);
    }
    const append = (number: number, bytes: Uint8Array): Pointer =>
      source.writer.append(number, bytes);
    const root = treeUpdate(source.reader, emptyTree(TREE.relocations), entries, append);
    state.roots.set(TREE.relocations, root);
  });
  return { emptied, blocks };
}

/** All relocations there must be: those in use, maps of maps collapsed, and the new ones. */
function relocations(
  source: VacuumSource,
  live: LiveMap,
  state: TableState,
  moved: Map<number, Pointer>,
): TreeChange[] {
  const entries = new Map<number, Pointer>();
  const again = new Set<number>();
  for (const entry of tableEntries(source.reader, state, TREE.relocations)) {
    const further = moved.get(entry.address);
    if (further) {
      again.add(entry.address);
      entries.set(entry.key, further);
    } else if (live.relocated.has(entry.key)) entries.set(entry.key, entry);
  }
  for (const [address, pointer] of moved) {
    if (!again.has(address)) entries.set(source.segments.relocationKey(address), pointer);
  }
  for (const key of entries.keys()) live.relocated.add(key);
  return [...entries]
    .map(([key, pointer]) => ({ key, address: pointer.address, checksum: pointer.checksum }))
    .sort((a, b) => a.key - b.key);
}

interface CopiedBlock {
  number: number;
  pointer: Pointer;
}

interface LiveBlock {
  address: number;
  number: number;
  bytes: Uint8Array;
}

/** The live blocks of a segment, proved; null when one of them cannot be vouched for. */
function liveBlocks(source: VacuumSource, live: LiveMap, physical: number): LiveBlock[] | null {
  const { segments, reader } = source;
  const { slots, segmentBytes } = segments;
  const sequence = segments.sequenceAt(physical);
  const whole = reader.storage.allocate(segmentBytes);
  try {
    reader.storage.read(physical * segmentBytes, whole);
  } catch {
    return null;
  }
  const found: LiveBlock[] = [];
  const take = (slot: number, number: number, wanted: number | null): boolean => {
    if (!live.has(physical, slot)) return true;
    const bytes = whole.subarray(slot * PAGE_BYTES, (slot + 1) * PAGE_BYTES);
    const sum = pageChecksum(number, physical * segmentBytes + slot * PAGE_BYTES, bytes);
    if (wanted !== null && sum !== wanted) return false;
    found.push({ address: addressOf(sequence, slot), number, bytes });
    return true;
  };
  for (let slot = 1; slot < slots && found.length < live.count(physical); ) {
    const block = whole.subarray(slot * PAGE_BYTES, (slot + 1) * PAGE_BYTES);
    const header = readUnitHeader(block, slots);
    if (!header || header.slot !== slot || header.sequence !== sequence) return null;
    const record =
      header.kind === UNIT.commit
        ? readRecord(block, unitBodyOffset(header.blocks), sequence)
        : null;
    if (live.has(physical, slot)) {
      if (!record || !take(slot, recordNumber(record.generation), null)) return null;
    }
    for (const [index, entry] of readBlockList(block, header.blocks).entries()) {
      if (!take(slot + 1 + index, entry.number, entry.checksum)) return null;
    }
    slot += 1 + header.blocks;
  }
  return found.length === live.count(physical) ? found : null;
}

/** One bit for each block of the journal, and how many are set in each segment. */
class LiveMap {
  readonly #slots: number;
  readonly #bits: Uint8Array;
  readonly #counts: Uint32Array;
  /** Keys of the relocation tree that something live is reached through. */
  readonly relocated = new Set<number>();

  constructor(count: number, slots: number) {
    this.#slots = slots;
    this.#bits = new Uint8Array(Math.ceil((count * slots) / 8));
    this.#counts = new Uint32Array(count);
  }

  /** Sets the bit of the block at a byte offset; answers whether it was clear. */
  set(offsetBytes: number): boolean {
    const block = offsetBytes / PAGE_BYTES;
    const mask = 1 << (block & 7);
    const before = this.#bits[block >>> 3] ?? 0;
    if ((before & mask) !== 0) return false;
    this.#bits[block >>> 3] = before | mask;
    const physical = Math.floor(block / this.#slots);
    this.#counts[physical] = (this.#counts[physical] ?? 0) + 1;
    return true;
  }

  has(physical: number, slot: number): boolean {
    const block = physical * this.#slots + slot;
    return ((this.#bits[block >>> 3] ?? 0) & (1 << (block & 7))) !== 0;
  }

  count(physical: number): number {
    return this.#counts[physical] ?? 0;
  }

  /** Segments that could be given back. */
  victims(segments: Segments, protectedSequence: number): number[] {
    const found: number[] = [];
    for (let physical = FIRST_SEGMENT; physical < segments.count; physical++) {
      const sequence = segments.sequenceAt(physical);
      if (sequence === 0 || sequence >= protectedSequence || segments.isRetired(physical)) continue;
      found.push(physical);
    }
    return found;
  }
}

/** Finds every block that is reachable. Throws StoreError when a node or record is unreadable. */
function mark(source: VacuumSource): LiveMap {
  const { reader, segments } = source;
  const live = new LiveMap(segments.count, segments.slots);
  const reach = (pointer: Pointer): boolean => {
    const place = reader.resolve(pointer);
    if (place === null) {
      throw new StoreError(
        'PAGE_UNREADABLE',
        `Cannot vacuum: block ${sequenceOf(pointer.address)} of a kept generation is nowhere; ` +
          'run verify',
      );
    }
    if (segments.offsetOf(pointer.address) !== place.offsetBytes) {
      live.relocated.add(segments.relocationKey(pointer.address));
    }
    return live.set(place.offsetBytes);
  };
  const markTrees = (state: TableState, trees: readonly number[]): void => {
    for (const tree of trees) {
      for (const change of deltaOf(state, tree)) {
        if (change.address !== 0) reach(change);
      }
      treeNodes(reader, rootOf(state, tree), reach, (_key, pointer) => reach(pointer));
    }
  };
  const head = source.headState();
  markTrees(head, [TREE.changes, TREE.marks]);
  // The index names records, the relocation tree places: their nodes are live, their leaves follow.
  for (const tree of [TREE.generations, TREE.relocations]) {
    treeNodes(reader, rootOf(head, tree), reach, () => {});
  }
  for (const { number, pointer } of source.kept()) {
    reach(pointer);
    markTrees(source.state(number), [TREE.objects, TREE.farBodies]);
  }
  assert(segments.count > FIRST_SEGMENT, 'a journal has segments');
  return live;
}
