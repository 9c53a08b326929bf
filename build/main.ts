/**
 * `npm run image`: from sources to output/<board>/palimpsest.img. The recipe is pipeline.ts; this
 * file reads the arguments, brings the machine into shape and reports.
 *
 *   npm run image [-- --relock]
 *
 * --relock pins the newest versions of what is fetched in build/lock.json and then builds.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BuildError, runMain } from './lib/failure.ts';
import { ensureHostPackages } from './lib/host-packages.ts';
import { npmVersions, relock } from './lib/lock.ts';
import { boardOutputDir, cacheDir, checkoutDir } from './lib/paths.ts';
import { createProgress } from './lib/progress.ts';
import { buildImage, STEP_COUNT } from './pipeline.ts';

const DEFAULT_BOARD = 'rpi4';
const USAGE = 'npm run image [-- --relock]';

async function main(): Promise<number> {
  const options = readArguments();
  const cache = cacheDir();
  const progress = createProgress(process.stderr, STEP_COUNT);
  await ensureHostPackages(cache, ['image'], progress);
  if (options.relock) {
    const versions = await npmVersions(join(checkoutDir, 'package.json'));
    await relock(cache, join(checkoutDir, 'build', 'lock.json'), versions, progress);
  }
  const outputDir = boardOutputDir(DEFAULT_BOARD);
  process.stdout.write(
    `${await buildImage({ board: DEFAULT_BOARD, cache, outputDir, progress })}\n`,
  );
  return 0;
}

function readArguments(): { relock: boolean } {
  try {
    const { values } = parseArgs({ options: { relock: { type: 'boolean', default: false } } });
    return { relock: values.relock };
  } catch (error) {
    throw new BuildError('USAGE', `Cannot build: ${(error as Error).message}; wanted ${USAGE}`);
  }
}

// Steps leave only temporary names behind, which the next build removes.
process.once('SIGINT', () => {
  process.stderr.write('\nStopped; the next npm run image goes on from here\n');
  process.exit(130);
});
await runMain(main);
