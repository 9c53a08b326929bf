/**
 * What a person can hand over that is no journal, or not now: one clear sentence, nothing written.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FORMAT_VERSION, SEGMENT_BYTES_MIN } from '../../vm/store/format.ts';
import { PAGE_BYTES } from '../../vm/store/storage.ts';
import { hasJournalMagic } from '../../vm/store/superblock.ts';
import { type Ended, HostProgram, JournalCopy, runHost } from './host-program.ts';

const MIB = 2 ** 20;
const SECTOR_BYTES = 512;
const EVAL = ['--eval', '3 + 4'];

/** One sentence on standard error, nothing on standard output, no stack trace, a status. */
function expectSentence(ended: Ended, pattern: RegExp, status = 1): void {
  expect(ended.output).toBe('');
  expect(ended.errors.trimEnd().split('\n')).toHaveLength(1);
  expect(ended.errors).toMatch(pattern);
  expect(ended.errors).not.toMatch(/\bat .*:\d+|Error:/);
  expect(ended.status).toBe(status);
}

/** Runs on a file that must be refused and must not change by that. */
async function expectRefusal(path: string, pattern: RegExp): Promise<void> {
  const before = await readFile(path);
  expectSentence(await runHost(['--journal', path, ...EVAL]), pattern);
  expect(before.equals(await readFile(path))).toBe(true);
}

/** A disk with a partition table whose fourth partition is a journal, said to be that large. */
async function imageOf(journal: JournalCopy, partitionBytes: number): Promise<string> {
  const path = join(journal.dir, 'card.img');
  const bytes = await journal.bytes();
  const table = Buffer.alloc(MIB);
  table.writeUInt8(0xda, 446 + 3 * 16 + 4);
  table.writeUInt32LE(MIB / SECTOR_BYTES, 446 + 3 * 16 + 8);
  table.writeUInt32LE(partitionBytes / SECTOR_BYTES, 446 + 3 * 16 + 12);
  table.writeUInt16LE(0xaa55, 510);
  await writeFile(path, Buffer.concat([table, bytes]));
  return path;
}

describe('opening what is not a journal', () => {
  let dir = '';

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'palimpsest-bad-'));
  });

  afterAll(() => rm(dir, { recursive: true, force: true }));

  test('a journal to be made that is there already, and none named', async () => {
    const path = join(dir, 'new.journal');
    const made = await runHost([
      '--journal',
      path,
      '--create',
      '--eval',
      'Smalltalk at: #a put: 7',
    ]);
    expect(made).toMatchObject({ output: '7\n', errors: '', status: 0 });
    expect((await runHost(['--journal', path, '--eval', 'a'])).output).toBe('7\n');
    const before = await readFile(path);
    const again = await runHost(['--journal', path, '--create', ...EVAL]);
    expectSentence(again, /^Cannot create journal ".*new.journal": it is there already/);
    expect(before.equals(await readFile(path))).toBe(true);
    expect((await runHost(['--create', ...EVAL])).status).toBe(2);
  });

  test('a missing file', async () => {
    const ended = await runHost(['--journal', join(dir, 'nothing'), ...EVAL]);
    expectSentence(ended, /^Cannot open journal ".*nothing": there is no such file/);
  });

  test('a directory', async () => {
    const ended = await runHost(['--journal', dir, ...EVAL]);
    expectSentence(ended, /^Cannot open journal .* is a directory/);
  });

  test('a text, an empty file, zeros', async () => {
    const path = join(dir, 'file');
    for (const bytes of [Buffer.from('Dear Sir,\n'), Buffer.alloc(0), Buffer.alloc(8 * MIB)]) {
      await writeFile(path, bytes);
      await expectRefusal(path, /^Cannot open /);
    }
  });

  test('a device that is no disk', async () => {
    for (const path of ['/dev/null', '/dev/zero']) {
      expectSentence(await runHost(['--journal', path, ...EVAL]), /^Cannot open /);
    }
  });
});

describe('opening a journal that is not whole', () => {
  test.each([
    ['by half', 32 * MIB],
    ['by one page', 64 * MIB - PAGE_BYTES],
    ['to its first region', SEGMENT_BYTES_MIN],
    ['in the first superblock', 100],
  ])('a file truncated %s', async (_, bytes) => {
    await using journal = await JournalCopy.fresh();
    await truncate(journal.path, bytes);
    await expectRefusal(journal.path, /^Cannot open /);
  });

  test('an image whose partition is smaller than its superblock says', async () => {
    await using journal = await JournalCopy.fresh();
    const path = await imageOf(journal, 48 * MIB);
    await expectRefusal(path, /^Cannot open .* has 50331648 bytes, the journal needs 67108864/);
  });

  test('an image that was cut off', async () => {
    await using journal = await JournalCopy.fresh();
    const path = await imageOf(journal, 64 * MIB);
    await truncate(path, 40 * MIB);
    await expectRefusal(path, /^Cannot open /);
  });

  test('an image that is whole opens', async () => {
    await using journal = await JournalCopy.fresh();
    const path = await imageOf(journal, 64 * MIB);
    const ended = await runHost(['--journal', path, ...EVAL]);
    expect(ended).toMatchObject({ status: 0, output: '7\n', errors: '' });
  });

  test('a journal of another version', async () => {
    await using journal = await JournalCopy.fresh();
    const bytes = await journal.bytes();
    for (let offset = 0; offset < bytes.length; offset += PAGE_BYTES) {
      if (!hasJournalMagic(bytes.subarray(offset))) continue;
      bytes.writeUInt32LE(FORMAT_VERSION + 6, offset + 16);
    }
    await writeFile(journal.path, bytes);
    await expectRefusal(journal.path, new RegExp(`^Cannot open .*\\b${FORMAT_VERSION + 6}\\b`));
  });
});

