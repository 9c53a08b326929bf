/**
 * The same work through the journal, LMDB and SQLite: commits a second, and bytes at the block
 * layer, the file system's own included. All three on one file system that nobody else uses; they
 * take turns of 500 commits, each round in another order, with the same batches.
 *
 * The journal keeps every generation in this run, the others keep the newest state: it has room for
 * all of them and never vacuums, which is measured apart.
 */
import { join } from 'node:path';
import { assert } from '../../../vm/base/assert.ts';
import {
  atMost,
  type BenchContext,
  type BenchPart,
  infoRow,
  type Row,
  ratioRow,
} from '../bench.ts';
import { freshJournal, journalStorage, MIB, writtenFile } from '../disk.ts';
import { LoopDisk } from '../loop-disk.ts';
import { ratioSpread, timeMs } from '../measure.ts';
import { type Committer, lmdbCommitter, sqliteCommitter } from './databases.ts';
import { fillHeap, skewedBatches } from './workload.ts';

const COMMITS = 10_000;
const TURN_COMMITS = 500;
/** Turns before anything counts: files reach the size they keep, code gets warm. */
const WARM_TURNS = 1;
const SIZES = [1, 5, 50] as const;
/** Pages a commit from which the journal must write fewer bytes than both. */
const BYTES_FROM = 5;
const JOURNAL_BYTES = 4096 * MIB;
const DISK_BYTES = 7168 * MIB;
/** Journal time between commits: the longest that changes stay uncommitted. */
const COMMIT_INTERVAL_MS = 5000;

export const peersPart: BenchPart = {
  name: 'peers',
  about: '10,000 commits of 1, 5, 50 pages beside LMDB and SQLite: commits/s, bytes on the disk',
  run: async (context) => {
    context.progress('making a file system and filling it');
    const disk = new LoopDisk(context.dir, DISK_BYTES);
    if (!disk.exact) context.progress('no loop device: what others write is counted, too');
    const committers: Committer[] = [];
    try {
      committers.push(
        journalCommitter(join(disk.dir, 'journal')),
        await lmdbCommitter(join(disk.dir, 'pages.mdb')),
        sqliteCommitter(join(disk.dir, 'pages.sqlite')),
      );
      const rows: Row[] = [];
      for (const pages of SIZES) rows.push(...(await compare(context, disk, committers, pages)));
      return rows;
    } finally {
      for (const committer of committers) await committer.close();
      disk.close();
    }
  },
};

function journalCommitter(path: string): Committer {
  writtenFile(path, JOURNAL_BYTES);
  const journal = freshJournal(journalStorage(path));
  fillHeap(journal);
  let journalMs = 0;
  return {
    name: 'journal',
    commit: (pages) => {
      journalMs += COMMIT_INTERVAL_MS;
      journal.commit({ pages, wallMs: Date.now(), journalMs });
    },
    settle: () => {},
    close: async () => journal.close(),
  };
}

interface Result {
  readonly name: string;
  readonly commitsPerSecond: number;
  /** Of each turn. */
  readonly seconds: readonly number[];
  readonly bytes: number;
}

async function compare(
  context: BenchContext,
  disk: LoopDisk,
  committers: readonly Committer[],
  pages: number,
): Promise<Row[]> {
  const seconds: number[][] = committers.map(() => []);
  const bytes: number[] = committers.map(() => 0);
  const turns = COMMITS / TURN_COMMITS;
  // Each gets the same batches.
  for (let turn = -WARM_TURNS; turn < turns; turn++) {
    context.progress(`commits of ${pages} pages: ${(turn + WARM_TURNS) * TURN_COMMITS}`);
    const options = { commits: TURN_COMMITS, pages, placement: 'scattered' as const };
    const seed = context.seed + turn + WARM_TURNS;
    const batches = [...skewedBatches({ ...options, seed })];
    for (let place = 0; place < committers.length; place++) {
      const index = (place + turn + WARM_TURNS) % committers.length;
      const committer = committers[index];
      assert(committer !== undefined, 'somebody whose turn it is');
      const before = disk.written().bytes;
      const time = timeMs(() => {
        for (const batch of batches) committer.commit(batch);
        if (turn === turns - 1) committer.settle();
      });
      if (turn < 0) continue;
      seconds[index]?.push(time / 1000);
      bytes[index] = (bytes[index] ?? 0) + disk.written().bytes - before;
      // Lets an interrupt from the terminal through.
      await new Promise(setImmediate);
    }
  }
  return rowsOf(
    pages,
    committers.map(({ name }, index) => ({
      name,
      // Of all turns, not of the middle one: checkpoints are not in each of them.
      commitsPerSecond: COMMITS / (seconds[index] ?? []).reduce((sum, time) => sum + time, 0),
      seconds: seconds[index] ?? [],
      bytes: (bytes[index] ?? 0) / COMMITS,
    })),
  );
}

function rowsOf(pages: number, [ours, ...peers]: readonly Result[]): Row[] {
  assert(ours !== undefined, 'the journal is measured');
  const faster = { text: '> 1', holds: (ratio: number): boolean => ratio > 1 };
  const size = `${pages} pages`;
  return [
    ...peers.map((peer) =>
      ratioRow(
        {
          name: `commits of ${size}, ${peer.name}`,
          value: ours.commitsPerSecond,
          unit: 'commits/s',
          peer: peer.commitsPerSecond,
          spread: ratioSpread(peer.seconds, ours.seconds),
        },
        faster,
      ),
    ),
    ...peers.map((peer) => {
      const row = {
        name: `bytes for ${size}, ${peer.name}`,
        value: ours.bytes / 1024,
        unit: 'KiB/commit',
        peer: peer.bytes / 1024,
      };
      if (pages >= BYTES_FROM) return ratioRow(row, { ...atMost(1), text: '< 1' });
      return infoRow(row.name, row.value, row.unit, row.peer);
    }),
  ];
}
