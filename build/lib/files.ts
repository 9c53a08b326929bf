/**
 * Files as the build sees them: hashed, listed in one fixed order, and put in place by rename.
 *
 * Invariant: nothing appears under its final name before it is complete, so an interrupted build
 * never leaves a half-written file that a later build would take for whole.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Answers the lower-case hex SHA-256 of a file, read as a stream. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** Answers the lower-case hex SHA-256 of a text or of bytes. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Whether something, whatever it is, exists at `path`. */
export async function pathExists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Answers every file and symbolic link below `root`, as paths relative to it with '/', sorted by
 * code unit so that no locale changes the order. `keep` prunes folders as well as files.
 */
export async function listFiles(
  root: string,
  keep: (relativePath: string) => boolean = () => true,
): Promise<string[]> {
  const found: string[] = [];
  const pending = [root];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      const name = relative(root, path);
      if (!keep(name)) continue;
      if (entry.isDirectory()) pending.push(path);
      else found.push(name);
    }
  }
  return found.sort(compareCodeUnits);
}

/** Orders two strings by UTF-16 code unit, the same in every locale. */
export function compareCodeUnits(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Answers one hash over names, contents and executable bits of the files `listFiles` answers. */
export async function hashTree(
  root: string,
  keep?: (relativePath: string) => boolean,
): Promise<string> {
  const hash = createHash('sha256');
  for (const name of await listFiles(root, keep)) {
    const path = join(root, name);
    const status = await lstat(path);
    const isLink = status.isSymbolicLink();
    const content = isLink ? sha256(await readlink(path)) : sha256(await readFile(path));
    const mode = isLink ? 'link' : status.mode & 0o100 ? 'executable' : 'file';
    hash.update(`${name}\0${mode}\0${content}\n`);
  }
  return hash.digest('hex');
}

/** Writes a file under a temporary name beside its place and renames it there. */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, data);
  await rename(temporary, path);
}
