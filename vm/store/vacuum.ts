/**
 * Vacuum: gives segments back that hold little or nothing which a kept generation can reach. Each
 * step is a bounded piece of work (some reads of nodes, a mebibyte of a segment, one commit of the
 * head's record, one superblock) and leaves the journal whole; between steps commits go on.
 *
 * First all live blocks are found (live-map.ts). Segments without any are retired; from others the
 * live blocks are copied, and the relocation tree learns where they went. No node is rewritten for
 * it but those of the relocation tree itself, which are found without it. A segment with a block
 * that cannot be proved is left as it is.
 *
 * Why a power cut is safe at every step: (1) copies are units without a record: nobody refers to
 * them; (2) the head's record is written again with the new relocation tree, flushed: from now on
 * both places are good; (3) the segment is retired in the segment table by the next superblock; (4)
 * two superblocks later it may be written again. Cut before (2) the copies are dead blocks for the
 * next vacuum, cut before (3) the segment is simply emptied once more.
 */
import type { Pointer } from './block-reader.ts';
import {
  addressOf,
  FIRST_SEGMENT,
  type ListedBlock,
  nodeNumber,
  readBlockList,
  readUnitHeader,
  recordNumber,
  SPACE_SIZE,
  UNIT,
  unitBodyOffset,
} from './format.ts';
import type { PagePlace } from './generation.ts';
import { type LiveMap, type MarkSource, markSteps } from './live-map.ts';
import type { LogWriter } from './log-writer.ts';
import { readPatiently } from './reading.ts';
import { readRecord, type TableState, TREE } from './record.ts';
import { PAGE_BYTES } from './storage.ts';
import { TableChanges } from './table-changes.ts';
import { rootOf, tableEntries, tableFind, treeNodesMax } from './tables.ts';
import { FANOUT, TREE_LEVEL_MAX, type TreeChange, treeEntries, treeUpdate } from './tree.ts';

export interface VacuumSource extends MarkSource {
  writer: LogWriter;
  /** Segments with blocks that are live though no record names them yet. */
  stagedSequences: () => ReadonlySet<number>;
  /** Writes the head's record again with changed tables, durable. */
  administrate: (change: (state: TableState) => void) => void;
  /** Told of each page of the head that has a new place, before the old one can be overwritten. */
  moved: (place: PagePlace) => void;
}

export interface VacuumStep {
  doing: 'mark' | 'copy' | 'relocate' | 'free';
  blocksCopied: number;
  segmentsFree: number;
}

/** Segments fuller than this are not worth copying. */
const LIVE_SHARE_MAX = 0.75;
/** Segments emptied before the head's record is written again. */
const BATCH_SEGMENTS_MAX = 16;
/** What one step reads of a segment. */
const STEP_BYTES = 1024 * 1024;
/** Relocations looked at in one step. */
const ENTRIES_PER_STEP = 8192;

/** Frees segments step by step, until `wantedFree` are free or nothing more can be gained. */
export function* vacuumSteps(
  source: VacuumSource,
  wantedFree = Number.POSITIVE_INFINITY,
): Generator<VacuumStep, void> {
  yield* new Vacuum(source, wantedFree).steps();
}

/** A live block of a unit. */
interface ListedBytes {
  slot: number;
  number: number;
  bytes: Uint8Array;
}

/** Blocks of one segment that were copied. */
interface Copied {
  physical: number;
  blocks: { address: number; number: number; pointer: Pointer }[];
  /** First keys of relocation nodes that lie there: nothing leads to a copy of them. */
  nodeKeys: number[];
}

class Vacuum {
  readonly #source: VacuumSource;
  readonly #wantedFree: number;
  /** Retired, but not yet free for writing. */
  #retired = 0;
  /** Address that a live relocation leads to, and its key. */
  readonly #keyOf = new Map<number, number>();

  constructor(source: VacuumSource, wantedFree: number) {
    this.#source = source;
    this.#wantedFree = wantedFree;
  }

