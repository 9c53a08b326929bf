/**
 * Salvage: copies what can still be read of a damaged journal into a fresh one, generation by
 * generation, oldest first. What cannot be read is left out and reported, never made up.
 */
import type { Generation, Journal, PageWrite } from './journal.ts';
import { PAGE_BYTES } from './storage.ts';
import { StoreError } from './store-error.ts';

export interface SalvageReport {
  generations: number;
  pages: number;
  changes: number;
  /** One sentence for each thing that could not be taken along. */
  lost: string[];
}

export type SalvageProgress = (done: { generations: number; of: number }) => void;

/** Copies all readable generations and change records of `from` into the blank journal `to`. */
export function salvage(from: Journal, to: Journal, progress?: SalvageProgress): SalvageReport {
  const report: SalvageReport = { generations: 0, pages: 0, changes: 0, lost: [...from.notices] };
  const generations = from.generations().reverse();
  let before = new Map<number, string>();
  for (const [index, generation] of generations.entries()) {
    progress?.({ generations: index, of: generations.length });
    try {
      before = copyGeneration(from, to, generation, before, report);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code === 'JOURNAL_FULL') throw error;
      report.lost.push(`generation ${generation.number}: ${error.message}`);
    }
  }
  const lost = (error: StoreError): void => void report.lost.push(`change log: ${error.message}`);
  for (const { record } of from.changes(0, lost)) {
    to.appendChange(record);
    report.changes++;
  }
  return report;
}

/** Commits what differs from the generation copied before; answers what the copy now holds. */
function copyGeneration(
  from: Journal,
  to: Journal,
  generation: Generation,
  before: ReadonlyMap<number, string>,
  report: SalvageReport,
): Map<number, string> {
  const now = new Map<number, string>();
  const pages: PageWrite[] = [];
  let unreadable = 0;
  for (const { page, offsetBytes, checksum } of from.pageMap(generation)) {
    const version = `${offsetBytes} ${checksum}`;
    if (before.get(page) === version) {
      now.set(page, version);
      continue;
    }
    const bytes = new Uint8Array(PAGE_BYTES);
    try {
      from.readPage(generation, page, bytes);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      unreadable++;
      continue;
    }
    now.set(page, version);
    pages.push({ page, bytes });
  }
  for (const page of before.keys()) if (!now.has(page)) pages.push({ page, bytes: null });
  const { number, wallMs, journalMs, meta } = generation;
  if (unreadable > 0) report.lost.push(`generation ${number}: ${unreadable} pages are unreadable`);
  // A label would keep it for ever: only what is not whole gets one of ours.
  const damaged = unreadable > 0 ? `generation ${number} without ${unreadable} pages` : null;
  const label = generation.label ?? damaged;
  to.commit({ pages, wallMs, journalMs, meta, kind: 'import', label });
  report.generations++;
  report.pages += pages.length;
  return now;
}
