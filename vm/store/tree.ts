/**
 * The copy-on-write tree that every table of the journal is: the page tables of the spaces, the
 * index of generations, the relocation map. Keys are 48-bit integers, values pointers to blocks.
 *
 *   node   0 u32 magic "PTRE"   4 u8 tree   5 u8 level (1 = leaf)   6 u16 zero
 *          8 u64 index of the node in its level       16 u64 live leaf entries beneath
 *         32 256 entries of 12 bytes: u32 sequence, u16 slot, u16 zero, u32 checksum (all 0 = none)
 *       3104 zeros
 *
 * Invariants: a node is never changed once written; its checksum lies in its parent, the root's in
 * a commit record; a node without live entries is not written but dropped from its parent.
 */
import { assert } from '../base/assert.ts';
import { getUint64, setUint64, viewOf } from '../base/bytes.ts';
import type { BlockReader, Pointer } from './block-reader.ts';
import { addressOf, nodeNumber, sequenceOf, slotOf } from './format.ts';
import { PAGE_BYTES } from './storage.ts';
import { StoreError } from './store-error.ts';
import type { TableChanges } from './table-changes.ts';

export const FANOUT = 256;
const NODE_MAGIC = 0x4552_5450; // "PTRE" in the order of the bytes
const ENTRIES_OFFSET = 32;
const ENTRY_BYTES = 12;
export const TREE_LEVEL_MAX = 6;
assert(ENTRIES_OFFSET + FANOUT * ENTRY_BYTES <= PAGE_BYTES, 'a node is one block');

export interface TreeRoot {
  tree: number;
  /** Levels of nodes; 0 = empty. The root covers FANOUT ** level keys. */
  level: number;
  address: number;
  checksum: number;
  /** Keys with a value. */
  count: number;
}

export interface TreeChange extends Pointer {
  key: number;
}

/** Appends a block to the log and answers where it went. */
export type AppendBlock = (number: number, bytes: Uint8Array) => Pointer;

/** The empty tree. */
export function emptyTree(tree: number): TreeRoot {
  return { tree, level: 0, address: 0, checksum: 0, count: 0 };
}

/** The pointer stored at `key`, or null. */
export function treeFind(reader: BlockReader, root: TreeRoot, key: number): Pointer | null {
  if (root.level === 0 || key >= FANOUT ** root.level) return null;
  let pointer: Pointer = root;
  for (let level = root.level; level >= 1; level--) {
    const index = Math.floor(key / FANOUT ** level);
    const node = loadNode(reader, root.tree, level, index, pointer);
    pointer = entryAt(viewOf(node), Math.floor(key / FANOUT ** (level - 1)) % FANOUT);
    if (pointer.address === 0) return null;
  }
  return pointer;
}

/** All entries from `from` on, ascending. */
export function* treeEntries(
  reader: BlockReader,
  root: TreeRoot,
  from = 0,
): Generator<TreeChange, void> {
  if (root.level === 0 || from >= FANOUT ** root.level) return;
  yield* walk(reader, root.tree, root.level, 0, root, from);
}

/**
 * Writes the nodes that `changes` (ascending, distinct keys; address 0 removes) touch, children
 * before parents, and answers the new root.
 */
export function treeUpdate(
  reader: BlockReader,
  root: TreeRoot,
  changes: TableChanges,
  append: AppendBlock,
): TreeRoot {
  if (changes.length === 0) return root;
  const last = changes.key(changes.length - 1);
  let level = Math.max(root.level, 1);
  while (last >= FANOUT ** level) level++;
  assert(level <= TREE_LEVEL_MAX, 'a key of 48 bits');
  const update = new Update(reader, root, changes, append);
  const top = update.node(level, 0, root.level === level ? root : null, 0, changes.length);
  if (top === null) return emptyTree(root.tree);
  return { tree: root.tree, level, address: top.address, checksum: top.checksum, count: top.count };
}

/** Calls `visit` for every node of a tree not yet seen by it; it answers whether to go deeper. */
export function treeNodes(
  reader: BlockReader,
  root: TreeRoot,
  visit: (pointer: Pointer, level: number, index: number) => boolean,
  leaf: (key: number, pointer: Pointer) => void,
): void {
  const descend = (pointer: Pointer, level: number, index: number): void => {
    if (!visit(pointer, level, index)) return;
    const view = viewOf(loadNode(reader, root.tree, level, index, pointer));
    for (let slot = 0; slot < FANOUT; slot++) {
      const entry = entryAt(view, slot);
      if (entry.address === 0) continue;
      if (level === 1) leaf(index * FANOUT + slot, entry);
      else descend(entry, level - 1, index * FANOUT + slot);
    }
  };
  if (root.level > 0) descend(root, root.level, 0);
}

/** The entries of one node, with the indices of what they lead to. */
export function* treeNode(
  reader: BlockReader,
  tree: number,
  node: { pointer: Pointer; level: number; index: number },
): Generator<{ pointer: Pointer; index: number }, void> {
  const view = viewOf(loadNode(reader, tree, node.level, node.index, node.pointer));
  for (let slot = 0; slot < FANOUT; slot++) {
    const pointer = entryAt(view, slot);
    if (pointer.address !== 0) yield { pointer, index: node.index * FANOUT + slot };
  }
}

interface Written extends Pointer {
  count: number;
}

class Update {
  readonly #reader: BlockReader;
  readonly #root: TreeRoot;
  readonly #changes: TableChanges;
  readonly #append: AppendBlock;

