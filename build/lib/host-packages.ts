/**
 * The Debian packages this machine needs, by purpose, and how they get there: what is missing is
 * installed through apt as root or with sudo; otherwise the person gets the one command to run.
 */
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import {
  type AptConfiguration,
  candidateVersion,
  hostConfiguration,
  updateLists,
} from './debian.ts';
import { BuildError } from './failure.ts';
import type { Progress } from './progress.ts';
import { run, toolEnvironment } from './run.ts';

export interface HostPackage {
  name: string;
  /** The oldest upstream version that will do, as dpkg compares versions. */
  versionMin?: string;
}

export type HostPackageGroup = keyof typeof HOST_PACKAGES;

/** What each purpose needs. QEMU's raspi4b machine came with 9.0. */
export const HOST_PACKAGES = {
  image: [
    'bc',
    'binutils-aarch64-linux-gnu',
    'bison',
    'device-tree-compiler',
    'dosfstools',
    'flex',
    'gcc',
    'gcc-aarch64-linux-gnu',
    'libc6-dev',
    'libc6-dev-arm64-cross',
    'libelf-dev',
    'libssl-dev',
    'make',
    'mtools',
    'perl',
    'xz-utils',
    'zstd',
  ].map((name): HostPackage => ({ name })),
  addon: ['gcc', 'libc6-dev'].map((name): HostPackage => ({ name })),
  qemu: [{ name: 'qemu-system-arm', versionMin: '1:9.0' }, { name: 'mtools' }] as HostPackage[],
} as const;

/** Installs what the given groups lack on this machine; quick when nothing is missing. */
export async function ensureHostPackages(
  cache: string,
  groups: readonly HostPackageGroup[],
  progress: Progress,
): Promise<void> {
  const wanted = new Map<string, HostPackage>();
  for (const group of groups) for (const item of HOST_PACKAGES[group]) wanted.set(item.name, item);
  const missing = await missingPackages([...wanted.values()]);
  if (missing.length === 0) return;
  const names = missing.map((item) => item.name).join(' ');
  progress.start('host packages', `installing ${names}`);
  const codename = await debianCodename();
  const configuration = await hostConfiguration(cache, codename);
  await updateLists(configuration, { force: false });
  const targets = await installTargets(configuration, codename, missing);
  const install = [
    'apt-get',
    ...['-c', configuration.file],
    ...['install', '--yes', '--no-install-recommends'],
    ...targets,
  ];
  const [command = '', ...args] = await asRoot(install);
  await run(command, args, { env: { DEBIAN_FRONTEND: 'noninteractive' } });
  const still = await missingPackages(missing);
  if (still.length > 0) {
    throw new BuildError(
      'HOST_PACKAGES_MISSING',
      `Cannot install Debian packages: apt ended well, but ${still.map((s) => s.name).join(', ')} ` +
        'still cannot be found; install them by hand and start again',
    );
  }
  progress.finish(`installed ${names}`);
}

async function missingPackages(items: readonly HostPackage[]): Promise<HostPackage[]> {
  const format = ['-W', '-f', '$' + '{db:Status-Abbrev} $' + '{Package} $' + '{Version}\\n'];
  const query = await execa('dpkg-query', [...format, ...items.map((item) => item.name)], {
    reject: false,
    env: toolEnvironment(),
  });
  if (typeof query.stdout !== 'string' || query.code === 'ENOENT') {
    throw new BuildError(
      'HOST_UNSUPPORTED',
      'Cannot look for build tools: dpkg-query was not found, wanted Debian 12 or 13',
    );
  }
  const installed = new Map<string, string>();
  for (const line of query.stdout.split('\n')) {
    const [status = '', name = '', version = ''] = line.trim().split(/\s+/);
    if (status.startsWith('ii')) installed.set(name, version);
  }
  const missing: HostPackage[] = [];
  for (const item of items) {
    const version = installed.get(item.name);
    const good =
      version !== undefined && (!item.versionMin || (await isAtLeast(version, item.versionMin)));
    if (!good) missing.push(item);
  }
  return missing;
}

async function isAtLeast(version: string, versionMin: string): Promise<boolean> {
  const result = await execa('dpkg', ['--compare-versions', version, 'ge', versionMin], {
    reject: false,
  });
  return result.exitCode === 0;
}

/** Chooses backports, by name, only for packages whose version in the release is too old. */
async function installTargets(
  configuration: AptConfiguration,
  codename: string,
  missing: readonly HostPackage[],
): Promise<string[]> {
  const targets: string[] = [];
  for (const { name, versionMin } of missing) {
    const candidate = await candidateVersion(configuration, name);
    if (!versionMin || (candidate !== null && (await isAtLeast(candidate, versionMin)))) {
      targets.push(name);
      continue;
    }
    targets.push(`${name}/${codename}-backports`);
    // The emulator and its data come from one source package and must match.
    if (name === 'qemu-system-arm') {
      for (const part of ['qemu-system-common', 'qemu-system-data']) {
        targets.push(`${part}/${codename}-backports`);
      }
    }
  }
  return targets;
}

async function debianCodename(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const id = /^ID=(.*)$/m.exec(release)?.[1];
  const codename = /^VERSION_CODENAME=(.*)$/m.exec(release)?.[1];
  if (id === 'debian' && codename) return codename;
  throw new BuildError(
    'HOST_UNSUPPORTED',
    `Cannot install build tools: this machine is ${id ?? 'unknown'}, wanted Debian 12 or 13`,
  );
}

async function asRoot(command: readonly string[]): Promise<string[]> {
  if (process.getuid?.() === 0) return [...command];
  const quiet = await execa('sudo', ['-n', 'true'], { reject: false });
  if (quiet.exitCode === 0) return ['sudo', '-n', ...command];
  const asksPassword = quiet.code !== 'ENOENT' && process.stdin.isTTY;
  if (
    asksPassword &&
    (await execa('sudo', ['-v'], { reject: false, stdio: 'inherit' })).exitCode === 0
  ) {
    return ['sudo', ...command];
  }
  throw new BuildError(
    'HOST_PACKAGES_MISSING',
    `Cannot install Debian packages: not root and no sudo; run as root: ${command.join(' ')}`,
  );
}
