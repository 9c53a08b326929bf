/** Takes the board's firmware files, and the licence they may be passed on under, from Debian. */
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuildContext, openPackage } from '../../lib/package.ts';
import { run } from '../../lib/run.ts';
import { runStep, type StepResult } from '../../lib/step.ts';

/** The name of the licence text beside the firmware. */
export const FIRMWARE_LICENCE = 'FIRMWARE.TXT';

/** Answers the firmware's step: one file for each name in board.json, and the licence. */
export async function buildFirmware(context: BuildContext): Promise<StepResult> {
  const firmware = await openPackage(context, import.meta.dirname);
  const files = context.board.firmware;
  return runStep(context, {
    name: 'firmware',
    detail: 'unpacking the firmware',
    inputs: { ...firmware.inputs, files: files.join(' ') },
    recipe: [import.meta.filename],
    build: async (dir) => {
      const tree = join(dir, 'unpacked');
      await mkdir(tree);
      await run('dpkg-deb', ['-x', await firmware.fetch('raspi-firmware'), tree]);
      const from = join(tree, 'usr', 'lib', 'raspi-firmware');
      for (const file of files) await copyFile(join(from, file), join(dir, file));
      const licence = join(tree, 'usr', 'share', 'doc', 'raspi-firmware', 'copyright');
      await copyFile(licence, join(dir, FIRMWARE_LICENCE));
      await rm(tree, { recursive: true });
    },
  });
}
