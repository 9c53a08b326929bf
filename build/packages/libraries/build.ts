/**
 * Takes the shared libraries Node needs from the target's Debian suite, and proves that nothing is
 * missing: every library that Node or one of these libraries asks for must be here. (The addon is
 * checked where it is packed: it changes often, and these need not be compressed again then.)
 */
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildError } from '../../lib/failure.ts';
import { type BuildContext, openPackage } from '../../lib/package.ts';
import { run } from '../../lib/run.ts';
import { runStep, type StepResult } from '../../lib/step.ts';

/** The program loader's place is compiled into every binary. */
export const LOADER = 'ld-linux-aarch64.so.1';

/** What we take, by the folder it lies in inside the Debian packages. */
const FILES = {
  'usr/lib': [LOADER],
  'usr/lib/aarch64-linux-gnu': [
    'libatomic.so.1',
    'libc.so.6',
    'libdl.so.2',
    'libgcc_s.so.1',
    'libm.so.6',
    'libpthread.so.0',
    'libresolv.so.2',
    'librt.so.1',
    'libstdc++.so.6',
  ],
} as const;

/** Names of all libraries the step holds, the loader among them. */
export const LIBRARIES: readonly string[] = Object.values(FILES).flat();

/** Answers the libraries' step: the files of LIBRARIES, flat. */
export async function buildLibraries(context: BuildContext, node: StepResult): Promise<StepResult> {
  const libraries = await openPackage(context, import.meta.dirname);
  return runStep(context, {
    name: 'libraries',
    detail: 'unpacking the shared libraries',
    inputs: { ...libraries.inputs, node: node.key },
    recipe: [import.meta.filename],
    build: async (dir) => {
      const tree = join(dir, 'unpacked');
      await mkdir(tree);
      for (const source of libraries.about.sources) {
        await run('dpkg-deb', ['-x', await libraries.fetch(source), tree]);
      }
      for (const [folder, names] of Object.entries(FILES)) {
        for (const name of names) await copyFile(join(tree, folder, name), join(dir, name));
      }
      await rm(tree, { recursive: true });
      const binaries = [join(node.dir, 'node'), ...LIBRARIES.map((name) => join(dir, name))];
      for (const binary of binaries) await checkLibraries(binary);
    },
  });
}

/** Fails with the missing name when a binary for the board needs a library we do not take. */
export async function checkLibraries(binary: string): Promise<void> {
  const dynamic = await run('aarch64-linux-gnu-readelf', ['-d', binary]);
  for (const [, name = ''] of dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)) {
    if (LIBRARIES.includes(name)) continue;
    throw new BuildError(
      'BOARD_INVALID',
      `Cannot complete the root file system: ${binary} needs ${name}; ` +
        'add it to build/packages/libraries/build.ts',
    );
  }
}
