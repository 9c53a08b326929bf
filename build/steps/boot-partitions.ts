/**
 * Makes the three FAT partitions: the selector with autoboot.txt, and the two slots, which start
 * out the same. Serial numbers and times are fixed; files are copied in a fixed order into an
 * empty file system, so they also lie in the same clusters every time.
 */
import { copyFile, mkdir, open, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AUTOBOOT_FILE, autobootSector, SLOT_PARTITIONS } from '../lib/autoboot.ts';
import { MIB, type Partition } from '../lib/board.ts';
import { BuildError } from '../lib/failure.ts';
import { sha256File } from '../lib/files.ts';
import { type BuildContext, useTool } from '../lib/package.ts';
import { run, SOURCE_DATE_EPOCH } from '../lib/run.ts';
import { runStep, type StepResult } from '../lib/step.ts';
import { FIRMWARE_LICENCE } from '../packages/firmware/build.ts';

export interface BootParts {
  linux: StepResult;
  deviceTree: StepResult;
  firmware: StepResult;
  base: StepResult;
  app: StepResult;
}

/** Answers the step: `boot.img`, `slot-a.img`, `slot-b.img` and the `slot/` files they hold. */
export async function buildBootPartitions(
  context: BuildContext,
  parts: BootParts,
): Promise<StepResult> {
  const { board } = context;
  const inputs: Record<string, string> = {};
  for (const [name, part] of Object.entries(parts)) inputs[name] = (part as StepResult).key;
  for (const file of board.bootFiles) {
    inputs[`file ${file}`] = await sha256File(join(board.dir, file));
  }
  return runStep(context, {
    name: 'boot-partitions',
    detail: 'filling the boot slots',
    inputs: {
      ...inputs,
      board: JSON.stringify({ ...board, dir: '' }),
      mkfs: await useTool(context, 'mkfs.fat'),
      mtools: await useTool(context, 'mtools'),
    },
    recipe: [import.meta.filename, join(import.meta.dirname, '..', 'lib', 'autoboot.ts')],
    build: async (dir) => {
      const slot = join(dir, 'slot');
      await mkdir(slot);
      const files = await gatherSlot(context, parts, slot);
      const selector = join(dir, AUTOBOOT_FILE);
      await writeFile(selector, autobootSector(SLOT_PARTITIONS[0]));
      for (const partition of board.layout.partitions) {
        if (!partition.fat) continue;
        const content = partition.role === 'slot' ? files : [selector];
        await makeFat(join(dir, `${partition.name}.img`), partition, content);
      }
      await rm(selector);
    },
  });
}

async function gatherSlot(
  context: BuildContext,
  parts: BootParts,
  slot: string,
): Promise<string[]> {
  const { board } = context;
  const initramfs = join(slot, board.initramfs);
  await writeFile(
    initramfs,
    Buffer.concat([
      await readFile(join(parts.base.dir, 'base.cpio.zst')),
      await readFile(join(parts.app.dir, 'app.cpio.zst')),
    ]),
  );
  const { size } = await stat(initramfs);
  if (size > board.initramfsBytesMax) {
    throw new BuildError(
      'OUTPUT_TOO_LARGE',
      `Cannot use ${board.initramfs}: it has ${size} bytes, wanted at most ` +
        `initramfsBytesMax in board.json, ${board.initramfsBytesMax}`,
    );
  }
  const sources: [string, string][] = [
    ...board.firmware.map((file): [string, string] => [join(parts.firmware.dir, file), file]),
    [join(parts.firmware.dir, FIRMWARE_LICENCE), FIRMWARE_LICENCE],
    ...board.bootFiles.map((file): [string, string] => [join(board.dir, file), file]),
    [join(parts.linux.dir, 'kernel.gz'), board.kernel.file],
    [join(parts.deviceTree.dir, 'hardware.dtb'), board.deviceTrees.hardware.file],
  ];
  for (const [from, file] of sources) await copyFile(from, join(slot, file));
  return [...sources.map(([, file]) => join(slot, file)), initramfs];
}

async function makeFat(
  path: string,
  partition: Partition,
  files: readonly string[],
): Promise<void> {
  const { fat, sizeMiB, startMiB, name } = partition;
  if (!fat) throw new Error(`Bug: partition ${name} is raw`);
  const handle = await open(path, 'w');
  await handle.truncate(sizeMiB * MIB);
  await handle.close();
  await run('mkfs.fat', [
    ...['--invariant', '-F', String(fat.bits), '-i', fat.serial, '-n', fat.label],
    ...['-h', String((startMiB * MIB) / 512), '-s', fat.bits === 32 ? '1' : '4', path],
  ]);
  for (const file of files) await utimes(file, SOURCE_DATE_EPOCH, SOURCE_DATE_EPOCH);
  await run('mcopy', ['-m', '-i', path, ...files, '::']);
}
