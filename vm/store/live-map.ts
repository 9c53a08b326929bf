/**
 * Which blocks of the journal a kept generation, or the journal itself, can reach: found by walking
 * all of their tables, a bounded number of reads at each step.
 *
 * Commits may come between the steps. They make no block live that lies in a segment written before
 * the walk began: what a new generation reaches there its parent reached, and the parent is walked,
 * or is itself new. One exception: a rollback to a generation that is then let go of before the
 * walk came to it; so whoever makes such a generation hands its tables over (`alsoLive`).
 */
import type { BlockReader, Pointer } from './block-reader.ts';
import { FIRST_SEGMENT, sequenceOf } from './format.ts';
import { type TableState, TREE } from './record.ts';
import type { Segments } from './segments.ts';
import { PAGE_BYTES } from './storage.ts';
import { StoreError } from './store-error.ts';
import { deltaOf, rootOf } from './tables.ts';
import { treeNode } from './tree.ts';

/** One bit for each block of the journal, and how many are set in each segment. */
export class LiveMap {
  readonly #slots: number;
  #bits: Uint8Array;
  #counts: Uint32Array;
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
    const at = Math.floor(block / 8);
    const mask = 1 << (block % 8);
    const before = this.#bits[at] ?? 0;
    if ((before & mask) !== 0) return false;
    this.#bits[at] = before | mask;
    const physical = Math.floor(block / this.#slots);
    this.#counts[physical] = (this.#counts[physical] ?? 0) + 1;
    return true;
  }

  /** Whether a block is live. */
  has(physical: number, slot: number): boolean {
    const block = physical * this.#slots + slot;
    return ((this.#bits[Math.floor(block / 8)] ?? 0) & (1 << (block % 8))) !== 0;
  }

  /** Live blocks of a segment. */
  count(physical: number): number {
    return this.#counts[physical] ?? 0;
  }

  /** Live blocks in all. */
  get total(): number {
    let sum = 0;
    for (let physical = FIRST_SEGMENT; physical < this.#counts.length; physical++) {
      sum += this.count(physical);
    }
    return sum;
  }
}

export interface MarkSource {
  reader: BlockReader;
  segments: Segments;
  /** The kept generations, head included, and where their records lie. */
  kept: () => Iterable<{ number: number; pointer: Pointer }>;
  /** The tables of a generation; null when it has been let go of meanwhile. */
  state: (number: number) => TableState | null;
  headState: () => TableState;
  /** Tables that became those of a new generation since this was asked last. */
  alsoLive: () => TableState[];
}

/** Nodes and records read between two steps: about a millisecond of a card's time. */
const READS_PER_STEP = 16;

/**
 * Finds every block that is reachable; yields now and then. Throws StoreError when a node or record
 * is unreadable: what lies beneath it would be unknown.
 */
export function* markSteps(source: MarkSource): Generator<void, LiveMap> {
  const walker = new Walker(source);
  const head = source.headState();
  yield* walker.trees(head, [TREE.changes, TREE.marks]);
  // The index names records, the relocation tree places: their nodes are live, their leaves follow.
  yield* walker.trees(head, [TREE.generations, TREE.relocations], false);
  for (const { number, pointer } of source.kept()) {
    walker.reach(pointer);
    const state = source.state(number);
    if (state) yield* walker.trees(state, [TREE.objects, TREE.farBodies]);
    yield* walker.pause(1);
  }
  for (let more = source.alsoLive(); more.length > 0; more = source.alsoLive()) {
    for (const state of more) yield* walker.trees(state, [TREE.objects, TREE.farBodies]);
  }
  return walker.live;
}

interface Node {
  pointer: Pointer;
  level: number;
  index: number;
}

class Walker {
  readonly live: LiveMap;
  readonly #source: MarkSource;
  #reads = 0;

  constructor(source: MarkSource) {
    this.#source = source;
    this.live = new LiveMap(source.segments.count, source.segments.slots);
  }

  /** Yields when enough has been read since the last time. */
  *pause(reads: number): Generator<void, void> {
    this.#reads += reads;
    if (this.#reads < READS_PER_STEP) return;
    this.#reads = 0;
    yield;
  }

  /** Walks trees and their delta; without `leaves` only their nodes count. */
  *trees(state: TableState, trees: readonly number[], leaves = true): Generator<void, void> {
    for (const tree of trees) {
      if (leaves) {
        for (const change of deltaOf(state, tree)) if (change.address !== 0) this.reach(change);
      }
      const root = rootOf(state, tree);
      if (root.level === 0 || !this.reach(root)) continue;
      const open: Node[] = [{ pointer: root, level: root.level, index: 0 }];
      for (let node = open.pop(); node; node = open.pop()) {
        const { level } = node;
        for (const { pointer, index } of treeNode(this.#source.reader, tree, node)) {
          if (level > 1) {
            if (this.reach(pointer)) open.push({ pointer, level: level - 1, index });
          } else if (leaves) this.reach(pointer);
        }
        yield* this.pause(1);
      }
    }
  }

  /** Marks a block; answers whether it was not marked before. */
  reach(pointer: Pointer): boolean {
    const { reader, segments } = this.#source;
    const key = segments.relocationKey(pointer.address);
    if (this.live.relocated.has(key)) return false;
    const place = reader.resolve(pointer);
    if (place === null) {
      throw new StoreError(
        'PAGE_UNREADABLE',
        `Cannot vacuum: block ${sequenceOf(pointer.address)} of a kept generation is nowhere; ` +
          'run verify',
      );
    }
    if (segments.offsetOf(pointer.address) !== place.offsetBytes) {
      this.live.relocated.add(key);
    }
    return this.live.set(place.offsetBytes);
  }
}