describe('a journal that somebody else uses', () => {
  test('a second program is refused, the first goes on', async () => {
    await using journal = await JournalCopy.fresh();
    await using first = await journal.start();
    await first.type('Smalltalk at: #inbox put: 42');
    await expectRefusal(journal.path, /^Cannot open journal .* another program is using it/);
    expect(await first.type('inbox')).toBe('42');
  });

  test('an image open in QEMU is refused, and QEMU refuses one that is open here', async () => {
    await using journal = await JournalCopy.fresh();
    const qemu = await startQemu(journal.path);
    try {
      expect(qemu.said).toContain('(qemu)');
      await expectRefusal(journal.path, /^Cannot open journal .* another program is using it/);
    } finally {
      await qemu.kill();
    }
    await using program = await journal.start();
    const second = await startQemu(journal.path);
    await second.kill();
    expect(second.said).toMatch(/lock/);
    expect(await program.type('3 + 4')).toBe('7');
  });
});

describe('a journal on a rotten medium', () => {
  test('damage is told, the rest is usable, nothing is written over it', async () => {
    await using journal = await JournalCopy.fresh();
    await journal.run('--eval', 'Smalltalk at: #inbox put: 42');
    const bytes = await journal.bytes();
    const blocks = Array.from({ length: bytes.length / PAGE_BYTES }, (_, index) => index).filter(
      (index) => bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES).some(Boolean),
    );
    // The second half of what is there: the pages of the image, not the way to them.
    for (const block of blocks.filter((_, index) => index > 60 && index % 9 === 0)) {
      const at = block * PAGE_BYTES + 2000;
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0x55, at);
    }
    await writeFile(journal.path, bytes);
    await using program = await journal.start({ words: ['--recovery'], prompt: 'recovery> ' });
    expect(await program.type('verify', 'recovery> ')).toMatch(
      /\d+ damaged, the first: Cannot read/,
    );
    program.write('continue\n');
    await program.waitFor(/(st|recovery)> /);
    expect(program.output).not.toMatch(/\.ts:\d+|\bat file:/);
    await program.kill();
    const ended = await journal.run('--eval', 'inbox');
    expect(ended.status).toBe(1);
    expect(ended.errors).toMatch(/cannot be read|Cannot start generation/);
  });
});

describe('the command line', () => {
  test('an unknown option shows the usage', async () => {
    const ended = await runHost(['--bogus']);
    expect(ended.status).toBe(2);
    expect(ended.errors).toMatch(/^Cannot start: .*--bogus.*\nUsage: npm run host/);
  });

  test('an option without its value', async () => {
    for (const option of ['--journal', '--eval']) {
      const ended = await runHost([option]);
      expect(ended.status).toBe(2);
      expect(ended.errors).toMatch(/^Cannot start: /);
    }
  });

  test('a value is printed, statuses tell', async () => {
    const factorial = '(1 to: 20) inject: 1 into: [:a :b | a * b]';
    expect(await runHost(['--eval', factorial])).toMatchObject({
      status: 0,
      output: '2432902008176640000\n',
    });
    expect(await runHost(['--eval', '3 +', '--eval', '4'])).toMatchObject({
      status: 1,
      output: '',
    });
    expectSentence(await runHost(['--eval', '3 +']), /at line 1 column 4/);
    expectSentence(await runHost(['--eval', '| a |\na := 3.\na := ]']), /at line 3 column 6/);
  });

  test('an error nobody handles ends with its description and stack', async () => {
    const ended = await runHost(['--eval', '#(1 2) collect: [:each | each / 0]']);
    expect(ended).toMatchObject({ status: 1, output: '' });
    expect(ended.errors).toMatch(/^ZeroDivide/);
    expect(ended.errors).toMatch(/\n {2}\[\].*DoIt.*\n/);
  });
});

/** Opens a file in a QEMU that never runs a thing. */
async function startQemu(path: string): Promise<{ said: string; kill(): Promise<void> }> {
  const drive = `file=${path},if=none,id=card,format=raw`;
  const words = [
    '-M',
    'virt',
    '-S',
    '-nic',
    'none',
    '-display',
    'none',
    '-serial',
    'none',
    '-monitor',
    'stdio',
  ];
  const child = spawn('qemu-system-aarch64', [
    ...words,
    '-drive',
    drive,
    '-device',
    'virtio-blk-device,drive=card',
  ]);
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const started = {
    said: '',
    kill: () => {
      child.kill('SIGKILL');
      return ended;
    },
  };
  const open = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        started.said += text;
        if (started.said.includes('(qemu)')) resolve();
      });
    }
  });
  await Promise.race([open, ended]);
  return started;
}

test('the harness tells a program that has ended', async () => {
  await using program = new HostProgram(['--eval', '3 + 4']);
  await expect(program.waitFor('never said')).rejects.toThrow(/it ended \(0\)/);
});
