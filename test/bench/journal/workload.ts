/**
 * The page-commit work that journal, LMDB and SQLite are measured with: a heap of 256 MiB, then
 * commits of a few distinct pages, four fifths of them from a hot fifth of the heap.
 */
import type { Journal, PageWrite } from '../../../vm/store/journal.ts';
import { PAGE_BYTES } from '../../../vm/store/storage.ts';
import { Random } from '../../sim/random.ts';

export const HEAP_PAGES = 65_536;
/** Where the hot fifth lies: side by side, or each page somewhere in the heap. */
export type Placement = 'contiguous' | 'scattered';

const HOT_SHARE = 0.2;
const HOT_WRITES = 0.8;
/** Pages of one commit while the heap is filled. */
const FILL_PAGES = 8192;

/** Different bytes for every page and commit, made by moving a window over random ones. */
class PageBytes {
  readonly #source = new Uint8Array(2 * PAGE_BYTES * 64);
  #at = 0;

  constructor(seed: number) {
    const random = new Random(seed);
    const words = new Uint32Array(this.#source.buffer);
    for (let at = 0; at < words.length; at++) words[at] = random.below(2 ** 32);
  }

  next(): Uint8Array {
    this.#at = (this.#at + 1021) % (this.#source.length - PAGE_BYTES);
    return this.#source.subarray(this.#at, this.#at + PAGE_BYTES);
  }
}

/** The heap in a few large batches. */
export function* heapBatches(seed = 1): Generator<PageWrite[], void> {
  const bytes = new PageBytes(seed);
  for (let first = 0; first < HEAP_PAGES; first += FILL_PAGES) {
    yield Array.from({ length: FILL_PAGES }, (_, index) => ({
      page: first + index,
      bytes: bytes.next(),
    }));
  }
}

/** Commits the heap. */
export function fillHeap(journal: Journal): void {
  for (const pages of heapBatches()) journal.commit({ pages, wallMs: Date.now(), journalMs: 0 });
}

/** The batches of the work; the same for the same options. */
export function* skewedBatches(options: {
  readonly commits: number;
  readonly pages: number;
  readonly placement: Placement;
  readonly seed: number;
}): Generator<PageWrite[], void> {
  const random = new Random(options.seed);
  const bytes = new PageBytes(options.seed);
  const order = Uint32Array.from({ length: HEAP_PAGES }, (_, index) => index);
  if (options.placement === 'scattered') shuffle(order, random);
  const hot = Math.floor(HEAP_PAGES * HOT_SHARE);
  for (let commit = 0; commit < options.commits; commit++) {
    const numbers = new Set<number>();
    while (numbers.size < options.pages) {
      const index =
        random.below(1000) < HOT_WRITES * 1000
          ? random.below(hot)
          : hot + random.below(HEAP_PAGES - hot);
      numbers.add(order[index] as number);
    }
    yield Array.from(numbers, (page) => ({ page, bytes: bytes.next() }));
  }
}

function shuffle(order: Uint32Array, random: Random): void {
  for (let last = order.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    const kept = order[last] as number;
    order[last] = order[other] as number;
    order[other] = kept;
  }
}
