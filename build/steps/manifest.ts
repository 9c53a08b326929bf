/**
 * manifest.json: everything that went into an image and everything that came out, each with its
 * SHA-256. No times and no paths of this machine: the same inputs give the same manifest.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compareCodeUnits, listFiles, sha256File, writeFileAtomic } from '../lib/files.ts';
import { lockedSource } from '../lib/lock.ts';
import type { BuildContext } from '../lib/package.ts';
import type { StepResult } from '../lib/step.ts';

interface ManifestOptions {
  path: string;
  image: string;
  imageName: string;
  qemuTree: string;
  boot: StepResult;
  journal: StepResult;
  deviceTree: StepResult;
}

/** Writes the manifest of a finished image. */
export async function writeManifest(
  context: BuildContext,
  options: ManifestOptions,
): Promise<void> {
  const { board, lock } = context;
  const outputs = [await output(options.imageName, options.image)];
  outputs.push(await output(`qemu/${board.deviceTrees.qemu.file}`, options.qemuTree));
  for (const { name, role } of board.layout.partitions) {
    const path =
      role === 'journal'
        ? join(options.journal.dir, 'journal.img')
        : join(options.boot.dir, `${name}.img`);
    outputs.push(await output(`partition ${name}`, path));
  }
  const slot = join(options.boot.dir, 'slot');
  for (const file of await listFiles(slot)) {
    outputs.push(await output(`slot ${file}`, join(slot, file)));
  }
  const fetched = [...context.sources].map((name) => {
    const { kind, version, pinnedVersion, sha256, sizeBytes, licence } = lockedSource(lock, name);
    const instead = pinnedVersion === undefined ? {} : { pinnedVersion };
    return { name, origin: kind, version, ...instead, sha256, sizeBytes, licence };
  });
  const own = {
    name: 'palimpsest',
    origin: 'checkout',
    version: context.version,
    ...context.ownSources,
    licence: 'MIT',
  };
  const manifest = {
    board: board.name,
    suite: lock.suite,
    inputs: [own, ...fetched].sort((a, b) => compareCodeUnits(a.name, b.name)),
    tools: Object.fromEntries(
      [...context.tools]
        .sort(([a], [b]) => compareCodeUnits(a, b))
        .concat([['node', process.version]]),
    ),
    outputs,
  };
  await writeFileAtomic(options.path, `${JSON.stringify(manifest, null, 2)}\n`);
}

async function output(
  name: string,
  path: string,
): Promise<{ name: string; sizeBytes: number; sha256: string }> {
  return { name, sizeBytes: (await stat(path)).size, sha256: await sha256File(path) };
}
