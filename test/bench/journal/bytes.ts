/**
 * Bytes written over many small commits: pages, records, folds, index, segment headers and
 * superblocks. Counted where they leave the journal; in memory, since time plays no part (the
 * peers part counts the same work at the block layer).
 */
import { MemoryStorage } from '../../../vm/store/memory-storage.ts';
import { PAGE_BYTES } from '../../../vm/store/storage.ts';
import { atMost, type BenchPart, type Row, valueRow } from '../bench.ts';
import { CountingStorage, freshJournal, MIB } from '../disk.ts';
import { fillHeap, HEAP_PAGES, type Placement, skewedBatches } from './workload.ts';

const COMMITS = 10_000;
const PAGES = 5;
/** Blocks a commit may write beyond its dirty pages, on average. */
const EXTRA_BLOCKS_MAX = 4;

export const bytesPart: BenchPart = {
  name: 'bytes',
  about: '10,000 commits of 5 pages of a 256 MiB heap, 80/20: blocks written beyond the pages',
  run: async (context) => {
    const rows: Row[] = [];
    for (const placement of ['contiguous', 'scattered'] as const) {
      context.progress(`${COMMITS} commits of ${PAGES} pages, hot fifth ${placement}`);
      rows.push(measure(placement, context.seed));
    }
    return rows;
  },
};

function measure(placement: Placement, seed: number): Row {
  const storage = new CountingStorage(new MemoryStorage(2048 * MIB));
  const journal = freshJournal(storage);
  fillHeap(journal);
  const before = storage.bytesWritten;
  for (const pages of skewedBatches({ commits: COMMITS, pages: PAGES, placement, seed })) {
    journal.commit({ pages, wallMs: Date.now(), journalMs: 0 });
  }
  const blocks = (storage.bytesWritten - before) / PAGE_BYTES / COMMITS;
  journal.close();
  return valueRow(
    {
      name: `beyond ${PAGES} pages, hot fifth ${placement} (heap of ${HEAP_PAGES} pages)`,
      value: blocks - PAGES,
      unit: 'blocks/commit',
    },
    atMost(EXTRA_BLOCKS_MAX),
  );
}
