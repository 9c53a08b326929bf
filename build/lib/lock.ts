/**
 * build/lock.json pins every file that comes from outside npm's own lock: name, version, size and
 * SHA-256. Fetching answers exactly those bytes or fails; `--relock` takes the newest versions the
 * mirrors offer and writes the file anew.
 *
 * Fetched files lie in the cache under their hash, so they are fetched once per machine.
 *
 * Debian's mirrors keep only the newest version of a package. When a pinned one has vanished, a
 * checkout must build all the same: the newest of the suite takes its place (apt proves it against
 * the suite's signature), is named in the manifest beside the version pinned, and stays the same on
 * this machine until the lock names another.
 */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { candidateVersion, offersVersion, targetConfiguration, updateLists } from './debian.ts';
import { BuildError } from './failure.ts';
import { pathExists, sha256File, writeFileAtomic } from './files.ts';
import type { Progress } from './progress.ts';
import { run } from './run.ts';
import { readValidated } from './validate.ts';

export interface LockedSource {
  kind: 'debian' | 'npm';
  name: string;
  licence: string;
  version: string;
  sizeBytes: number;
  /** Empty only in a lock that `--relock` has yet to fill. */
  sha256: string;
  /** The version build/lock.json pins, when this one stands in for it. Never in the file. */
  pinnedVersion?: string;
}

export interface Lock {
  /** The Debian suite the target's files come from, whatever the host runs. */
  suite: string;
  sources: LockedSource[];
}

/** Reads and checks a lock file. */
export async function readLock(path: string): Promise<Lock> {
  return readValidated<Lock>(path, {
    schema: 'lock.schema.json',
    shownName: 'build/lock.json',
    code: 'LOCK_INVALID',
  });
}

/** Answers a pinned source by name. */
export function lockedSource(lock: Lock, name: string): LockedSource {
  const found = lock.sources.find((source) => source.name === name);
  if (found && found.sha256 !== '') return found;
  throw new BuildError(
    'LOCK_INVALID',
    `Cannot fetch ${name}: build/lock.json does not pin it; run npm run image -- --relock`,
  );
}

/** Answers the lock with stand-ins for what the mirrors no longer have; see above. */
export async function withStandIns(cache: string, lock: Lock, progress: Progress): Promise<Lock> {
  const sources: LockedSource[] = [];
  for (const source of lock.sources) {
    sources.push((await standIn(cache, lock.suite, source, progress)) ?? source);
  }
  return { ...lock, sources };
}

/** What takes the place of a source that has vanished; null when it is here or can be fetched. */
async function standIn(
  cache: string,
  suite: string,
  source: LockedSource,
  progress: Progress,
): Promise<LockedSource | null> {
  if (source.kind !== 'debian' || source.sha256 === '') return null;
  const place = join(cache, 'downloads', `${source.sha256}-${source.name}`);
  if (await pathExists(place)) return null;
  const note = `${place}.stand-in`;
  if (await pathExists(note)) {
    return { ...source, ...(JSON.parse(await readFile(note, 'utf8')) as Partial<LockedSource>) };
  }
  const configuration = await targetConfiguration(cache, suite);
  await updateLists(configuration, { force: false });
  if (await offersVersion(configuration, source.name, source.version)) return null;
  await updateLists(configuration, { force: true });
  if (await offersVersion(configuration, source.name, source.version)) return null;
  const version = await candidateVersion(configuration, source.name);
  if (version === null) return null; // Fetching it will say so.
  const fetched = await fetchVersion(cache, suite, { ...source, version });
  const found = { ...fetched, version, pinnedVersion: source.version };
  await writeFileAtomic(note, JSON.stringify(found));
  progress.note(
    `${source.name}: the mirrors no longer have ${source.version}, which build/lock.json pins; ` +
      `taking ${version} (npm run image -- --relock pins it)`,
  );
  return { ...source, ...found };
}

/** Fetches a version into the cache; its hash and size. */
async function fetchVersion(
  cache: string,
  suite: string,
  source: LockedSource,
): Promise<{ sha256: string; sizeBytes: number }> {
  const { file, sha256, work } = await download(cache, suite, source);
  const sizeBytes = (await stat(file)).size;
  await rename(file, join(cache, 'downloads', `${sha256}-${source.name}`));
  await rm(work, { recursive: true, force: true });
  return { sha256, sizeBytes };
}

