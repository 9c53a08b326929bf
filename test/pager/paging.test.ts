/**
 * The pager against a shadow: whatever is touched, dropped, committed and moved, pages are right.
 */
import { randomInt } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONTROL, UNREADABLE_CLASS_WORD } from '../../vm/objects/layout.ts';
import { Random } from '../sim/random.ts';
import { FIRST_PAGE, PAGE_BYTES, PagedRegion } from './paged-region.ts';

const PAGES = 16384;
const COMMITTED = 6000;
const STEPS = 4000;
const RESIDENT = 0x8000;

const seed = randomInt(2 ** 31);
const random = new Random(seed);
/** What each page should hold; absent is zeros. */
const shadow = new Map<number, number>();

/** The content with that number: no two alike, none like another at another place. */
function content(page: number, version: number): Uint8Array {
  const words = new Uint32Array(PAGE_BYTES / 4);
  for (let at = 0; at < words.length; at++) words[at] = Math.imul(page * 1024 + at, version | 1);
  return new Uint8Array(words.buffer);
}

function same(page: number, found: Uint8Array): boolean {
  const version = shadow.get(page);
  const wanted = version === undefined ? new Uint8Array(PAGE_BYTES) : content(page, version);
  return crc32(found) === crc32(wanted) && Buffer.compare(found, wanted) === 0;
}

describe(`paging, seed ${seed}`, () => {
  let region: PagedRegion;

  beforeAll(async () => {
    region = await PagedRegion.open({ pages: PAGES, journalBytes: 96 * 2 ** 20 }, (journal) => {
      const pages = [];
      for (let count = 0; count < COMMITTED; count++) {
        const page = FIRST_PAGE + random.below(PAGES / 2);
        if (shadow.has(page)) continue;
        shadow.set(page, count + 1);
        pages.push({ page, bytes: content(page, count + 1) });
      }
      journal.commit({ pages, wallMs: 0, journalMs: 0 });
    });
  });
  afterAll(() => region.close());

  function expectAll(): void {
    for (let page = FIRST_PAGE; page < PAGES; page++) {
      if (!same(page, region.page(page))) throw new Error(`page ${page} is not what it should be`);
    }
  }

  /** Writes and commits some pages; then they are clean. */
  function commitSome(version: number): void {
    const pages = new Set<number>();
    const first = FIRST_PAGE + random.below(PAGES - FIRST_PAGE - 300);
    const count = 1 + random.below(random.chance(10) ? 300 : 8);
    for (let index = 0; index < count; index++) {
      pages.add(random.chance(50) ? first + index : FIRST_PAGE + random.below(PAGES - FIRST_PAGE));
    }
    const writes = [...pages].map((page) => {
      region.page(page).set(content(page, version));
      shadow.set(page, version);
      return { page, bytes: region.page(page) };
    });
    region.journal.commit({ pages: writes, wallMs: 0, journalMs: version });
  }

  test('random touches, drops and commits show what was written', async () => {
    let asked = 0;
    for (let step = 0; step < STEPS; step++) {
      const page = FIRST_PAGE + random.below(PAGES - FIRST_PAGE);
      const kind = random.below(100);
      if (kind < 50) {
        expect(same(page, region.page(page)), `page ${page} at step ${step}`).toBe(true);
      } else if (kind < 60) {
        const end = Math.min(page + random.below(600), PAGES);
        for (let each = page; each < end; each++) {
          expect(same(each, region.page(each)), `page ${each} at step ${step}`).toBe(true);
        }
      } else if (kind < 90) {
        if ((region.states[page]! & RESIDENT) !== 0) region.drop(page);
      } else if (kind < 99) {
        commitSome(step + 10_000);
      } else {
        asked += region.addon.pagerStatistics()[3];
        await region.show();
      }
    }
    asked += region.addon.pagerStatistics()[3];
    expect(asked).toBeGreaterThan(0);
    expectAll();
    const resident = region.states.reduce((sum, state) => sum + (state >>> 15), 0);
    expect(region.addon.pagerStatistics()[4]).toBe(resident);
  });

  test('vacuum moves pages and overwrites tables under the reader', async () => {
    await region.show();
    const moves = (): number => {
      let copied = 0;
      for (const step of region.journal.vacuum()) copied += step.blocksCopied;
      return copied;
    };
    let copied = 0;
    for (let round = 0; round < 12; round++) {
      region.journal.thin(round * 1e10, 9);
      copied += moves();
      for (let index = 0; index < 40; index++) commitSome(100_000 + round * 100 + index);
    }
    expect(copied).toBeGreaterThan(0);
    expectAll();
  });

  test('a page that cannot be read is a sentinel, and told', async () => {
    const [victim, neighbour] = [...shadow.keys()].sort((a, b) => a - b) as [number, number];
    await region.show();
    const place = [...region.journal.pageMap(region.journal.head)].find(
      ({ page }) => page === victim,
    );
    const fd = openSync(region.path, 'r+');
    writeSync(fd, Buffer.alloc(PAGE_BYTES, 0xee), 0, PAGE_BYTES, place?.offsetBytes ?? 0);
    closeSync(fd);
    expect(Atomics.load(region.control, CONTROL.unreadablePage)).toBe(0);
    const words = new Int32Array(region.bytes.buffer, victim * PAGE_BYTES, PAGE_BYTES / 4);
    expect([...words.subarray(0, 4)]).toEqual([UNREADABLE_CLASS_WORD, 1, UNREADABLE_CLASS_WORD, 1]);
    expect(Atomics.load(region.control, CONTROL.unreadablePage)).toBe(victim + 1);
    expect(same(neighbour, region.page(neighbour))).toBe(true);
  });
});
