/** A wrong board file gives a sentence with file, field and wanted value. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutFault, readBoard } from './board.ts';
import { BuildError } from './failure.ts';
import { checkoutDir } from './paths.ts';

type Json = Record<string, unknown>;

describe('readBoard()', () => {
  let root = '';

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'palimpsest-board-'));
    await cp(join(checkoutDir, 'board'), join(root, 'board'), { recursive: true });
  });

  afterEach(() => rm(root, { recursive: true, force: true }));

  async function change(file: string, edit: (data: Json) => void): Promise<void> {
    const path = join(root, 'board', 'rpi4', file);
    const data = JSON.parse(await readFile(path, 'utf8')) as Json;
    edit(data);
    await writeFile(path, JSON.stringify(data));
  }

  async function fault(): Promise<string> {
    const error = await readBoard('rpi4', root).then(
      () => null,
      (reason: unknown) => reason,
    );
    if (!(error instanceof BuildError)) throw new Error(`no BuildError but ${error}`);
    return error.message;
  }

  test('reads the board as it is', async () => {
    const board = await readBoard('rpi4', root);
    expect(board.layout.partitions).toHaveLength(4);
  });

  test('names a wrong value', async () => {
    await change('board.json', (data) => (data['imageMiB'] = 500));
    expect(await fault()).toBe(
      'Cannot use board/rpi4/board.json: imageMiB is 500, wanted 128 or 256 or 512',
    );
  });

  test('names a missing field', async () => {
    await change('board.json', (data) => delete data['initramfs']);
    expect(await fault()).toBe(
      'Cannot use board/rpi4/board.json: initramfs is missing, wanted a file name',
    );
  });

  test('names an unknown field', async () => {
    await change('board.json', (data) => ((data['kernel'] as Json)['colour'] = 'red'));
    expect(await fault()).toBe(
      'Cannot use board/rpi4/board.json: kernel.colour is unknown, wanted one of config, file',
    );
  });

  test('names a file that is not there', async () => {
    await change('board.json', (data) => (data['bootFiles'] = ['config.txt', 'gone.txt']));
    expect(await fault()).toBe(
      'Cannot use board/rpi4/board.json: it names gone.txt, wanted a file in board/rpi4',
    );
  });

  test('names what is not JSON', async () => {
    await writeFile(join(root, 'board', 'rpi4', 'board.json'), '{');
    expect(await fault()).toContain('Cannot read board/rpi4/board.json: it is not JSON');
  });

  test('names a partition that overlaps the one before', async () => {
    await change('partitions.json', (data) => {
      const [, , slotB] = data['partitions'] as Json[];
      if (slotB) slotB['startMiB'] = 40;
    });
    expect(await fault()).toBe(
      'Cannot use board/rpi4/partitions.json: partitions.2.startMiB is 40, ' +
        'wanted at least 84 for slot-b',
    );
  });

  test('names a layout that is larger than the image', async () => {
    const { layout } = await readBoard('rpi4', root);
    expect(layoutFault(layout, 256)).toContain('the last partition ends at 512 MiB');
  });
});
