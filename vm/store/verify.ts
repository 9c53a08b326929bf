/**
 * Verify: reads every block that a kept generation can reach and proves it, each block once however
 * many generations share it. Reports; changes nothing.
 */
import type { BlockReader, Pointer } from './block-reader.ts';
import { SPACE_SIZE } from './format.ts';
import { type TableState, TREE } from './record.ts';
import { PAGE_BYTES } from './storage.ts';
import { StoreError } from './store-error.ts';
import { deltaOf, rootOf } from './tables.ts';
import { treeNodes } from './tree.ts';

export interface VerifyProblem {
  generation: number;
  /** space * 2^40 + page, or null when a record or node is damaged. */
  page: number | null;
  message: string;
}

export interface VerifyReport {
  ok: boolean;
  generations: number;
  blocks: number;
  bytes: number;
  problems: VerifyProblem[];
  notices: readonly string[];
}

export type VerifyProgress = (done: { generations: number; of: number; blocks: number }) => void;

export interface VerifySource {
  reader: BlockReader;
  /** Generations to check, newest first. */
  numbers: readonly number[];
  /** The tables of a generation; throws StoreError when its record is unreadable. */
  state: (number: number) => TableState;
  /** The tables that belong to the journal rather than to a generation. */
  headState: TableState;
  notices: readonly string[];
}

const PROBLEMS_MAX = 1000;

/** Proves all blocks of the generations in `source`. */
export function verifyJournal(source: VerifySource, progress?: VerifyProgress): VerifyReport {
  const verifier = new Verifier(source.reader);
  source.reader.forget();
  const head = source.numbers[0] ?? 0;
  verifier.trees(head, source.headState, [
    TREE.changes,
    TREE.marks,
    TREE.generations,
    TREE.relocations,
  ]);
  for (const [index, number] of source.numbers.entries()) {
    verifier.guarded(number, null, () => {
      verifier.trees(number, source.state(number), [TREE.objects, TREE.farBodies]);
    });
    progress?.({ generations: index + 1, of: source.numbers.length, blocks: verifier.blocks });
  }
  return {
    ok: verifier.problems.length === 0 && source.notices.length === 0,
    generations: source.numbers.length,
    blocks: verifier.blocks,
    bytes: verifier.blocks * PAGE_BYTES,
    problems: verifier.problems,
    notices: source.notices,
  };
}

class Verifier {
  readonly #reader: BlockReader;
  readonly #seen = new Set<number>();
  readonly #page = new Uint8Array(PAGE_BYTES);
  readonly problems: VerifyProblem[] = [];
  blocks = 0;

  constructor(reader: BlockReader) {
    this.#reader = reader;
  }

  trees(generation: number, state: TableState, trees: readonly number[]): void {
    for (const tree of trees) {
      for (const change of deltaOf(state, tree)) {
        if (change.address !== 0) this.#leaf(generation, tree, change.key, change);
      }
      this.guarded(generation, null, () => {
        treeNodes(
          this.#reader,
          rootOf(state, tree),
          (pointer) => this.#first(pointer),
          // Also what this delta replaces: the node is walked once, and another generation that
          // shares it may not replace it.
          (key, pointer) => this.#leaf(generation, tree, key, pointer),
        );
      });
    }
  }

  /** Runs one check; a StoreError becomes a problem of the report. */
  guarded(generation: number, page: number | null, check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (this.problems.length < PROBLEMS_MAX) {
        this.problems.push({ generation, page, message: error.message });
      }
    }
  }

  #first(pointer: Pointer): boolean {
    if (this.#seen.has(pointer.address)) return false;
    this.#seen.add(pointer.address);
    this.blocks++;
    return true;
  }

  #leaf(generation: number, tree: number, key: number, pointer: Pointer): void {
    // Records prove themselves when the generation is opened; relocations lead to blocks proved
    // there.
    if (tree === TREE.generations || tree === TREE.relocations) return;
    if (!this.#first(pointer)) return;
    const page = tree * SPACE_SIZE + key;
    this.guarded(generation, page, () => this.#reader.read(page, pointer, this.#page));
  }
}
