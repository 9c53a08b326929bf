/**
 * `npm run journal`: every command on a journal in a file, as a person or a script runs it. What it
 * prints as JSON is what the store says; what cannot be meant is one sentence and changes nothing.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadAddon } from '../../vm/host/addon.ts';
import { openJournalFile } from '../../vm/host/storage-file.ts';
import { Journal } from '../../vm/store/journal.ts';
import { PAGE_BYTES } from '../../vm/store/storage.ts';

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
const CLI = join(import.meta.dirname, '../../vm/host/journal-cli.ts');
const options = { wallClockMs: () => Date.now(), random: (count: number) => randomBytes(count) };

interface Ended {
  status: number | null;
  output: Buffer;
  errors: string;
}

function journal(words: readonly string[], input?: Uint8Array): Promise<Ended> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CLI, ...words]);
  const output: Buffer[] = [];
  let errors = '';
  child.stdout.on('data', (bytes: Buffer) => output.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => {
    errors += bytes.toString();
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((done) => {
    child.on('close', (status) => done({ status, output: Buffer.concat(output), errors }));
  });
}

async function json(...words: string[]): Promise<never> {
  const { status, output, errors } = await journal([...words, '--json']);
  expect(errors).toBe('');
  expect(status).toBe(0);
  return JSON.parse(output.toString()) as never;
}

/** A journal with as many generations; each writes page 0 and one more. */
function makeJournal(path: string, generations: number): void {
  const storage = openJournalFile(path, { write: true, createBytes: 24 * MIB, addon: loadAddon() });
  Journal.format(storage, options);
  const made = Journal.open(storage, { ...options, write: true });
  for (let number = 1; number <= generations; number++) {
    const bytes = new Uint8Array(PAGE_BYTES).fill(number);
    const pages = [0, number].map((page) => ({ page, bytes }));
    made.commit({ pages, wallMs: Date.now(), journalMs: number * 40 * DAY_MS });
  }
  made.close();
}

function pageOf(path: string, generation: number, page: number): Buffer | null {
  const opened = Journal.open(openJournalFile(path, { write: false }), {
    ...options,
    write: false,
  });
  const bytes = Buffer.alloc(PAGE_BYTES);
  const has = opened.readPage(generation, page, bytes);
  opened.close();
  return has ? bytes : null;
}

const digest = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex');

let dir = '';
const at = (name: string): string => join(dir, name);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'palimpsest-journal-'));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('lists, shows and compares', async () => {
  makeJournal(at('one'), 5);
  const before = digest(at('one'));
  const log: { number: number }[] = await json('log', at('one'), '3');
  expect(log.map(({ number }) => number)).toEqual([5, 4, 3]);
  expect(await json('show', at('one'), '4')).toMatchObject({ parent: 3, pagesTotal: 5 });
  expect(await json('diff', at('one'), '2', '4')).toEqual({
    before: 2,
    after: 4,
    pages: [
      { space: 0, page: 0, change: 'changed' },
      { space: 0, page: 3, change: 'added' },
      { space: 0, page: 4, change: 'added' },
    ],
  });
  expect(await json('verify', at('one'))).toMatchObject({ ok: true, generations: 6 });
  const stats = await json('stats', at('one'), '--live');
  expect(stats).toMatchObject({ generation: 5, health: { latencyTrend: null }, notices: [] });
  const { live, health } = stats as {
    live: { liveBytes: number; usedBytes: number };
    health: { bytes: number };
  };
  expect(live.liveBytes).toBeGreaterThan(10 * PAGE_BYTES);
  expect(live.liveBytes).toBeLessThan(live.usedBytes);
  expect(health.bytes).toBeGreaterThan(10 * PAGE_BYTES);
  expect(digest(at('one'))).toBe(before);
});

