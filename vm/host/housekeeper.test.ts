import { setTimeout as rest } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Journal } from '../store/journal.ts';
import { MemoryStorage } from '../store/memory-storage.ts';
import { PAGE_BYTES } from '../store/storage.ts';
import { Housekeeper } from './housekeeper.ts';

const SEGMENT = 64 * 1024;
const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(5);

/** Commits until room begins to be short; answers the powered-on time then. */
function fill(journal: Journal): number {
  let commits = 0;
  for (; !journal.wantsMaintenance; commits++) {
    const bytes = new Uint8Array(PAGE_BYTES).fill(commits);
    const pages = Array.from({ length: 8 }, (_, index) => ({
      page: (commits + index) % 40,
      bytes,
    }));
    journal.commit({ pages, wallMs: commits, journalMs: commits * 600_000 });
  }
  return commits * 600_000;
}

function opened(): Journal {
  const storage = new MemoryStorage(256 * SEGMENT);
  Journal.format(storage, { segmentBytes: SEGMENT, wallClockMs: 0, random });
  return Journal.open(storage, { write: true, wallClockMs: 0, random });
}

test('makes room between commits, then writes nothing more', async () => {
  const journal = opened();
  const journalMs = fill(journal);
  const short = journal.statistics().segmentsFree;
  const keeper = new Housekeeper(
    () => journal,
    () => journalMs,
  );
  keeper.wake();
  const bytes = new Uint8Array(PAGE_BYTES).fill(200);
  for (let commit = 0; journal.statistics().segmentsFree < short + 4; commit++) {
    // Commits go on while it works.
    if (commit < 20) {
      journal.commit({ pages: [{ page: 100 + commit, bytes }], wallMs: 0, journalMs });
      keeper.wake();
    }
    await rest(1);
  }
  for (let before = -1; before !== journal.statistics().bytesWritten; await rest(50)) {
    before = journal.statistics().bytesWritten;
  }
  expect(journal.wantsMaintenance).toBe(false);
  const { bytesWritten } = journal.statistics();
  keeper.wake();
  await rest(50);
  expect(journal.statistics().bytesWritten).toBe(bytesWritten);
  const page = new Uint8Array(PAGE_BYTES);
  for (let commit = 0; commit < 20; commit++) {
    expect(journal.readPage(journal.head, 100 + commit, page)).toBe(true);
    expect(page).toEqual(bytes);
  }
  expect(journal.verify().ok).toBe(true);
});

test('stops with the journal', async () => {
  const journal = opened();
  const journalMs = fill(journal);
  const keeper = new Housekeeper(
    () => journal,
    () => journalMs,
  );
  keeper.wake();
  keeper.stop();
  const { bytesWritten } = journal.statistics();
  await rest(30);
  expect(journal.statistics().bytesWritten).toBe(bytesWritten);
});
