import { randomBytes, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type MapPlace, PageMap } from './page-map.ts';

function randomPlace(page: number): { place: MapPlace; content: Buffer } {
  const prefix = randomBytes(16);
  const content = randomBytes(4096);
  const place = {
    page,
    offsetBytes: randomInt(2 ** 31 - 3) * 4096,
    checksum: crc32(content, crc32(prefix)),
    prefixCrc: crc32(prefix),
    scratch: randomInt(2) === 1,
  };
  return { place, content };
}

function expectEntry(entries: Uint32Array, { place, content }: ReturnType<typeof randomPlace>) {
  expect(entries[2 * place.page + 1]).toBe(crc32(content));
  const scratch = place.scratch ? 0x8000_0000 : 0;
  expect(entries[2 * place.page]).toBe(place.offsetBytes / 4096 + 1 + scratch);
}

describe('PageMap.set()', () => {
  test('gives the pager the CRC of the content, whatever was hashed before it', () => {
    const buffer = new ArrayBuffer(8 * 64);
    const map = new PageMap(buffer, crc32);
    for (let page = 0; page < 64; page++) {
      const random = randomPlace(page);
      map.set(random.place);
      expectEntry(new Uint32Array(buffer), random);
    }
  });
  test('stops at a page outside of the region', () => {
    const map = new PageMap(new ArrayBuffer(8), crc32);
    expect(() => map.set(randomPlace(1).place)).toThrow('Bug');
  });
});

describe('PageMap.fill()', () => {
  test('leaves what is known, says that other pages were never written', () => {
    const buffer = new ArrayBuffer(8 * 16);
    const map = new PageMap(buffer, crc32);
    const entries = new Uint32Array(buffer);
    const newer = randomPlace(5);
    map.set(newer.place);
    const three = randomPlace(3);
    map.fill(0, 8, [three.place, randomPlace(5).place]);
    expectEntry(entries, newer);
    expectEntry(entries, three);
    expect([0, 1, 2, 4, 6, 7].map((page) => entries[2 * page])).toEqual(
      Array.from({ length: 6 }, () => 0xffff_ffff),
    );
    expect(entries.slice(16)).toEqual(new Uint32Array(16));
    map.fillUnreadable(6, 4, 5);
    expect(Array.from(entries.slice(12, 20))).toEqual([
      ...[0xffff_ffff, 0, 0xffff_ffff, 0],
      ...[0xffff_fffe, 5, 0xffff_fffe, 5],
    ]);
  });
});
