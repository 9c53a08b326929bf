/**
 * LMDB and SQLite doing the journal's work: pages by number, each commit durable when it returns.
 *
 * Set up as somebody would who wants this to be fast and still durable; the settings were chosen
 * from several by measuring. SQLite: WAL, synchronous=FULL, one connection (no shared memory),
 * 8-KiB pages, so that a row lies in one page rather than in two, a checkpoint each 4000 pages.
 * LMDB: its default durable commits, 4-KiB pages, integer keys, transactions that return when they
 * are synced. Their files are written from end to end before anything is measured, as the
 * journal's is.
 */
import { closeSync, fsyncSync, openSync, statSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { BuildError } from '../../../build/lib/failure.ts';
import type { PageWrite } from '../../../vm/store/journal.ts';
import { PAGE_BYTES } from '../../../vm/store/storage.ts';
import { MIB } from '../disk.ts';
import { heapBatches } from './workload.ts';

/** One that takes commits; they are durable when `commit` returns. */
export interface Committer {
  readonly name: string;
  commit(pages: readonly PageWrite[]): void;
  /** Does what it has put off (SQLite's checkpoint), so that its bytes are counted. */
  settle(): void;
  close(): Promise<void>;
}

const SQLITE_PAGE_BYTES = 8192;
const SQLITE_CHECKPOINT_PAGES = 4000;
const LMDB_FILE_BYTES = 1024 * MIB;

type Lmdb = typeof import('lmdb');

/** What is used of better-sqlite3, which brings no types. */
interface SqliteDatabase {
  pragma(text: string): unknown;
  exec(sql: string): void;
  prepare(sql: string): { run(...values: unknown[]): unknown };
  transaction(body: (pages: readonly PageWrite[]) => void): {
    immediate(pages: readonly PageWrite[]): void;
  };
  close(): void;
}

/** SQLite with the heap in it, at that path. */
export function sqliteCommitter(path: string): Committer {
  const database = native('better-sqlite3', () => {
    const Database = createRequire(import.meta.url)('better-sqlite3') as new (
      path: string,
    ) => SqliteDatabase;
    // Its native half is loaded here.
    return new Database(path);
  });
  database.pragma('locking_mode = EXCLUSIVE');
  database.pragma(`page_size = ${SQLITE_PAGE_BYTES}`);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.pragma(`wal_autocheckpoint = ${SQLITE_CHECKPOINT_PAGES}`);
  // All of it stays in memory: reading plays no part.
  database.pragma('cache_size = -800000');
  database.exec('CREATE TABLE page (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL)');
  const insert = database.prepare('INSERT INTO page VALUES (?, ?)');
  const update = database.prepare('UPDATE page SET bytes = ? WHERE number = ?');
  const fill = database.transaction((pages) => {
    for (const { page, bytes } of pages) insert.run(page, bytes);
  });
  for (const pages of heapBatches()) fill.immediate(pages);
  const write = database.transaction((pages) => {
    for (const { page, bytes } of pages) update.run(bytes, page);
  });
  return {
    name: 'SQLite',
    commit: (pages) => write.immediate(pages),
    settle: () => void database.pragma('wal_checkpoint(RESTART)'),
    close: async () => database.close(),
  };
}

/** LMDB with the heap in it, at that path. */
export async function lmdbCommitter(path: string): Promise<Committer> {
  const options = {
    path,
    encoding: 'binary',
    keyEncoding: 'uint32',
    pageSize: PAGE_BYTES,
    mapSize: LMDB_FILE_BYTES,
    overlappingSync: false,
    noMemInit: true,
  } as const;
  const { open } = native('lmdb', () => createRequire(import.meta.url)('lmdb') as Lmdb);
  // Made and closed first: it must not be open while its file is written to the end.
  await open(options).close();
  writeToTheEnd(path, LMDB_FILE_BYTES);
  const database = open<Buffer, number>(options);
  const commit = (pages: readonly PageWrite[]): void => {
    database.transactionSync(() => {
      for (const { page, bytes } of pages) {
        if (bytes) database.putSync(page, Buffer.from(bytes.buffer, bytes.byteOffset, PAGE_BYTES));
      }
    });
  };
  for (const pages of heapBatches()) commit(pages);
  return { name: 'LMDB', commit, settle: () => {}, close: () => database.close() };
}

/** What `load` answers; one sentence when the package or its native half is not there. */
function native<T>(name: string, load: () => T): T {
  try {
    return load();
  } catch (error) {
    const [reason = ''] = (error as Error).message.split('\n');
    throw new BuildError(
      'USAGE',
      `Cannot measure beside ${name}: found no build of it for ${process.platform} ` +
        `${process.arch} (${reason}); run "npm install --no-save", or name other parts: ` +
        'npm run bench -- journal commit bytes open vacuum',
    );
  }
}

/** Fills a file with zeros from where it ends to `bytes`. */
function writeToTheEnd(path: string, bytes: number): void {
  const fd = openSync(path, 'r+');
  const zeros = new Uint8Array(MIB);
  for (let at = statSync(path).size; at < bytes; ) {
    at += writeSync(fd, zeros, 0, Math.min(zeros.length, bytes - at), at);
  }
  fsyncSync(fd);
  closeSync(fd);
}
