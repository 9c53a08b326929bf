/**
 * Puts the card image together from the partition table and the four partitions, beside it the
 * device tree for QEMU, and says in manifest.json what went in and what came out.
 *
 * The image in output/ is the one `npm start` boots, and what is done there stays in it. So when
 * the inputs change and the image has been used since it was made, it is kept under another name
 * and never overwritten.
 */
import { copyFile, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MIB } from '../lib/board.ts';
import { pathExists, sha256, sha256File, writeFileAtomic } from '../lib/files.ts';
import { writeMbr } from '../lib/mbr.ts';
import type { BuildContext } from '../lib/package.ts';
import { copySparse, writeFully } from '../lib/sparse.ts';
import type { StepResult } from '../lib/step.ts';
import { writeManifest } from './manifest.ts';

export interface ImageParts {
  boot: StepResult;
  journal: StepResult;
  deviceTree: StepResult;
}

interface OutputStamp {
  key: string;
  image: { sizeBytes: number; mtimeMs: number };
}

export const IMAGE_FILE = 'palimpsest.img';
const STAMP_FILE = '.stamp.json';

/** Puts image, QEMU device tree and manifest into `outputDir`; answers what was done in words. */
export async function assembleImage(
  context: BuildContext,
  parts: ImageParts,
  outputDir: string,
): Promise<string> {
  const { board, progress } = context;
  const image = join(outputDir, IMAGE_FILE);
  const key = sha256(
    JSON.stringify([
      parts.boot.key,
      parts.journal.key,
      parts.deviceTree.key,
      board.layout,
      await sha256File(import.meta.filename),
    ]),
  );
  const stamp = await readStamp(join(outputDir, STAMP_FILE));
  if (stamp?.key === key && (await pathExists(image))) {
    progress.skip('image');
    return `${image} is up to date`;
  }
  progress.start('image', 'putting the card image together');
  const kept = await keepUsedImage(image, stamp, outputDir);
  if (kept) progress.note(`The image was used since it was made; it is kept as ${kept}`);
  await mkdir(join(outputDir, 'qemu'), { recursive: true });
  const temporary = join(outputDir, `.${IMAGE_FILE}.${process.pid}.tmp`);
  try {
    await compose(context, parts, temporary);
    const qemuTree = join(outputDir, 'qemu', board.deviceTrees.qemu.file);
    await copyFile(join(parts.deviceTree.dir, 'qemu.dtb'), qemuTree);
    await writeManifest(context, {
      path: join(outputDir, 'manifest.json'),
      image: temporary,
      imageName: IMAGE_FILE,
      qemuTree,
      ...parts,
    });
    await rename(temporary, image);
  } finally {
    await rm(temporary, { force: true });
  }
  const { size, mtimeMs } = await stat(image);
  const fresh: OutputStamp = { key, image: { sizeBytes: size, mtimeMs } };
  await writeFileAtomic(join(outputDir, STAMP_FILE), `${JSON.stringify(fresh)}\n`);
  progress.finish('built');
  return `${image} is ready`;
}

async function compose(context: BuildContext, parts: ImageParts, path: string): Promise<void> {
  const { board } = context;
  const handle = await open(path, 'w');
  try {
    await handle.truncate(board.imageMiB * MIB);
    await writeFully(handle, writeMbr(board.layout), 0);
    for (const { role, name, startMiB } of board.layout.partitions) {
      const from =
        role === 'journal'
          ? join(parts.journal.dir, 'journal.img')
          : join(parts.boot.dir, `${name}.img`);
      await copySparse(from, handle, startMiB * MIB);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readStamp(path: string): Promise<OutputStamp | null> {
  if (!(await pathExists(path))) return null;
  return JSON.parse(await readFile(path, 'utf8')) as OutputStamp;
}

/** Moves an image away that somebody may have lived in; answers its new path, or null. */
async function keepUsedImage(
  image: string,
  stamp: OutputStamp | null,
  outputDir: string,
): Promise<string | null> {
  if (!(await pathExists(image))) return null;
  const { size, mtimeMs, mtime } = await stat(image);
  if (stamp?.image.sizeBytes === size && stamp.image.mtimeMs === mtimeMs) return null;
  const moment = mtime.toISOString().slice(0, 19).replace(/[:T]/g, '-');
  const kept = join(outputDir, `palimpsest-${moment}.img`);
  await rename(image, kept);
  return kept;
}