  *steps(): Generator<VacuumStep, void> {
    const { segments, writer } = this.#source;
    // What is staged now may be committed while the walk goes on, which would not see it.
    const staged = new Set(this.#source.stagedSequences());
    this.#source.administrate(() => {});
    yield this.#step('free');
    // The chain from the superblock before the newest is not touched: make that chain short.
    for (let count = 0; count < 2; count++) {
      if (writer.protectedSequence >= writer.sequence) break;
      writer.renewSuperblock();
      yield this.#step('free');
    }
    const limit = writer.protectedSequence;
    for (const sequence of this.#source.stagedSequences()) staged.add(sequence);
    const marking = markSteps(this.#source);
    let marked = marking.next();
    for (; !marked.done; marked = marking.next()) yield this.#step('mark');
    const live = marked.value;
    yield* this.#readRelocations(live);
    const victims = this.#victims(limit, staged);
    for (const physical of victims) {
      if (live.count(physical) === 0) this.#retire(physical);
    }
    if (this.#retired > 0) yield* this.#release();
    const sparse = victims
      .filter((physical) => live.count(physical) > 0)
      .filter((physical) => live.count(physical) <= segments.slots * LIVE_SHARE_MAX)
      .sort((a, b) => live.count(a) - live.count(b));
    for (let at = 0; at < sparse.length; ) {
      if (segments.free + this.#retired >= this.#wantedFree) break;
      const batch = this.#nextBatch(live, sparse, at);
      if (batch.length === 0 && this.#retired > 0) {
        yield* this.#release();
        continue;
      }
      // A gain of less than a segment is no gain: superblocks and records cost blocks, too.
      const blocks = batch.reduce((sum, physical) => sum + live.count(physical), 0);
      if (batch.length * segments.slots - blocks < segments.slots / 4) break;
      at += batch.length;
      const copied: Copied[] = [];
      for (const physical of batch) {
        const found = yield* this.#copySegment(live, physical);
        if (found) copied.push(found);
      }
      yield this.#relocate(copied);
    }
    if (this.#retired > 0) yield* this.#release();
  }

  #step(doing: VacuumStep['doing'], blocksCopied = 0): VacuumStep {
    return { doing, blocksCopied, segmentsFree: this.#source.segments.free };
  }

  /** Segments that could be given back, but for those the newest superblocks lead through. */
  #victims(limit: number, staged: ReadonlySet<number>): number[] {
    const { segments } = this.#source;
    const found: number[] = [];
    for (let physical = FIRST_SEGMENT; physical < segments.count; physical++) {
      const sequence = segments.sequenceAt(physical);
      if (sequence === 0 || sequence >= limit || segments.isRetired(physical)) continue;
      if (!staged.has(sequence)) found.push(physical);
    }
    return found;
  }

  /** The next segments that may be emptied together; none when there is no room for the copies. */
  #nextBatch(live: LiveMap, sparse: readonly number[], from: number): number[] {
    const { segments, writer } = this.#source;
    const { level } = rootOf(this.#source.headState(), TREE.relocations);
    const superblocks = 2 * (segments.tableBlocks + 2);
    const slack = 8 + Math.ceil(segments.slots / 8);
    let room = writer.blocksFree(0) - superblocks - slack - 6;
    const batch: number[] = [];
    let gained = segments.free + this.#retired;
    for (let at = from; at < sparse.length && batch.length < BATCH_SEGMENTS_MAX; at++) {
      const physical = sparse[at] as number;
      const keys = this.#keys(live, physical).sort();
      // A relocation node among them is not copied, but written anew with those above it.
      const above = Math.min(keys.length, 32) * Math.max(0, level - 1);
      room -= keys.length + treeNodesMax(keys, level) + above;
      if (room < 0 || gained >= this.#wantedFree) break;
      batch.push(physical);
      gained++;
    }
    return batch;
  }

  /** Keys of the relocation tree that moving a segment's live blocks sets. */
  #keys(live: LiveMap, physical: number): Float64Array {
    const { segments } = this.#source;
    const sequence = segments.sequenceAt(physical);
    const keys: number[] = [];
    for (let slot = 0; slot < segments.slots; slot++) {
      if (live.has(physical, slot)) keys.push(this.#keyFor(addressOf(sequence, slot)));
    }
    return Float64Array.from(keys);
  }

  /** Maps of maps are collapsed: the first address of a block leads to its last place. */
  #keyFor(address: number): number {
    return this.#keyOf.get(address) ?? this.#source.segments.relocationKey(address);
  }

  /** Copies the live blocks of a segment, proved; null when one of them cannot be vouched for. */
  *#copySegment(live: LiveMap, physical: number): Generator<VacuumStep, Copied | null> {
    const { segments, reader, writer } = this.#source;
    const { slots, segmentBytes } = segments;
    const sequence = segments.sequenceAt(physical);
    const copied: Copied = { physical, blocks: [], nodeKeys: [] };
    const wanted = live.count(physical);
    const window = new SegmentWindow(reader.storage, physical * segmentBytes, segmentBytes);
    const taken = (): number => copied.blocks.length + copied.nodeKeys.length;
    const append = (blocks: readonly ListedBytes[]): void =>
      writer.appendBlocks(blocks, (index, pointer) => {
        const { slot, number } = blocks[index] as ListedBytes;
        copied.blocks.push({ address: addressOf(sequence, slot), number, pointer });
      });
    let before = 0;
    for (let slot = 1; slot < slots && taken() < wanted; ) {
      const block = window.block(slot)?.slice();
      const header = block ? readUnitHeader(block, slots) : null;
      if (!block || header?.slot !== slot || header.sequence !== sequence) return null;
      if (live.has(physical, slot)) {
        if (header.kind !== UNIT.commit) return null;
        const record = readRecord(block, unitBodyOffset(header.blocks), sequence);
        if (!record) return null;
        append([{ slot, number: recordNumber(record.generation), bytes: block }]);
      }
      const list = readBlockList(block, header.blocks);
      for (let index = 0; index < list.length; ) {
        const run = window.run(slot + 1 + index, list.length - index);
        const proved = run && this.#provedLive(live, physical, slot + 1 + index, run, list, index);
        if (!proved) return null;
        const nodes = proved.map(({ number }) => relocationNodeKey(number));
        append(proved.filter((_, at) => nodes[at] === null));
        copied.nodeKeys.push(...nodes.filter((key) => key !== null));
        index += run.length / PAGE_BYTES;
      }
      slot += 1 + header.blocks;
      if (window.bytesRead >= STEP_BYTES) {
        // Whoever comes between the steps writes units of his own.
        writer.closeUnit(UNIT.moved);
        yield this.#step('copy', copied.blocks.length - before);
        before = copied.blocks.length;
        window.bytesRead = 0;
      }
    }
    writer.closeUnit(UNIT.moved);
    if (taken() !== wanted) return null;
    yield this.#step('copy', copied.blocks.length - before);
    return copied;
  }

  /** The live blocks of a run that begins at `slot` and at list[from]; null when one has rotted. */
  #provedLive(
    live: LiveMap,
    physical: number,
    slot: number,
    run: Uint8Array,
    list: readonly ListedBlock[],
    from: number,
  ): ListedBytes[] | null {
    const { segments, writer } = this.#source;
    const count = run.length / PAGE_BYTES;
    const numbers = Float64Array.from({ length: count }, (_, at) => list[from + at]?.number ?? 0);
    const sums = new Uint32Array(count);
    const offset = physical * segments.segmentBytes + slot * PAGE_BYTES;
    writer.blockSums(run, numbers, offset, sums);
    const found: ListedBytes[] = [];
    for (let at = 0; at < count; at++) {
      if (!live.has(physical, slot + at)) continue;
      if (sums[at] !== list[from + at]?.checksum) return null;
      const bytes = run.subarray(at * PAGE_BYTES, (at + 1) * PAGE_BYTES);
      found.push({ slot: slot + at, number: numbers[at] as number, bytes });
    }
    return found;
  }

  /** Enters copies in the relocation tree; the segments they came from are retired. */
  #relocate(copied: readonly Copied[]): VacuumStep {
    const { writer, reader } = this.#source;
    const entries: TreeChange[] = [];
    for (const { blocks } of copied) {
      for (const { address, pointer } of blocks) {
        entries.push({ key: this.#keyFor(address), ...pointer });
      }
    }
    const old = rootOf(this.#source.headState(), TREE.relocations);
    const keys = new Set(entries.map(({ key }) => key));
    for (const nodeKey of copied.flatMap(({ nodeKeys }) => nodeKeys)) {
      // Setting an entry to what it is writes its nodes anew, away from the segment that goes.
      const [first] = treeEntries(reader, old, nodeKey);
      if (!first || keys.has(first.key)) continue;
      keys.add(first.key);
      entries.push(first);
    }
    entries.sort((a, b) => a.key - b.key);
    this.#source.administrate((state) => {
      const root = treeUpdate(
        reader,
        rootOf(state, TREE.relocations),
        TableChanges.from(entries),
        (number, bytes): Pointer => writer.append(number, bytes),
      );
      state.roots.set(TREE.relocations, root);
    });
    for (const { physical, blocks } of copied) {
      this.#retire(physical);
      this.#tellMoved(blocks);
    }
    return this.#step('relocate');
  }

  /**
   * Notes the relocations in use by the address they lead to, and takes away those that nothing is
   * reached through any more, when that is worth a record.
   */
  *#readRelocations(live: LiveMap): Generator<VacuumStep, void> {
    const { reader, writer, segments } = this.#source;
    const head = this.#source.headState();
    const dead: TreeChange[] = [];
    let seen = 0;
    for (const { key, address } of tableEntries(reader, head, TREE.relocations)) {
      if (live.relocated.has(key)) this.#keyOf.set(address, key);
      else dead.push({ key, address: 0, checksum: 0 });
      if (++seen % ENTRIES_PER_STEP === 0) yield this.#step('mark');
    }
    const keys = Float64Array.from(dead, ({ key }) => key);
    const nodes = treeNodesMax(keys, rootOf(head, TREE.relocations).level);
    if (dead.length < segments.slots || writer.blocksFree(0) < 2 * nodes + segments.slots) return;
    const gone = TableChanges.from(dead);
    this.#source.administrate((state) => {
      const root = rootOf(state, TREE.relocations);
      const append = (number: number, bytes: Uint8Array): Pointer => writer.append(number, bytes);
      state.roots.set(TREE.relocations, treeUpdate(reader, root, gone, append));
    });
    yield this.#step('relocate');
  }

