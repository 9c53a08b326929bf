import { describe, expect, test } from 'vitest';
import { readChunks } from './chunks.ts';

describe('readChunks()', () => {
  test('cuts expressions and keeps their lines', () => {
    expect(readChunks('3 + 4!\n\nfoo bar:\n  5!')).toEqual([
      { source: '3 + 4', line: 1, kind: 'doit' },
      { source: '\n\nfoo bar:\n  5', line: 3, kind: 'doit' },
    ]);
  });

  test('takes a text without marks as one expression', () => {
    expect(readChunks('| a |\na := 3. a\n')).toEqual([
      { source: '| a |\na := 3. a', line: 1, kind: 'doit' },
    ]);
  });

  test('halves doubled marks', () => {
    expect(readChunks("'wow!!' size!")[0]?.source).toBe("'wow!' size");
  });

  test('gives methods to the reader before them, up to an empty piece', () => {
    const text = "!Foo methodsFor: 'x'!\nbar\n  ^ 'a!!'!\n\nzork\n  ^ 2! !\n\n3 + 4!";
    expect(readChunks(text)).toEqual([
      {
        source:
          "(Foo methodsFor: 'x') scanFrom: (ChunkReader on: (ReadStream on: 'bar\n  ^ ''a!!''!'))",
        line: 2,
        kind: 'method',
      },
      {
        source: "(Foo methodsFor: 'x') scanFrom: (ChunkReader on: (ReadStream on: 'zork\n  ^ 2!'))",
        line: 5,
        kind: 'method',
      },
      { source: '\n\n\n\n\n\n\n3 + 4', line: 8, kind: 'doit' },
    ]);
  });

  test('finds nothing in nothing', () => {
    expect(readChunks('')).toEqual([]);
    expect(readChunks(' \n! ! !\n')).toEqual([]);
  });

  test('takes one chunk behind a comment stamp, and leaves styles out', () => {
    const text =
      "!Foo commentStamp: 'ab 1/1/2000' prior: 0!\nI am!! Foo.!\n]style[(3)f1!\nFoo new!\n" +
      '!Foo reorganize!\n(a b)!\n3!';
    expect(readChunks(text).map(({ source, line }) => [source.trim(), line])).toEqual([
      [
        "(Foo commentStamp: 'ab 1/1/2000' prior: 0) scanFrom: " +
          "(ChunkReader on: (ReadStream on: 'I am!! Foo.!'))",
        2,
      ],
      ['Foo new', 4],
      ["(Foo reorganize) scanFrom: (ChunkReader on: (ReadStream on: '(a b)!'))", 6],
      ['3', 7],
    ]);
  });

  test('takes every kind of line end, and no byte order mark', () => {
    expect(readChunks('\uFEFFa\r\nb!\rc!\r\nd\r!')).toEqual([
      { source: 'a\nb', line: 1, kind: 'doit' },
      { source: '\n\nc', line: 3, kind: 'doit' },
      { source: '\n\n\nd', line: 4, kind: 'doit' },
    ]);
  });
});
