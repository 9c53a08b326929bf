/**
 * Packs the root file system: a zstd-compressed initramfs in two segments, which the kernel unpacks
 * one after the other. The first holds Node and its libraries and changes only with their versions;
 * the second holds our program, the addon and overlay/, and is packed again in a moment.
 *
 * Compression is Node's own zstd: its version is pinned by package-lock.json, the host's is not.
 */
import { lstat, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { addParents, type CpioEntry, writeCpio } from '../lib/cpio.ts';
import { hashTree, listFiles, pathExists } from '../lib/files.ts';
import type { BuildContext } from '../lib/package.ts';
import { runStep, type StepResult } from '../lib/step.ts';
import { checkLibraries, LIBRARIES, LOADER } from '../packages/libraries/build.ts';

const LEVEL = 19;
/** Folders the first program mounts on, or that programs expect. */
const EMPTY_FOLDERS = ['dev', 'proc', 'sys', 'run', 'tmp', 'etc'];
const cpioRecipe = join(import.meta.dirname, '..', 'lib', 'cpio.ts');

/** Answers the step with Node and its libraries: `base.cpio.zst`. */
export async function packBase(
  context: BuildContext,
  parts: { node: StepResult; libraries: StepResult },
): Promise<StepResult> {
  const { node, libraries } = parts;
  return runStep(context, {
    name: 'initramfs-base',
    detail: 'compressing Node and its libraries',
    inputs: { node: node.key, libraries: libraries.key, zstd: String(process.versions['zstd']) },
    recipe: [import.meta.filename, cpioRecipe],
    build: async (dir) => {
      const tree = new Map<string, CpioEntry>();
      for (const name of EMPTY_FOLDERS) {
        tree.set(name, { kind: 'folder', mode: name === 'tmp' ? 0o1777 : 0o755 });
      }
      tree.set('bin/node', await fileEntry(join(node.dir, 'node'), 0o755));
      for (const name of LIBRARIES) {
        const place = name === LOADER ? `lib/${name}` : `lib/aarch64-linux-gnu/${name}`;
        tree.set(place, await fileEntry(join(libraries.dir, name), 0o755));
      }
      await pack(tree, join(dir, 'base.cpio.zst'));
    },
  });
}

/** Answers the step with our program, the addon and overlay/: `app.cpio.zst`. */
export async function packApp(
  context: BuildContext,
  parts: { vm: StepResult; addon: StepResult },
): Promise<StepResult> {
  const { vm, addon } = parts;
  const overlay = join(context.sourceRoot, 'overlay');
  const keep = (name: string) => name !== 'README.md';
  const hasOverlay = await pathExists(overlay);
  return runStep(context, {
    name: 'initramfs-app',
    detail: 'compressing the program',
    inputs: {
      vm: vm.key,
      addon: addon.key,
      overlay: hasOverlay ? await hashTree(overlay, keep) : '',
      zstd: String(process.versions['zstd']),
    },
    recipe: [import.meta.filename, cpioRecipe],
    build: async (dir) => {
      await checkLibraries(join(addon.dir, 'addon.node'));
      const tree = new Map<string, CpioEntry>();
      for (const name of await listFiles(vm.dir, (path) => path !== 'stamp.json')) {
        tree.set(`app/${name}`, await fileEntry(join(vm.dir, name), 0o644));
      }
      tree.set('app/addon.node', await fileEntry(join(addon.dir, 'addon.node'), 0o755));
      if (hasOverlay) await addOverlay(tree, overlay, keep);
      await pack(tree, join(dir, 'app.cpio.zst'));
    },
  });
}

async function addOverlay(
  tree: Map<string, CpioEntry>,
  overlay: string,
  keep: (name: string) => boolean,
): Promise<void> {
  for (const name of await listFiles(overlay, keep)) {
    const path = join(overlay, name);
    const status = await lstat(path);
    if (status.isSymbolicLink()) tree.set(name, { kind: 'link', target: await readlink(path) });
    else tree.set(name, await fileEntry(path, status.mode & 0o100 ? 0o755 : 0o644));
  }
}

async function fileEntry(path: string, mode: number): Promise<CpioEntry> {
  return { kind: 'file', mode, data: await readFile(path) };
}

async function pack(tree: Map<string, CpioEntry>, output: string): Promise<void> {
  addParents(tree);
  const archive = writeCpio(tree);
  const compressed = await promisify(zstdCompress)(archive, {
    pledgedSrcSize: archive.length,
    params: {
      [constants.ZSTD_c_compressionLevel]: LEVEL,
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
  await writeFile(output, compressed);
}
