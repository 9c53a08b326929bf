/**
 * Writes cpio archives in the "newc" notation, the one the kernel unpacks an initramfs from. Our
 * own writer, because everything a file system adds by itself (inode numbers, owners, times) must
 * be the same wherever and whenever the archive is made.
 *
 * Each entry is 6 bytes magic "070701", 13 fields of 8 hex digits (ino mode uid gid nlink mtime
 * filesize devmajor devminor rdevmajor rdevminor namesize check), the name with its NUL, padding to
 * 4 bytes, the data, padding to 4 bytes. An entry named TRAILER!!! ends the archive.
 * Invariant: a folder's entry comes before what lies in it (the kernel creates no parents).
 */
import { assert } from '../../vm/base/assert.ts';
import { compareCodeUnits } from './files.ts';
import { SOURCE_DATE_EPOCH } from './run.ts';

const TRAILER = 'TRAILER!!!';
const NAME_BYTES_MAX = 4096;
const TYPE_BITS = { folder: 0o040000, file: 0o100000, link: 0o120000 } as const;

export type CpioEntry =
  | { kind: 'folder'; mode: number }
  | { kind: 'file'; mode: number; data: Uint8Array }
  | { kind: 'link'; target: string };

/** Answers the archive of a tree: paths without a leading '/' to entries, in path order. */
export function writeCpio(tree: ReadonlyMap<string, CpioEntry>): Buffer {
  const names = [...tree.keys()].sort(compareCodeUnits);
  const parts: Buffer[] = [];
  let inode = 1;
  for (const name of names) {
    const parent = name.slice(0, Math.max(0, name.lastIndexOf('/')));
    assert(!name.startsWith('/') && name !== '', `cpio name "${name}" is not relative`);
    assert(parent === '' || tree.get(parent)?.kind === 'folder', `no folder for ${name}`);
    parts.push(...entryParts(name, tree.get(name) as CpioEntry, inode++));
  }
  parts.push(...entryParts(TRAILER, null, 0));
  return Buffer.concat(parts);
}

/** Adds the folders above each path, with mode 755, so that every entry has its parent. */
export function addParents(tree: Map<string, CpioEntry>): void {
  for (const name of [...tree.keys()]) {
    for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1)) {
      const parent = name.slice(0, end);
      if (!tree.has(parent)) tree.set(parent, { kind: 'folder', mode: 0o755 });
    }
  }
}

function entryParts(name: string, entry: CpioEntry | null, inode: number): Buffer[] {
  const data = entryData(entry);
  const nameBytes = Buffer.from(`${name}\0`);
  assert(nameBytes.length <= NAME_BYTES_MAX, `cpio name is too long: ${name}`);
  const fields = [
    inode,
    entry === null ? 0 : TYPE_BITS[entry.kind] | (entry.kind === 'link' ? 0o777 : entry.mode),
    0,
    0,
    entry?.kind === 'folder' ? 2 : 1,
    entry === null ? 0 : SOURCE_DATE_EPOCH,
    data.length,
    0,
    0,
    0,
    0,
    nameBytes.length,
    0,
  ];
  const digits = fields.map((field) => field.toString(16).toUpperCase().padStart(8, '0')).join('');
  const head = Buffer.concat([Buffer.from(`070701${digits}`), nameBytes]);
  return [head, padding(head.length), data, padding(data.length)];
}

function entryData(entry: CpioEntry | null): Buffer {
  if (entry?.kind === 'link') return Buffer.from(entry.target);
  if (entry?.kind === 'file') return Buffer.from(entry.data);
  return Buffer.alloc(0);
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
