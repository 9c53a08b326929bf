/**
 * `npm test`: everything that must hold. Sets up what is missing, builds the image, then runs the
 * quick checks, the simulator with fresh seeds, and the tests that cross modules, QEMU included.
 * Closes with one line `N passed, N failed`; exits non-zero when anything failed.
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareHost } from '../build/host.ts';
import { runMain } from '../build/lib/failure.ts';
import { ensureHostPackages } from '../build/lib/host-packages.ts';
import { boardOutputDir, cacheDir } from '../build/lib/paths.ts';
import { createProgress } from '../build/lib/progress.ts';
import { buildImage, STEP_COUNT } from '../build/pipeline.ts';
import { runChecks } from './check.ts';

/** Workloads the simulator runs, a thousand crash images each; `npm run sim` has more. */
const SIM_RUNS = 60;

interface Tally {
  passed: number;
  failed: number;
}

const root = join(import.meta.dirname, '..');

function vitest(name: string, config: string): Tally {
  const dir = mkdtempSync(join(tmpdir(), 'palimpsest-test-'));
  const report = join(dir, 'report.json');
  console.log(`\n== ${name}`);
  const done = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      `--config=${config}`,
      '--reporter=verbose',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    { cwd: root, stdio: 'inherit' },
  );
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8')) as {
      numPassedTests: number;
      numFailedTests: number;
    };
    // A file that could not even be loaded fails the run without failing a test.
    const failed = Math.max(numFailedTests, done.status === 0 ? 0 : 1);
    return { passed: numPassedTests, failed };
  } catch {
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function simulate(): Tally {
  const seed = String(randomInt(2 ** 31));
  console.log(`\n== simulator, seed ${seed}`);
  const done = spawnSync(
    process.execPath,
    [join(root, 'test/sim/main.ts'), '--seed', seed, '--runs', String(SIM_RUNS), '--workers', '2'],
    { cwd: root, stdio: 'inherit' },
  );
  return done.status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

async function main(): Promise<number> {
  const cache = cacheDir();
  const progress = createProgress(process.stderr, STEP_COUNT);
  await ensureHostPackages(cache, ['image', 'addon', 'qemu'], progress);
  await prepareHost();
  console.log(
    await buildImage({ board: 'rpi4', cache, outputDir: boardOutputDir('rpi4'), progress }),
  );
  const checks = runChecks();
  const tallies: Tally[] = [
    { passed: checks.passed.length, failed: checks.failed.length },
    vitest('unit tests', 'vitest.config.ts'),
    simulate(),
    vitest('system tests', 'test/vitest.config.ts'),
  ];
  const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
  const failed = tallies.reduce((sum, tally) => sum + tally.failed, 0);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

await runMain(main);