  #retire(physical: number): void {
    const { segments, writer } = this.#source;
    segments.retire(physical, writer.superblock.number);
    this.#retired++;
  }

  /** Two superblocks: what is retired can be written again. */
  *#release(): Generator<VacuumStep, void> {
    for (let count = 0; count < 2; count++) {
      this.#source.writer.renewSuperblock();
      yield this.#step('free');
    }
    this.#retired = 0;
  }

  /**
   * Readers beside the journal (the pager) must learn of new places before the old ones are
   * reused.
   */
  #tellMoved(blocks: Copied['blocks']): void {
    const { reader, segments } = this.#source;
    const head = this.#source.headState();
    for (const { number, pointer } of blocks) {
      const tree = Math.floor(number / SPACE_SIZE);
      if (tree !== TREE.objects && tree !== TREE.farBodies) continue;
      const found = tableFind(reader, head, tree, number % SPACE_SIZE);
      const place = found && reader.resolve(found);
      // An older version of the page has moved, not the head's.
      if (!place || place.offsetBytes !== segments.offsetOf(pointer.address)) continue;
      this.#source.moved({ page: number, ...place });
    }
  }
}

/** The first key of a node of the relocation tree; null for any other block. */
function relocationNodeKey(number: number): number | null {
  for (let level = 1; level <= TREE_LEVEL_MAX; level++) {
    const index = number - nodeNumber(TREE.relocations, level, 0);
    if (index >= 0 && index < SPACE_SIZE) return index * FANOUT ** level;
  }
  return null;
}

