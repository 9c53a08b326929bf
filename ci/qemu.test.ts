/** What the harness decides before QEMU runs; the boot tests prove the rest. */
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MIB, readBoard } from '../build/lib/board.ts';
import { writeMbr } from '../build/lib/mbr.ts';
import { addParameters, cloneImage, extractBootFiles, slowness } from './qemu.ts';

describe('addParameters()', () => {
  test("puts parameters before the -- that begins init's arguments", () => {
    expect(addParameters('quiet rdinit=/bin/node -- /app/main.js', ['loglevel=7'])).toBe(
      'quiet rdinit=/bin/node loglevel=7 -- /app/main.js',
    );
  });

  test('adds at the end when init has no arguments', () => {
    expect(addParameters('quiet', ['a=1', 'b'])).toBe('quiet a=1 b');
  });

  test('is not misled by dashes inside a word', () => {
    expect(addParameters('a=--b quiet', ['c'])).toBe('a=--b quiet c');
  });
});

describe('slowness()', () => {
  test('stretches waits and never shrinks them', () => {
    expect(slowness({ PALIMPSEST_SLOW: '3' })).toBe(3);
    expect(slowness({ PALIMPSEST_SLOW: '0.1' })).toBe(1);
    expect(slowness({ PALIMPSEST_SLOW: 'nonsense' })).toBe(1);
    expect(slowness({})).toBe(1);
  });
});

describe('extractBootFiles()', () => {
  let dir = '';

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'palimpsest-qemu-test-'));
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  test('says how to get an image that is missing', async () => {
    await expect(extractBootFiles(join(dir, 'none.img'), dir)).rejects.toThrow(
      'no such file; run npm run image',
    );
  });

  test('refuses a file that is no card image', async () => {
    const image = join(dir, 'card.img');
    await writeFile(image, Buffer.alloc(MIB));
    await expect(extractBootFiles(image, dir)).rejects.toThrow('it has no partition table');
  });

  test('refuses a truncated image with both sizes', async () => {
    const image = join(dir, 'card.img');
    const { layout, imageMiB } = await readBoard('rpi4');
    await writeFile(image, Buffer.concat([writeMbr(layout), Buffer.alloc(MIB)]));
    await expect(extractBootFiles(image, dir)).rejects.toThrow(
      `it has ${MIB + 512} bytes, wanted ${imageMiB * MIB} (truncated?)`,
    );
  });
});

describe('cloneImage()', () => {
  test('copies every byte, the holes and the end too', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'palimpsest-qemu-test-'));
    try {
      const [from, to] = [join(dir, 'from'), join(dir, 'to')];
      const bytes = Buffer.alloc(3 * MIB + 100);
      bytes.write('first', 10);
      bytes.write('last', bytes.length - 4);
      await writeFile(from, bytes);
      await cloneImage(from, to);
      const handle = await open(to, 'r');
      const read = await handle.readFile();
      await handle.close();
      expect(read.equals(bytes)).toBe(true);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
