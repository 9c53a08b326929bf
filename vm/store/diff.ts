/**
 * What differs between two generations: the pages whose blocks are not the same. Parts of the
 * tables that both share are not read, so the work follows the difference, not the size.
 */
import type { BlockReader, Pointer } from './block-reader.ts';
import { SPACE_SIZE } from './format.ts';
import { type TableState, TREE } from './record.ts';
import { deltaOf, rootOf, tableFind } from './tables.ts';
import { FANOUT, type TreeRoot, treeNode } from './tree.ts';

export interface PageDifference {
  /** space * 2^40 + page. */
  page: number;
  /** Where the page lies in the one and in the other; null = it has no such page. */
  before: Pointer | null;
  after: Pointer | null;
}

/** The pages of spaces 0 and 1 that differ, ascending. Throws StoreError on a damaged table. */
export function* pageDifferences(
  reader: BlockReader,
  before: TableState,
  after: TableState,
): Generator<PageDifference, void> {
  for (const tree of [TREE.objects, TREE.farBodies]) {
    const keys = new Set<number>();
    for (const state of [before, after]) {
      for (const { key } of deltaOf(state, tree)) keys.add(key);
    }
    for (const key of treeDifferences(reader, rootOf(before, tree), rootOf(after, tree))) {
      keys.add(key);
    }
    for (const key of Float64Array.from(keys).sort()) {
      const one = tableFind(reader, before, tree, key);
      const other = tableFind(reader, after, tree, key);
      if (one?.address === other?.address) continue;
      yield { page: tree * SPACE_SIZE + key, before: one, after: other };
    }
  }
}

/** Keys at which two trees lead to different blocks. */
function treeDifferences(reader: BlockReader, one: TreeRoot, other: TreeRoot): number[] {
  const keys: number[] = [];
  const compare = (level: number, index: number, a: Pointer | null, b: Pointer | null): void => {
    if (a?.address === b?.address) return;
    const left = children(reader, one, level, index, a);
    const right = children(reader, other, level, index, b);
    for (const child of new Set([...left.keys(), ...right.keys()])) {
      const x = left.get(child) ?? null;
      const y = right.get(child) ?? null;
      if (level > 1) compare(level - 1, child, x, y);
      else if (x?.address !== y?.address) keys.push(child);
    }
  };
  const top = Math.max(one.level, other.level);
  if (top > 0) compare(top, 0, one.level > 0 ? one : null, other.level > 0 ? other : null);
  return keys;
}

/** What a node leads to by index; a tree lower than `level` is its own first child there. */
function children(
  reader: BlockReader,
  root: TreeRoot,
  level: number,
  index: number,
  pointer: Pointer | null,
): Map<number, Pointer> {
  const found = new Map<number, Pointer>();
  if (pointer === null) return found;
  if (level > root.level) return found.set(index * FANOUT, pointer);
  for (const child of treeNode(reader, root.tree, { pointer, level, index })) {
    found.set(child.index, child.pointer);
  }
  return found;
}
