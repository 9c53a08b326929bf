/**
 * Private apt configurations, derived from the machine's own sources.
 *
 * `target` sees only the target's Debian suite and only arm64; nothing is installed from it, it
 * fetches. `host` sees the machine's own release plus its backports and the machine's real package
 * state; it installs build tools. Lists and caches of both lie in our cache: the machine's apt
 * configuration, lists and foreign architectures stay as they are, and fetching needs no root.
 */
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AptSource,
  type DebianMirrors,
  findMirrors,
  formatDeb822,
  parseDeb822,
  parseSourcesList,
} from './debian-sources.ts';
import { BuildError } from './failure.ts';
import { pathExists, writeFileAtomic } from './files.ts';
import { run } from './run.ts';

const LISTS_AGE_MS_MAX = 24 * 3600 * 1000;

export interface AptConfiguration {
  /** Pass as `apt-get -c file`. */
  file: string;
  stampFile: string;
}

/** Answers the machine's Debian mirrors, or fails with the sentence that says what to set. */
export async function machineMirrors(): Promise<DebianMirrors> {
  const found = findMirrors(await machineSources(), process.env);
  if (found) return found;
  throw new BuildError(
    'MIRROR_UNKNOWN',
    'Cannot find a Debian mirror: /etc/apt has no source for a Debian release; ' +
      'set PALIMPSEST_DEBIAN_MIRROR to the address of one',
  );
}

/** Makes the configuration that fetches from the target's suite; returns it ready for use. */
export async function targetConfiguration(cache: string, suite: string): Promise<AptConfiguration> {
  const { archive, security, signedBy } = await machineMirrors();
  const sources: AptSource[] = [
    { uri: archive, suites: [suite], components: ['main', 'non-free-firmware'], signedBy },
    { uri: security, suites: [`${suite}-security`], components: ['main'], signedBy },
  ];
  const dir = join(cache, 'apt', `target-${suite}`);
  await writeFileAtomic(join(dir, 'status'), '');
  return writeConfiguration(dir, sources, [
    '#clear APT::Architectures;',
    'APT::Architecture "arm64";',
    'APT::Architectures { "arm64"; };',
    `Dir::State "${dir}/state";`,
    `Dir::State::Status "${dir}/status";`,
  ]);
}

/** Makes the configuration that installs on this machine, with its release's backports. */
export async function hostConfiguration(
  cache: string,
  codename: string,
): Promise<AptConfiguration> {
  const { archive, security, signedBy } = await machineMirrors();
  const sources: AptSource[] = [
    {
      uri: archive,
      suites: [codename, `${codename}-updates`, `${codename}-backports`],
      components: ['main'],
      signedBy,
    },
    { uri: security, suites: [`${codename}-security`], components: ['main'], signedBy },
  ];
  return writeConfiguration(join(cache, 'apt', `host-${codename}`), sources, []);
}

/** Fetches the package lists, unless they are younger than a day. */
export async function updateLists(
  configuration: AptConfiguration,
  options: { force: boolean },
): Promise<void> {
  if (!options.force && (await pathExists(configuration.stampFile))) {
    const age = Date.now() - (await stat(configuration.stampFile)).mtimeMs;
    if (age >= 0 && age < LISTS_AGE_MS_MAX) return;
  }
  await run('apt-get', ['-c', configuration.file, '--error-on=any', 'update']);
  await writeFileAtomic(configuration.stampFile, '');
}

/** Answers the newest version of a package the configuration offers, or null. */
export async function candidateVersion(
  configuration: AptConfiguration,
  name: string,
): Promise<string | null> {
  const text = await run('apt-cache', ['-c', configuration.file, 'policy', name]);
  const version = /^\s*Candidate:\s*(\S+)/m.exec(text)?.[1];
  return version === undefined || version === '(none)' ? null : version;
}

/** Whether the configuration still offers exactly this version of a package. */
export async function offersVersion(
  configuration: AptConfiguration,
  name: string,
  version: string,
): Promise<boolean> {
  const text = await run('apt-cache', ['-c', configuration.file, 'madison', name]);
  return text.split('\n').some((line) => line.split('|')[1]?.trim() === version);
}

async function machineSources(): Promise<AptSource[]> {
  const sources: AptSource[] = [];
  const folder = '/etc/apt/sources.list.d';
  const parts = (await pathExists(folder)) ? (await readdir(folder)).sort() : [];
  for (const path of ['/etc/apt/sources.list', ...parts.map((name) => join(folder, name))]) {
    if (!(await pathExists(path))) continue;
    if (path.endsWith('.list')) sources.push(...parseSourcesList(await readFile(path, 'utf8')));
    if (path.endsWith('.sources')) sources.push(...parseDeb822(await readFile(path, 'utf8')));
  }
  return sources;
}

async function writeConfiguration(
  dir: string,
  sources: readonly AptSource[],
  lines: readonly string[],
): Promise<AptConfiguration> {
  for (const name of ['lists/partial', 'cache/archives/partial', 'state', 'parts']) {
    await mkdir(join(dir, name), { recursive: true });
  }
  const text = formatDeb822(sources);
  const sourcesFile = join(dir, 'parts', 'debian.sources');
  const stampFile = join(dir, 'lists.stamp');
  if (!(await pathExists(sourcesFile)) || (await readFile(sourcesFile, 'utf8')) !== text) {
    // Lists of other mirrors are no lists of these.
    await rm(stampFile, { force: true });
    await writeFileAtomic(sourcesFile, text);
  }
  const file = join(dir, 'apt.conf');
  await writeFileAtomic(
    file,
    `${[
      ...lines,
      // Hooks of the machine's own configuration are about the machine's own lists.
      '#clear APT::Update::Post-Invoke;',
      '#clear APT::Update::Post-Invoke-Success;',
      `Dir::State::Lists "${dir}/lists";`,
      `Dir::Cache "${dir}/cache";`,
      'Dir::Etc::SourceList "/dev/null";',
      `Dir::Etc::SourceParts "${dir}/parts";`,
      'Acquire::Languages "none";',
      'Acquire::Retries "3";',
      // The lists lie in a home directory, which apt's own unprivileged user may not enter.
      'APT::Sandbox::User "root";',
    ].join('\n')}\n`,
  );
  return { file, stampFile };
}