  constructor(reader: BlockReader, root: TreeRoot, changes: TableChanges, append: AppendBlock) {
    this.#reader = reader;
    this.#root = root;
    this.#changes = changes;
    this.#append = append;
  }

  /** Rewrites one node for changes[begin, end); null when nothing is left in it. */
  node(
    level: number,
    index: number,
    old: Pointer | null,
    begin: number,
    end: number,
  ): Written | null {
    const { node, counts } = this.#copy(level, index, old);
    const view = viewOf(node);
    const changes = this.#changes;
    let count = counts;
    let at = begin;
    while (at < end) {
      const slot = Math.floor(changes.key(at) / FANOUT ** (level - 1)) % FANOUT;
      if (level === 1) {
        const address = changes.address(at);
        count += (address === 0 ? 0 : 1) - (isEmpty(view, slot) ? 0 : 1);
        putEntry(view, slot, address, changes.checksum(at));
        at++;
        continue;
      }
      const before = entryAt(view, slot);
      const childIndex = index * FANOUT + slot;
      const next = changes.firstFrom((childIndex + 1) * FANOUT ** (level - 1), at, end);
      const child = before.address === 0 ? null : before;
      const childCount = child ? this.#count(level - 1, childIndex, child) : 0;
      const written = this.node(level - 1, childIndex, child, at, next);
      count += (written?.count ?? 0) - childCount;
      setEntry(view, slot, written ?? { address: 0, checksum: 0 });
      at = next;
    }
    if (count === 0) return null;
    setUint64(view, 16, count);
    const pointer = this.#append(nodeNumber(this.#root.tree, level, index), node);
    this.#reader.keep(pointer.address, node);
    return { address: pointer.address, checksum: pointer.checksum, count };
  }

  #copy(level: number, index: number, old: Pointer | null): { node: Uint8Array; counts: number } {
    const root = this.#root;
    if (old) {
      const node = loadNode(this.#reader, root.tree, level, index, old).slice();
      return { node, counts: getUint64(viewOf(node), 16) };
    }
    const node = new Uint8Array(PAGE_BYTES);
    const view = viewOf(node);
    view.setUint32(0, NODE_MAGIC, true);
    view.setUint8(4, root.tree);
    view.setUint8(5, level);
    setUint64(view, 8, index);
    if (level <= root.level || index !== 0 || root.level === 0) return { node, counts: 0 };
    // The tree grows in height: the first node of each new level starts with the one below.
    let below: Pointer = root;
    if (level > root.level + 1) below = this.#raise(level - 1);
    setEntry(view, 0, below);
    return { node, counts: root.count };
  }

  /** Writes the chain of first nodes that lifts the old root to `level`. */
  #raise(level: number): Pointer {
    const { node, counts } = this.#copy(level, 0, null);
    setUint64(viewOf(node), 16, counts);
    const pointer = this.#append(nodeNumber(this.#root.tree, level, 0), node);
    this.#reader.keep(pointer.address, node);
    return pointer;
  }

  #count(level: number, index: number, pointer: Pointer): number {
    return getUint64(viewOf(loadNode(this.#reader, this.#root.tree, level, index, pointer)), 16);
  }
}

function* walk(
  reader: BlockReader,
  tree: number,
  level: number,
  index: number,
  pointer: Pointer,
  from: number,
): Generator<TreeChange, void> {
  const view = viewOf(loadNode(reader, tree, level, index, pointer));
  const span = FANOUT ** (level - 1);
  for (let slot = 0; slot < FANOUT; slot++) {
    const key = (index * FANOUT + slot) * span;
    if (key + span <= from) continue;
    const entry = entryAt(view, slot);
    if (entry.address === 0) continue;
    if (level === 1) yield { key, address: entry.address, checksum: entry.checksum };
    else yield* walk(reader, tree, level - 1, index * FANOUT + slot, entry, from);
  }
}

function loadNode(
  reader: BlockReader,
  tree: number,
  level: number,
  index: number,
  pointer: Pointer,
): Uint8Array {
  const node = reader.node(nodeNumber(tree, level, index), pointer);
  const view = viewOf(node);
  const right =
    view.getUint32(0, true) === NODE_MAGIC &&
    view.getUint8(4) === tree &&
    view.getUint8(5) === level &&
    getUint64(view, 8) === index;
  if (right) return node;
  throw new StoreError(
    'PAGE_UNREADABLE',
    `Cannot read node ${tree}/${level}/${index} of a page table: its header names another node`,
  );
}

function entryAt(view: DataView, slot: number): Pointer {
  const offset = ENTRIES_OFFSET + slot * ENTRY_BYTES;
  const sequence = view.getUint32(offset, true);
  return {
    address: addressOf(sequence, view.getUint16(offset + 4, true)),
    checksum: view.getUint32(offset + 8, true),
  };
}

function isEmpty(view: DataView, slot: number): boolean {
  return view.getUint32(ENTRIES_OFFSET + slot * ENTRY_BYTES, true) === 0;
}

function setEntry(view: DataView, slot: number, { address, checksum }: Pointer): void {
  putEntry(view, slot, address, checksum);
}

function putEntry(view: DataView, slot: number, address: number, checksum: number): void {
  const offset = ENTRIES_OFFSET + slot * ENTRY_BYTES;
  view.setUint32(offset, sequenceOf(address), true);
  view.setUint16(offset + 4, slotOf(address), true);
  view.setUint16(offset + 6, 0, true);
  view.setUint32(offset + 8, address === 0 ? 0 : checksum, true);
}
