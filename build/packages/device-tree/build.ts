/**
 * Compiles the board's device trees against the kernel's own description of the machine. Two
 * outputs: `hardware.dtb` goes on the card, `qemu.dtb` only ever beside the image.
 */
import { join } from 'node:path';
import { sha256File } from '../../lib/files.ts';
import { type BuildContext, openPackage } from '../../lib/package.ts';
import { run } from '../../lib/run.ts';
import { runStep, type StepResult } from '../../lib/step.ts';

/** Answers the device trees' step. */
export async function buildDeviceTree(
  context: BuildContext,
  linux: StepResult,
): Promise<StepResult> {
  const { inputs } = await openPackage(context, import.meta.dirname);
  const { board } = context;
  const { hardware, qemu } = board.deviceTrees;
  return runStep(context, {
    name: 'device-tree',
    detail: 'compiling the device trees',
    inputs: {
      ...inputs,
      linux: linux.key,
      hardware: await sha256File(join(board.dir, hardware.source)),
      qemu: await sha256File(join(board.dir, qemu.source)),
    },
    recipe: [import.meta.filename],
    build: async (dir) => {
      const includes = join(linux.dir, 'dts');
      await compile(join(board.dir, hardware.source), includes, join(dir, 'hardware.dtb'));
      await compile(join(board.dir, qemu.source), includes, join(dir, 'qemu.dtb'));
    },
  });
}

/** Sources use the C preprocessor, as the kernel's do; `-P` keeps our paths out of the result. */
async function compile(source: string, includes: string, output: string): Promise<void> {
  const text = await run('gcc', [
    ...['-E', '-P', '-nostdinc', '-undef', '-D__DTS__', '-x', 'assembler-with-cpp'],
    ...[`-I${includes}`, source],
  ]);
  await run('dtc', ['-q', '-I', 'dts', '-O', 'dtb', '-o', output, '-'], { input: text });
}
