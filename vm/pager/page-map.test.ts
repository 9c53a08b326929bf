import { randomBytes, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { PageMap } from './page-map.ts';

describe('PageMap.set()', () => {
  test('gives the pager the CRC of the content, whatever was hashed before it', () => {
    const buffer = new ArrayBuffer(8 * 64);
    const map = new PageMap(buffer, crc32);
    for (let page = 0; page < 64; page++) {
      const prefix = randomBytes(16);
      const content = randomBytes(4096);
      const offset = randomInt(2 ** 31) * 4096;
      map.set(page, offset, crc32(content, crc32(prefix)), crc32(prefix));
      const entries = new Uint32Array(buffer);
      expect(entries[2 * page + 1]).toBe(crc32(content));
      expect(entries[2 * page]).toBe(offset / 4096 + 1);
    }
  });
  test('stops at a page outside of the region', () => {
    const map = new PageMap(new ArrayBuffer(8), crc32);
    expect(() => map.set(1, 0, 0, 0)).toThrow('Bug');
  });
});
