/**
 * The same lock and the same compiler give the same bytes. Everything but the kernel (too slow) is
 * built twice from nothing, the second time from a copy elsewhere, with other file times, another
 * time zone and another umask, and every byte of what comes out is compared.
 */
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listFiles, pathExists, sha256File } from '../../build/lib/files.ts';
import { ensureHostPackages } from '../../build/lib/host-packages.ts';
import { cacheDir, checkoutDir } from '../../build/lib/paths.ts';
import { createProgress, silentProgress } from '../../build/lib/progress.ts';
import { buildImage } from '../../build/pipeline.ts';

const MINUTE_MS = 60_000;

describe('the image', () => {
  let dir = '';

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'palimpsest-image-'));
    await ensureHostPackages(cacheDir(), ['image'], createProgress(process.stderr, 1));
  });

  afterAll(() => rm(dir, { recursive: true, force: true }));

  async function build(name: string, sourceRoot: string): Promise<string> {
    const outputDir = join(dir, name, 'output');
    await buildImage({
      board: 'rpi4',
      cache: cacheDir(),
      outputDir,
      progress: silentProgress,
      stepsDir: join(dir, name, 'steps'),
      linuxStepsDir: join(cacheDir(), 'steps'),
      sourceRoot,
    });
    return outputDir;
  }

  async function copySources(): Promise<string> {
    const copy = join(dir, 'elsewhere', 'sources');
    await mkdir(copy, { recursive: true });
    for (const folder of ['vm', 'initramfs', 'overlay']) {
      const from = join(checkoutDir, folder);
      if (await pathExists(from)) await cp(from, join(copy, folder), { recursive: true });
    }
    return copy;
  }

  test(
    'is the same bytes when built twice',
    async () => {
      // Both builds take copies: sources that change while this runs would be no proof of anything.
      const sources = await copySources();
      const first = await build('first', sources);

      const moved = join(dir, 'somewhere-else-entirely');
      await cp(sources, moved, { recursive: true });
      const before = { umask: process.umask(0o077), timeZone: process.env['TZ'] };
      process.env['TZ'] = 'Pacific/Auckland';
      let second: string;
      try {
        second = await build('second', moved);
      } finally {
        process.umask(before.umask);
        if (before.timeZone === undefined) delete process.env['TZ'];
        else process.env['TZ'] = before.timeZone;
      }

      // The manifests first: they name the partition or file that differs.
      const manifests = await Promise.all(
        [first, second].map((output) => readFile(join(output, 'manifest.json'), 'utf8')),
      );
      expect(manifests[1]).toBe(manifests[0]);
      const files = await listFiles(first, (name) => name !== '.stamp.json');
      expect(files).toContain('palimpsest.img');
      expect(await listFiles(second, (name) => name !== '.stamp.json')).toEqual(files);
      for (const file of files) {
        expect(`${file} ${await sha256File(join(second, file))}`).toBe(
          `${file} ${await sha256File(join(first, file))}`,
        );
      }
    },
    15 * MINUTE_MS,
  );
});
