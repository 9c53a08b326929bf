/**
 * Reads the page table of one generation beside the journal: in another thread, through a storage
 * of its own, while the journal goes on writing. It starts from a copy of what the journal knows in
 * memory, and follows nothing that happens later: vacuum may have moved and overwritten a node,
 * then its checksum does not match and a new snapshot is needed. What it does answer was right when
 * the snapshot was made.
 */
import { BlockReader } from './block-reader.ts';
import { SPACE_SIZE } from './format.ts';
import type { PagePlace } from './generation.ts';
import { type TableState, TREE, TREE_SPAN } from './record.ts';
import { Segments, type SegmentTable } from './segments.ts';
import type { Storage } from './storage.ts';
import { tableEntries, tableFind } from './tables.ts';

/** Plain data, to be sent to another thread. */
export interface TableSnapshot {
  readonly generation: number;
  readonly segments: SegmentTable;
  /** The tables of pages and of relocations. */
  readonly state: TableState;
}

const TREES: readonly number[] = [TREE.objects, TREE.relocations];

/** What of a generation's tables, and of the head's relocations, a reader needs. */
export function tableSnapshot(
  generation: number,
  { state, head, segments }: { state: TableState; head: TableState; segments: Segments },
): TableSnapshot {
  const roots: TableState['roots'] = new Map();
  const delta: TableState['delta'] = new Map();
  for (const tree of TREES) {
    const source = tree === TREE.relocations ? head : state;
    const root = source.roots.get(tree);
    if (root !== undefined) roots.set(tree, root);
    for (const [key, { address, checksum }] of source.delta) {
      if (Math.floor(key / TREE_SPAN) === tree) delta.set(key, { address, checksum });
    }
  }
  return { generation, segments: segments.snapshot(), state: { roots, delta } };
}

export class TableReader {
  readonly #reader: BlockReader;
  readonly #state: TableState;

  constructor(storage: Storage, { segments: table, state }: TableSnapshot) {
    const segments = Segments.fromSnapshot(table);
    this.#state = state;
    this.#reader = new BlockReader(storage, segments);
    this.#reader.relocate = (address) =>
      tableFind(this.#reader, state, TREE.relocations, segments.relocationKey(address));
  }

  /**
   * The pages of space 0 from `first` on, `count` at most, that the generation has, ascending.
   * Throws PAGE_UNREADABLE when a node is not there or not what was written.
   */
  places(first: number, count: number): PagePlace[] {
    const found: PagePlace[] = [];
    for (const entry of tableEntries(this.#reader, this.#state, TREE.objects, first)) {
      if (entry.key >= first + count) break;
      // A place that does not exist is given as offset 0, whose checksum cannot match.
      const place = this.#reader.resolve(entry) ?? { offsetBytes: 0, checksum: entry.checksum };
      found.push({ page: TREE.objects * SPACE_SIZE + entry.key, ...place });
    }
    return found;
  }
}
