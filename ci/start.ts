/**
 * `npm start`: boots output/rpi4/palimpsest.img in QEMU with its console on this terminal. What is
 * done there stays in the image file.
 *
 *   npm start [-- --machine raspi4b|virt] [--image FILE]
 */
import { parseArgs } from 'node:util';
import { BuildError, runMain } from '../build/lib/failure.ts';
import { ensureHostPackages } from '../build/lib/host-packages.ts';
import { cacheDir, imagePath } from '../build/lib/paths.ts';
import { createProgress } from '../build/lib/progress.ts';
import { MACHINES, type Machine, runQemuHere } from './qemu.ts';

const USAGE = `npm start [-- --machine ${MACHINES.join('|')}] [--image FILE]`;

async function main(): Promise<number> {
  const { machine, image } = readArguments();
  await ensureHostPackages(cacheDir(), ['qemu'], createProgress(process.stderr, 1));
  process.stderr.write(`Booting ${image} on QEMU's ${machine}; Ctrl-A X pulls the plug\n`);
  return runQemuHere({ machine, image });
}

function readArguments(): { machine: Machine; image: string } {
  let values: { machine?: string; image?: string };
  try {
    const options = { machine: { type: 'string' }, image: { type: 'string' } } as const;
    values = parseArgs({ options }).values;
  } catch (error) {
    throw new BuildError('USAGE', `Cannot start: ${(error as Error).message}; wanted ${USAGE}`);
  }
  const name = values.machine ?? 'raspi4b';
  const machine = MACHINES.find((known) => known === name);
  if (!machine) {
    throw new BuildError('USAGE', `Cannot start: machine is "${name}", wanted ${USAGE}`);
  }
  return { machine, image: values.image ?? imagePath('rpi4') };
}

await runMain(main);