test('goes back, undoes, marks, lets go and gives back', async () => {
  makeJournal(at('two'), 30);
  expect(await json('rollback', at('two'), '2')).toMatchObject({ number: 31 });
  expect(pageOf(at('two'), 31, 0)?.[0]).toBe(2);
  expect(await json('undo', at('two'))).toMatchObject({ number: 32 });
  expect(pageOf(at('two'), 32, 0)?.[0]).toBe(30);
  expect(await json('label', at('two'), '3', 'before', 'the', 'move')).toMatchObject({
    label: 'before the move',
  });
  expect(await json('pin', at('two'), '3')).toMatchObject({ pinned: true });
  expect(await json('unpin', at('two'), '3')).toMatchObject({ pinned: false });
  const { thinned } = (await json('thin', at('two'), '8')) as { thinned: number };
  expect(thinned).toBeGreaterThan(0);
  await json('vacuum', at('two'), '8');
  const kept: { number: number }[] = await json('log', at('two'));
  const numbers = kept.map(({ number }) => number);
  expect(numbers).toContain(3);
  expect(numbers).not.toContain(1);
  expect(pageOf(at('two'), 3, 3)?.[0]).toBe(3);
  expect(await json('verify', at('two'))).toMatchObject({ ok: true });
});

describe('export and import', () => {
  test('a generation and a difference go to another journal, by file and by pipe', async () => {
    makeJournal(at('from'), 4);
    makeJournal(at('to'), 0);
    const whole = await journal(['export', at('from'), '2', '-']);
    expect(whole.status).toBe(0);
    const taken = await journal(['import', at('to'), '-', '--json'], whole.output);
    expect(taken.errors).toBe('');
    expect(JSON.parse(taken.output.toString())).toMatchObject({ kind: 'import', pages: 3 });
    expect(await json('export', at('from'), '4', at('diff'), '2')).toMatchObject({ pages: 3 });
    const made: { number: number } = await json('import', at('to'), at('diff'));
    for (const page of [0, 1, 2, 3, 4, 5]) {
      expect(pageOf(at('to'), made.number, page)).toEqual(pageOf(at('from'), 4, page));
    }
  });

  test('refuses, in one sentence, what it cannot take, and changes nothing', async () => {
    makeJournal(at('small'), 2);
    await json('export', at('small'), '2', at('stream'));
    const stream = readFileSync(at('stream'));
    writeFileSync(at('cut'), stream.subarray(0, stream.length - 100));
    const flipped = Buffer.from(stream);
    flipped.writeUInt8(flipped.readUInt8(9000) ^ 1, 9000);
    writeFileSync(at('flipped'), flipped);
    const before = digest(at('small'));
    for (const [words, status, sentence] of [
      [['export', at('small'), '2', at('stream')], 2, /it exists, wanted the name of a new file/],
      [['export', at('small'), '9', at('none')], 1, /Cannot find generation 9: it is not kept/],
      [['export', at('small'), '2', at('no/such')], 1, /Cannot export to .*ENOENT/],
      [['import', at('small'), at('missing')], 1, /Cannot import from .*ENOENT/],
      [['import', at('small'), dir], 1, /Cannot import from .*EISDIR/],
      [['undo', at('small'), '7'], 2, /found "7" too much/],
      [['pin', at('small'), 'x'], 2, /found "x", wanted a whole number/],
      [['thin', at('small'), '9'], 2, /found "9", wanted 0 to 8/],
      [['stats', at('small'), 'live'], 2, /found "live", wanted --live/],
    ] as const) {
      const ended = await journal(words);
      expect(ended.errors).toMatch(sentence);
      expect(ended.errors.trimEnd().split('\n')).toHaveLength(1);
      expect(ended.status).toBe(status);
    }
    expect(existsSync(at('none'))).toBe(false);
    expect(digest(at('small'))).toBe(before);
    for (const name of ['cut', 'flipped']) {
      const ended = await journal(['import', at('small'), at(name)]);
      expect(ended.errors).toMatch(/^Cannot import.*\n$/);
      expect(ended.status).toBe(1);
      expect(await json('log', at('small'), '1')).toMatchObject([{ number: 2 }]);
      expect(await json('verify', at('small'))).toMatchObject({ ok: true });
    }
  });
});
