/**
 * The tables of one generation: base trees plus the delta of its record, seen as one map from
 * (tree, key) to a block. Invariant: the delta wins over the tree; address 0 in it means removed.
 */
import type { BlockReader, Pointer } from './block-reader.ts';
import { SPACE_SIZE } from './format.ts';
import { type TableState, TREE, TREE_SPAN } from './record.ts';
import { TableChanges } from './table-changes.ts';
import {
  type AppendBlock,
  emptyTree,
  FANOUT,
  type TreeChange,
  type TreeRoot,
  treeEntries,
  treeFind,
  treeUpdate,
} from './tree.ts';

/** Key of a delta entry. */
export function deltaKey(tree: number, key: number): number {
  return tree * TREE_SPAN + key;
}

/** The journal page number (space * 2^40 + page) as delta key. */
export function pageKey(page: number): number {
  return deltaKey(Math.floor(page / SPACE_SIZE), page % SPACE_SIZE);
}

/** Tables with nothing in them. */
export function emptyTables(): TableState {
  const trees = Object.values(TREE);
  return { roots: new Map(trees.map((tree) => [tree, emptyTree(tree)])), delta: new Map() };
}

/** A copy whose delta and roots may be changed. */
export function copyTables(state: TableState): TableState {
  return { roots: new Map(state.roots), delta: new Map(state.delta) };
}

/** Makes the pages of `state` (spaces 0 and 1) those of `from`; its other tables stay. */
export function takePages(state: TableState, from: TableState): void {
  const pages = (key: number): boolean => key < (TREE.farBodies + 1) * TREE_SPAN;
  for (const key of state.delta.keys()) if (pages(key)) state.delta.delete(key);
  for (const [key, pointer] of from.delta) if (pages(key)) state.delta.set(key, pointer);
  for (const tree of [TREE.objects, TREE.farBodies]) state.roots.set(tree, rootOf(from, tree));
}

/** The root of a tree, empty when the record does not name it. */
export function rootOf(state: TableState, tree: number): TreeRoot {
  return state.roots.get(tree) ?? emptyTree(tree);
}

/** Where a key of a tree lies in this state, or null. */
export function tableFind(
  reader: BlockReader,
  state: TableState,
  tree: number,
  key: number,
): Pointer | null {
  const changed = state.delta.get(deltaKey(tree, key));
  if (changed) return changed.address === 0 ? null : changed;
  return treeFind(reader, rootOf(state, tree), key);
}

/** The delta of one tree, ascending, keys without the tree. */
export function deltaOf(state: TableState, tree: number): TreeChange[] {
  const begin = tree * TREE_SPAN;
  const changes: TreeChange[] = [];
  for (const [key, pointer] of state.delta) {
    if (key >= begin && key < begin + TREE_SPAN) {
      changes.push({ key: key - begin, address: pointer.address, checksum: pointer.checksum });
    }
  }
  return changes.sort((a, b) => a.key - b.key);
}

/** All live entries of one tree from `from` on, ascending. */
export function* tableEntries(
  reader: BlockReader,
  state: TableState,
  tree: number,
  from = 0,
): Generator<TreeChange, void> {
  const changes = deltaOf(state, tree).filter((change) => change.key >= from);
  let at = 0;
  for (const entry of treeEntries(reader, rootOf(state, tree), from)) {
    for (; at < changes.length && (changes[at] as TreeChange).key < entry.key; at++) {
      if ((changes[at] as TreeChange).address !== 0) yield changes[at] as TreeChange;
    }
    if (changes[at]?.key === entry.key) continue;
    yield entry;
  }
  for (; at < changes.length; at++) {
    if ((changes[at] as TreeChange).address !== 0) yield changes[at] as TreeChange;
  }
}

/** Live entries of one tree, without reading more than the changed ones' leaves. */
export function tableCount(reader: BlockReader, state: TableState, tree: number): number {
  const root = rootOf(state, tree);
  let count = root.count;
  for (const change of deltaOf(state, tree)) {
    const before = treeFind(reader, root, change.key) === null ? 0 : 1;
    count += (change.address === 0 ? 0 : 1) - before;
  }
  return count;
}

const NO_CHANGES = new TableChanges(0);

/**
 * Writes the delta, and over it `further` (delta keys), into the trees: the new state has new roots
 * and an empty delta.
 */
export function foldTables(
  reader: BlockReader,
  state: TableState,
  append: AppendBlock,
  further: TableChanges = NO_CHANGES,
): TableState {
  const roots = new Map(state.roots);
  const keys = Float64Array.from(state.delta.keys()).sort();
  for (const tree of Object.values(TREE)) {
    const changes = merged(tree, keys, state.delta, further);
    roots.set(tree, treeUpdate(reader, rootOf(state, tree), changes, append));
  }
  return { roots, delta: new Map() };
}

/** The changes of one tree, keys without the tree; what is in `further` wins. */
function merged(
  tree: number,
  keys: Float64Array,
  delta: ReadonlyMap<number, Pointer>,
  further: TableChanges,
): TableChanges {
  const [begin, end] = [tree * TREE_SPAN, (tree + 1) * TREE_SPAN];
  let at = further.firstFrom(begin);
  const atEnd = further.firstFrom(end);
  const changes = new TableChanges(atEnd - at + keys.length);
  const takeBelow = (key: number): void => {
    for (; at < atEnd && further.key(at) < key; at++) {
      changes.add(further.key(at) - begin, further.address(at), further.checksum(at));
    }
  };
  for (const key of keys) {
    if (key < begin || key >= end) continue;
    takeBelow(key);
    if (at < atEnd && further.key(at) === key) continue;
    const { address, checksum } = delta.get(key) as Pointer;
    changes.add(key - begin, address, checksum);
  }
  takeBelow(end);
  return changes;
}

/** An upper bound of the nodes a fold of these delta keys into these trees writes. */
export function foldBlocksMax(keys: Iterable<number>, state: TableState): number {
  const sorted = Float64Array.from(keys).sort();
  let nodes = 0;
  for (let begin = 0; begin < sorted.length; ) {
    const tree = Math.floor((sorted[begin] as number) / TREE_SPAN);
    let end = begin;
    while (end < sorted.length && (sorted[end] as number) < (tree + 1) * TREE_SPAN) end++;
    const keysOfTree = sorted.subarray(begin, end).map((key) => key - tree * TREE_SPAN);
    nodes += treeNodesMax(keysOfTree, rootOf(state, tree).level);
    begin = end;
  }
  return nodes;
}

/** An upper bound of the nodes that changing these ascending keys writes in a tree that high. */
export function treeNodesMax(keys: Float64Array, level: number): number {
  const last = keys.at(-1) ?? 0;
  let height = Math.max(1, level);
  while (last >= FANOUT ** height) height++;
  // Growing in height writes one more chain of first nodes.
  let nodes = height - level;
  for (let at = 1, span = FANOUT; at <= height; at++, span *= FANOUT) {
    let before = -1;
    for (const key of keys) {
      const index = Math.floor(key / span);
      if (index !== before) nodes++;
      before = index;
    }
  }
  return nodes;
}
