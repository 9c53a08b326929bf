/** The archive is read back field by field, as the kernel reads it. */
import { describe, expect, test } from 'vitest';
import { addParents, type CpioEntry, writeCpio } from './cpio.ts';

interface Read {
  name: string;
  mode: number;
  inode: number;
  mtime: number;
  data: string;
}

function readCpio(archive: Buffer): Read[] {
  const entries: Read[] = [];
  for (let at = 0; ; ) {
    const start = at;
    const field = (index: number) =>
      Number.parseInt(
        archive.toString('latin1', start + 6 + index * 8, start + 14 + index * 8),
        16,
      );
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const nameEnd = at + 110 + field(11);
    const dataStart = Math.ceil(nameEnd / 4) * 4;
    const name = archive.toString('utf8', at + 110, nameEnd - 1);
    const data = archive.toString('utf8', dataStart, dataStart + field(6));
    at = Math.ceil((dataStart + field(6)) / 4) * 4;
    if (name === 'TRAILER!!!') {
      expect(at).toBe(archive.length);
      return entries;
    }
    entries.push({ name, mode: field(1), inode: field(0), mtime: field(5), data });
  }
}

const tree = (entries: [string, CpioEntry][]) => new Map<string, CpioEntry>(entries);
const file = (text: string): CpioEntry => ({ kind: 'file', mode: 0o644, data: Buffer.from(text) });

describe('writeCpio()', () => {
  test('writes folders, files and links with their type, mode and bytes', () => {
    const archive = writeCpio(
      tree([
        ['bin', { kind: 'folder', mode: 0o755 }],
        ['bin/tool', { kind: 'file', mode: 0o755, data: Buffer.from('12345') }],
        ['link', { kind: 'link', target: 'bin/tool' }],
      ]),
    );
    expect(readCpio(archive)).toMatchObject([
      { name: 'bin', mode: 0o040755, data: '' },
      { name: 'bin/tool', mode: 0o100755, data: '12345' },
      { name: 'link', mode: 0o120777, data: 'bin/tool' },
    ]);
  });

  test('gives the same bytes whatever the order of insertion', () => {
    const one = tree([
      ['a', file('1')],
      ['b', file('2')],
    ]);
    const other = tree([
      ['b', file('2')],
      ['a', file('1')],
    ]);
    expect(writeCpio(one).equals(writeCpio(other))).toBe(true);
  });

  test('pads names and data of every length to four bytes', () => {
    for (let length = 0; length < 9; length++) {
      const text = 'x'.repeat(length);
      const [entry] = readCpio(writeCpio(tree([[`n${text}`, file(text)]])));
      expect(entry).toMatchObject({ name: `n${text}`, data: text });
    }
  });

  test('refuses a file whose folder is missing: the kernel would drop it', () => {
    expect(() => writeCpio(tree([['app/main.js', file('')]]))).toThrow('no folder for app/main.js');
  });

  test('numbers inodes and gives all entries one time', () => {
    const read = readCpio(
      writeCpio(
        tree([
          ['a', file('')],
          ['b', file('')],
        ]),
      ),
    );
    expect(new Set(read.map((entry) => entry.inode)).size).toBe(2);
    expect(new Set(read.map((entry) => entry.mtime)).size).toBe(1);
  });
});

describe('addParents()', () => {
  test('adds every folder above a path and keeps those that have a mode of their own', () => {
    const entries = tree([
      ['tmp', { kind: 'folder', mode: 0o1777 }],
      ['tmp/a/b', file('')],
    ]);
    addParents(entries);
    expect([...entries.keys()].sort()).toEqual(['tmp', 'tmp/a', 'tmp/a/b']);
    expect(entries.get('tmp')).toEqual({ kind: 'folder', mode: 0o1777 });
  });
});