/** Reads a segment from front to back, a mebibyte at a time. */
class SegmentWindow {
  readonly #storage: MarkSource['reader']['storage'];
  readonly #base: number;
  readonly #bytes: number;
  readonly #window: Uint8Array;
  #begin = -1;
  /** Bytes read since the owner set it to 0. */
  bytesRead = 0;

  constructor(storage: MarkSource['reader']['storage'], base: number, bytes: number) {
    this.#storage = storage;
    this.#base = base;
    this.#bytes = bytes;
    this.#window = storage.allocate(Math.min(STEP_BYTES, bytes));
  }

  /** A block, good until the next call; null when the medium cannot read it. */
  block(slot: number): Uint8Array | null {
    return this.run(slot, 1);
  }

  /** The same for up to `count` blocks that follow each other: as many as the window shows. */
  run(slot: number, count: number): Uint8Array | null {
    const at = slot * PAGE_BYTES;
    const length = this.#window.length;
    if (this.#begin < 0 || at < this.#begin || at >= this.#begin + length) {
      this.#begin = Math.min(at, this.#bytes - length);
      if (!readPatiently(this.#storage, this.#base + this.#begin, this.#window)) {
        this.#begin = -1;
        return null;
      }
      this.bytesRead += length;
    }
    const begin = at - this.#begin;
    return this.#window.subarray(begin, Math.min(length, begin + count * PAGE_BYTES));
  }
}
