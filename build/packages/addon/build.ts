/**
 * Compiles the native addon from vm/pager/native: once for the board, and once for this machine so
 * that `npm run host` and the tests run the same C. Both come from the same sources and flags.
 *
 * The warning flags are part of the review: the code has to be free of warnings to build at all.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hashTree, pathExists, sha256 } from '../../lib/files.ts';
import { ensureHostPackages } from '../../lib/host-packages.ts';
import { type BuildContext, openPackage } from '../../lib/package.ts';
import { cacheDir, checkoutDir } from '../../lib/paths.ts';
import { createProgress, silentProgress } from '../../lib/progress.ts';
import { run, toolVersion } from '../../lib/run.ts';
import { runStep, type StepResult } from '../../lib/step.ts';

const SOURCES = join('vm', 'pager', 'native');
const HEADERS = join('node_modules', 'node-api-headers', 'include');
const FLAGS = [
  ...['-std=gnu17', '-O2', '-fPIC', '-shared', '-pthread', '-fvisibility=hidden'],
  ...['-fstack-protector-strong', '-Wall', '-Wextra', '-Wvla', '-Wshadow', '-Werror'],
  ...['-DNAPI_VERSION=9', '-DNODE_GYP_MODULE_NAME=palimpsest', '-Wl,-z,now', '-s'],
];

/** Answers the board's addon as a step: `addon.node` for arm64. */
export async function buildAddon(context: BuildContext): Promise<StepResult> {
  const addon = await openPackage(context, import.meta.dirname);
  const sources = join(context.sourceRoot, SOURCES);
  return runStep(context, {
    name: 'addon',
    detail: 'compiling the native addon',
    inputs: { ...addon.inputs, sources: await hashSources(sources) },
    recipe: [import.meta.filename],
    build: (dir) => compile('aarch64-linux-gnu-gcc', sources, join(dir, 'addon.node')),
  });
}

/**
 * Answers the path of the addon for this machine, compiling it when its sources are new. Quick when
 * nothing changed: it hashes the sources and asks the compiler for its version.
 */
export async function hostAddon(): Promise<string> {
  const cache = cacheDir();
  await ensureHostPackages(cache, ['addon'], createProgress(process.stderr, 1));
  const sources = join(checkoutDir, SOURCES);
  const step = await runStep(
    { stepsDir: join(cache, 'steps'), progress: silentProgress },
    {
      name: `addon-${process.arch}`,
      detail: 'compiling the native addon for this machine',
      inputs: { compiler: await toolVersion('gcc'), sources: await hashSources(sources) },
      recipe: [import.meta.filename],
      build: (dir) => compile('gcc', sources, join(dir, 'addon.node')),
    },
  );
  return join(step.dir, 'addon.node');
}

async function hashSources(sources: string): Promise<string> {
  const headers = await hashTree(join(checkoutDir, HEADERS));
  if (!(await pathExists(sources))) return headers;
  return sha256(`${headers} ${await hashTree(sources, (name) => !/\.test\./.test(name))}`);
}

async function compile(compiler: string, sources: string, output: string): Promise<void> {
  const names = (await readdir(sources)).filter((name) => name.endsWith('.c')).sort();
  await run(
    compiler,
    [...FLAGS, `-I${join(checkoutDir, HEADERS)}`, '-I.', '-o', output, ...names],
    { cwd: sources },
  );
}
