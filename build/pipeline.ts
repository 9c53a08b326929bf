/**
 * The recipe as one function, so that the command, the tests and a second build for comparison run
 * the same thing. Reads from top to bottom as the image is made.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readBoard } from './lib/board.ts';
import { hashTree, listFiles, pathExists, sha256 } from './lib/files.ts';
import { readLock, withStandIns } from './lib/lock.ts';
import type { BuildContext } from './lib/package.ts';
import { checkoutDir } from './lib/paths.ts';
import type { Progress } from './lib/progress.ts';
import { buildAddon } from './packages/addon/build.ts';
import { buildDeviceTree } from './packages/device-tree/build.ts';
import { buildFirmware } from './packages/firmware/build.ts';
import { buildLibraries } from './packages/libraries/build.ts';
import { buildLinux } from './packages/linux/build.ts';
import { buildNode } from './packages/node/build.ts';
import { buildVm } from './packages/vm/build.ts';
import { buildBootPartitions } from './steps/boot-partitions.ts';
import { assembleImage } from './steps/disk-image.ts';
import { packApp, packBase } from './steps/initramfs.ts';
import { buildJournal } from './steps/journal.ts';

/** Steps the pipeline reports, for the progress bar. */
export const STEP_COUNT = 12;

export interface PipelineOptions {
  board: string;
  cache: string;
  outputDir: string;
  progress: Progress;
  /** Where the steps' outputs lie; `<cache>/steps` unless a test wants a build of its own. */
  stepsDir?: string;
  /** The kernel is taken from this folder's steps: it is too slow to build twice. */
  linuxStepsDir?: string;
  /** The folder with vm/, initramfs/ and overlay/: the checkout unless a test brings its own. */
  sourceRoot?: string;
}

/** Builds the image and answers what was done, in words. */
export async function buildImage(options: PipelineOptions): Promise<string> {
  const context = await openContext(options);
  const linuxStepsDir = options.linuxStepsDir ?? context.stepsDir;

  const linux = await buildLinux({ ...context, stepsDir: linuxStepsDir });
  const deviceTree = await buildDeviceTree(context, linux);
  const firmware = await buildFirmware(context);

  const node = await buildNode(context);
  const libraries = await buildLibraries(context, node);
  const base = await packBase(context, { node, libraries });
  const addon = await buildAddon(context);
  const vm = await buildVm(context);
  const app = await packApp(context, { vm, addon });

  const boot = await buildBootPartitions(context, { linux, deviceTree, firmware, base, app });
  const journal = await buildJournal(context);
  return assembleImage(context, { boot, journal, deviceTree }, options.outputDir);
}

async function openContext(options: PipelineOptions): Promise<BuildContext> {
  const sourceRoot = options.sourceRoot ?? checkoutDir;
  const packageJson = await readFile(join(checkoutDir, 'package.json'), 'utf8');
  const pinned = await readLock(join(checkoutDir, 'build', 'lock.json'));
  return {
    cache: options.cache,
    stepsDir: options.stepsDir ?? join(options.cache, 'steps'),
    progress: options.progress,
    sourceRoot,
    board: await readBoard(options.board),
    lock: await withStandIns(options.cache, pinned, options.progress),
    version: (JSON.parse(packageJson) as { version: string }).version,
    ownSources: await describeOwnSources(sourceRoot, options.board),
    tools: new Map(),
    sources: new Set(),
  };
}

/** One hash and size over everything of ours that can change the image. */
async function describeOwnSources(
  sourceRoot: string,
  board: string,
): Promise<{ sha256: string; sizeBytes: number }> {
  const folders = [
    ...['vm', 'initramfs', 'overlay'].map((name) => join(sourceRoot, name)),
    ...['build', join('board', board)].map((name) => join(checkoutDir, name)),
  ];
  const hashes: string[] = [];
  let sizeBytes = 0;
  for (const folder of folders) {
    if (!(await pathExists(folder))) continue;
    hashes.push(await hashTree(folder));
    for (const name of await listFiles(folder)) {
      sizeBytes += (await readFile(join(folder, name))).length;
    }
  }
  return { sha256: sha256(hashes.join('\n')), sizeBytes };
}
