/** Journals in files and in partitions of image files. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Journal } from '../store/journal.ts';
import { StoreError } from '../store/store-error.ts';
import { JournalFile, openJournalFile } from './storage-file.ts';

const MIB = 1024 * 1024;
const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(1);
const options = { write: true, wallClockMs: 0, random };
let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'storage-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function makeJournal(path: string, baseBytes = 0, sizeBytes = 8 * MIB): void {
  const storage = openJournalFile(path, {
    write: true,
    baseBytes,
    ...(baseBytes === 0 ? { createBytes: sizeBytes } : { sizeBytes }),
  });
  Journal.format(storage, { segmentBytes: 64 * 1024, wallClockMs: 0, random });
  const journal = Journal.open(storage, options);
  const bytes = new Uint8Array(4096).fill(42);
  journal.commit({ pages: [{ page: 7, bytes }], wallMs: 0, journalMs: 0 });
  journal.close();
}

/** An image whose partition 4 begins at `start`, as a master boot record says it. */
function makeImage(path: string, startBytes: number, sizeBytes: number): void {
  const image = new Uint8Array(startBytes + sizeBytes);
  const view = new DataView(image.buffer);
  const entry = 446 + 16 * 3;
  image[entry + 4] = 0xda;
  view.setUint32(entry + 8, startBytes / 512, true);
  view.setUint32(entry + 12, sizeBytes / 512, true);
  view.setUint16(510, 0xaa55, true);
  writeFileSync(path, image);
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
  return 'no error';
}

describe('JournalFile', () => {
  test('finds a journal at the beginning of a file', () => {
    const path = join(directory, 'journal');
    makeJournal(path);
    const storage = openJournalFile(path, { write: false });
    const journal = Journal.open(storage, { ...options, write: false });
    const into = new Uint8Array(4096);
    expect(journal.readPage(1, 7, into)).toBe(true);
    expect(into[4095]).toBe(42);
    journal.close();
  });

  test('finds a journal in partition 4 of an image', () => {
    const path = join(directory, 'card.img');
    makeImage(path, 4 * MIB, 8 * MIB);
    makeJournal(path, 4 * MIB, 8 * MIB);
    const storage = openJournalFile(path, { write: false });
    expect([storage.baseBytes, storage.sizeBytes]).toEqual([4 * MIB, 8 * MIB]);
    expect(Journal.open(storage, { ...options, write: false }).head.number).toBe(1);
    storage.close();
  });

  test('a truncated image is refused with what is missing', () => {
    const path = join(directory, 'card.img');
    makeImage(path, 4 * MIB, 8 * MIB);
    makeJournal(path, 4 * MIB, 8 * MIB);
    truncateSync(path, 9 * MIB);
    const storage = openJournalFile(path, { write: false });
    expect(codeOf(() => Journal.open(storage, options))).toBe('PARTITION_TOO_SMALL');
    storage.close();
    truncateSync(path, 2 * MIB);
    const shorter = openJournalFile(path, { write: false });
    expect(codeOf(() => Journal.open(shorter, options))).toBe('NOT_A_JOURNAL');
    shorter.close();
  });

  test('refuses what a lock function says is taken, and closes the file', () => {
    const path = join(directory, 'journal');
    makeJournal(path);
    const taken = { write: true, lock: () => false };
    expect(codeOf(() => new JournalFile(path, taken))).toBe('JOURNAL_LOCKED');
    const free = new JournalFile(path, { write: true, lock: () => true });
    free.close();
  });

  test('refuses directories, devices that are no disks, and what is not there', () => {
    expect(codeOf(() => openJournalFile(directory, { write: false }))).toBe('NOT_A_JOURNAL');
    expect(codeOf(() => openJournalFile('/dev/null', { write: false }))).toBe('NOT_A_JOURNAL');
    expect(codeOf(() => openJournalFile(join(directory, 'no'), { write: true }))).toBe(
      'NOT_A_JOURNAL',
    );
    writeFileSync(join(directory, 'empty'), '');
    const storage = openJournalFile(join(directory, 'empty'), { write: false });
    expect(codeOf(() => Journal.open(storage, options))).toBe('NOT_A_JOURNAL');
    storage.close();
  });
});
