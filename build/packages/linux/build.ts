/**
 * Builds the kernel from Debian's source package with the board's configuration.
 *
 * The configuration is a list of what is on; everything else is off (allnoconfig). Kconfig drops a
 * switch silently when what it depends on is missing, so each line is looked up in the result.
 * Source and object tree stay in the cache: after a change of configuration make compiles only what
 * it must. A lock file keeps two builds of this machine out of the same tree.
 *
 * Output: `kernel.gz` (compressed Image), `linux.config` (the whole configuration) and `dts/`, the
 * part of the source the device trees need.
 */
import { copyFile, cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { BuildError } from '../../lib/failure.ts';
import { pathExists, sha256File } from '../../lib/files.ts';
import { type BuildContext, openPackage, type Package, shortHash } from '../../lib/package.ts';
import { run, SOURCE_DATE_EPOCH } from '../../lib/run.ts';
import { isRunning, runStep, type StepResult } from '../../lib/step.ts';

const SOURCE = 'linux-source-6.12';
const ARCHITECTURE = 'arm64';
const CROSS_COMPILE = 'aarch64-linux-gnu-';
/** Objects a clean build compiles, near enough for a progress bar. */
const COMPILED_FILES = 1400;
const LOCK_POLL_MS = 500;

/** Whoever builds the kernel, wherever and whenever: these decide what `uname -v` says. */
const REPRODUCIBLE = [
  `KBUILD_BUILD_TIMESTAMP=@${SOURCE_DATE_EPOCH}`,
  'KBUILD_BUILD_USER=palimpsest',
  'KBUILD_BUILD_HOST=palimpsest',
  'KBUILD_BUILD_VERSION=1',
];

/** Answers the kernel's step, building it when configuration, source or compiler are new. */
export async function buildLinux(context: BuildContext): Promise<StepResult> {
  const linux = await openPackage(context, import.meta.dirname);
  const config = join(context.board.dir, context.board.kernel.config);
  return runStep(context, {
    name: 'linux',
    detail: 'compiling the kernel (about ten minutes on two cores)',
    inputs: { ...linux.inputs, config: await sha256File(config) },
    recipe: [import.meta.filename],
    build: async (dir) => compile(context, linux, config, dir),
  });
}

async function compile(
  context: BuildContext,
  linux: Package,
  config: string,
  dir: string,
): Promise<void> {
  const { cache, progress } = context;
  const version = linux.inputs[`source ${SOURCE}`]?.split(' ')[0] ?? '';
  const compiler = shortHash(linux.inputs['tool aarch64-linux-gnu-gcc'] ?? '');
  const work = join(cache, 'work', `linux-${version}`);
  await mkdir(work, { recursive: true });
  const release = await takeLock(join(work, 'lock'));
  try {
    const source = join(work, 'source');
    if (!(await pathExists(source))) await unpack(await linux.fetch(SOURCE), work, source);
    const objects = join(work, `build-${compiler}`);
    await mkdir(objects, { recursive: true });
    const make = (targets: readonly string[], onLine?: (line: string) => void) =>
      run(
        'nice',
        [
          ...['make', '-C', source, `O=${objects}`, `ARCH=${ARCHITECTURE}`],
          ...[`CROSS_COMPILE=${CROSS_COMPILE}`, ...REPRODUCIBLE, ...targets],
        ],
        { env: { KCONFIG_ALLCONFIG: config }, ...(onLine ? { onLine } : {}) },
      );
    await make(['-s', 'allnoconfig']);
    await checkConfig(config, join(objects, '.config'));
    let compiled = 0;
    await make([`-j${availableParallelism() + 1}`, 'Image.gz'], (line) => {
      if (/^ {2}(CC|AS|HOSTCC) /.test(line)) compiled++;
      progress.update(Math.min(0.99, compiled / COMPILED_FILES));
    });
    await copyFile(join(objects, 'arch', ARCHITECTURE, 'boot', 'Image.gz'), join(dir, 'kernel.gz'));
    await copyFile(join(objects, '.config'), join(dir, 'linux.config'));
    await copyDeviceTreeSources(source, join(dir, 'dts'));
  } finally {
    await release();
  }
}

/** Unpacks the source beside its place and renames it, so that a cut leaves no half tree. */
async function unpack(deb: string, work: string, source: string): Promise<void> {
  const temporary = join(work, 'unpack.tmp');
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary);
  await run('dpkg-deb', ['-x', deb, temporary]);
  const archive = join(temporary, 'usr', 'src', `${SOURCE}.tar.xz`);
  await run('tar', ['-xf', archive, '-C', temporary]);
  await rename(join(temporary, SOURCE), source);
  await rm(temporary, { recursive: true, force: true });
}

async function checkConfig(wantedPath: string, gotPath: string): Promise<void> {
  const got = new Set((await readFile(gotPath, 'utf8')).split('\n'));
  const wanted = (await readFile(wantedPath, 'utf8')).split('\n');
  const lost = wanted.filter((line) => line.startsWith('CONFIG_') && !got.has(line));
  if (lost.length === 0) return;
  throw new BuildError(
    'BOARD_INVALID',
    `Cannot configure the kernel: ${lost.join(', ')} did not take effect; ` +
      'name in linux.config what they depend on, or leave them out',
  );
}

/** The device trees include each other across architectures by these prefixes. */
async function copyDeviceTreeSources(source: string, dts: string): Promise<void> {
  for (const architecture of ['arm', 'arm64']) {
    const from = join(source, 'arch', architecture, 'boot', 'dts');
    const to = join(dts, architecture);
    await mkdir(to, { recursive: true });
    for (const name of await readdir(from)) {
      if (!/\.dtsi?$|\.h$/.test(name)) continue;
      await copyFile(join(from, name), join(to, name));
    }
    await cp(join(from, 'broadcom'), join(to, 'broadcom'), {
      recursive: true,
      filter: (path) => !path.endsWith('Makefile'),
    });
  }
  const bindings = join(source, 'include', 'dt-bindings');
  await cp(bindings, join(dts, 'dt-bindings'), { recursive: true, dereference: true });
  await copyFile(
    join(source, 'include', 'uapi', 'linux', 'input-event-codes.h'),
    join(dts, 'dt-bindings', 'input', 'linux-event-codes.h'),
  );
}

/** Waits until no living process holds the lock; answers the function that gives it back. */
async function takeLock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' });
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(await readFile(path, 'utf8').catch(() => '0'));
    if (holder > 0 && !isRunning(holder)) {
      await rm(path, { force: true });
      continue;
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  }
}