/** Answers the path of a pinned source's file, fetching it when this machine has not seen it. */
export async function fetchSource(
  cache: string,
  lock: Lock,
  name: string,
  progress: Progress,
): Promise<string> {
  const source = lockedSource(lock, name);
  const place = join(cache, 'downloads', `${source.sha256}-${source.name}`);
  if (await pathExists(place)) return place;
  progress.update(null, `fetching ${name} ${source.version}`);
  const { file, sha256, work } = await download(cache, lock.suite, source);
  try {
    if (sha256 !== source.sha256) {
      throw new BuildError(
        'DOWNLOAD_WRONG_HASH',
        `Cannot use ${name} ${source.version}: its SHA-256 is ${sha256}, ` +
          `build/lock.json wants ${source.sha256}`,
      );
    }
    await rename(file, place);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return place;
}

/**
 * Pins the newest versions: Debian's from the suite, npm's from `npmVersions` (package.json says
 * which Node runs). Writes the lock file and answers it.
 */
export async function relock(
  cache: string,
  path: string,
  npmVersions: Record<string, string>,
  progress: Progress,
): Promise<Lock> {
  const lock = await readLock(path);
  const configuration = await targetConfiguration(cache, lock.suite);
  await updateLists(configuration, { force: true });
  const sources: LockedSource[] = [];
  for (const old of lock.sources) {
    const version =
      old.kind === 'npm' ? npmVersions[old.name] : await candidateVersion(configuration, old.name);
    if (!version) {
      throw new BuildError(
        'VERSION_VANISHED',
        `Cannot pin ${old.name}: nothing offers it, wanted it in ${lock.suite} or package.json`,
      );
    }
    if (version === old.version && old.sha256 !== '') {
      sources.push(old);
      continue;
    }
    const fetched = await fetchVersion(cache, lock.suite, { ...old, version });
    progress.note(`${old.name}: ${old.version || 'not pinned'} -> ${version}`);
    sources.push({ ...old, version, ...fetched });
  }
  const fresh = { suite: lock.suite, sources };
  await writeFileAtomic(path, `${JSON.stringify(fresh, null, 2)}\n`);
  return fresh;
}

/** Answers the npm packages package.json lists as optional: the Node binaries. */
export async function npmVersions(packageJson: string): Promise<Record<string, string>> {
  const { optionalDependencies } = JSON.parse(await readFile(packageJson, 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  return optionalDependencies;
}

async function download(
  cache: string,
  suite: string,
  source: LockedSource,
): Promise<{ file: string; sha256: string; work: string }> {
  const downloads = join(cache, 'downloads');
  await mkdir(downloads, { recursive: true });
  const work = await mkdtemp(join(downloads, `tmp-${process.pid}-`));
  try {
    if (source.kind === 'debian') await downloadDebian(cache, suite, source, work);
    else await downloadNpm(source, work);
    const [name] = await readdir(work);
    if (name === undefined) {
      throw new BuildError(
        'DOWNLOAD_FAILED',
        `Cannot fetch ${source.name} ${source.version}: the tool ended well but left no file`,
      );
    }
    const file = join(work, name);
    return { file, sha256: await sha256File(file), work };
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
}

async function downloadDebian(
  cache: string,
  suite: string,
  source: LockedSource,
  work: string,
): Promise<void> {
  const { name, version } = source;
  const configuration = await targetConfiguration(cache, suite);
  await updateLists(configuration, { force: false });
  if (!(await offersVersion(configuration, name, version))) {
    await updateLists(configuration, { force: true });
  }
  if (!(await offersVersion(configuration, name, version))) {
    throw new BuildError(
      'VERSION_VANISHED',
      `Cannot fetch ${name}: version ${version} has vanished from ${suite}; ` +
        'run npm run image -- --relock to take the newest',
    );
  }
  await run('apt-get', ['-c', configuration.file, 'download', `${name}=${version}`], { cwd: work });
}

async function downloadNpm(source: LockedSource, work: string): Promise<void> {
  const { name, version } = source;
  const args = ['pack', `${name}@${version}`, '--pack-destination', work, '--loglevel=error'];
  try {
    await run('npm', args, { cwd: work });
  } catch (cause) {
    if (!(cause instanceof BuildError) || !/E404|ETARGET/.test(cause.message)) throw cause;
    throw new BuildError(
      'VERSION_VANISHED',
      `Cannot fetch ${name}: version ${version} has vanished from the npm registry; ` +
        'name another in package.json and run npm run image -- --relock',
      { cause },
    );
  }
}
