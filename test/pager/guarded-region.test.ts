/**
 * What the pager waits for never touches the region: under a guard that makes every touch fatal the
 * reader of page tables and the store do all their work.
 */

import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { prepareHost } from '../../build/host.ts';
import { loadAddon } from '../../vm/host/addon.ts';
import { mapPlace } from '../../vm/host/map-place.ts';
import { MapReader, type PageTables } from '../../vm/host/map-reader.ts';
import { openJournalFile } from '../../vm/host/storage-file.ts';
import { StoreService } from '../../vm/host/store-service.ts';
import { PageMap } from '../../vm/pager/page-map.ts';
import { sumBlocks } from '../../vm/store/format.ts';
import { Journal } from '../../vm/store/journal.ts';

const REGION_BYTES = 2 ** 33;

test('store and reader of page tables work while the region is guarded', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'palimpsest-guard-'));
  const path = join(dir, 'journal');
  copyFileSync(await prepareHost(), path);
  const addon = loadAddon();
  addon.reserve(REGION_BYTES);
  addon.guardRegion();
  const map = new PageMap(addon.mapView(), crc32);
  const service = new StoreService({
    openStorage: (name, write) => openJournalFile(name, { write, addon }),
    armCrashHandler: () => {},
    map: () => map,
    progress: () => {},
    blockSums: sumBlocks,
  });
  const { head } = service.handle('open', { path, write: true, scratch: false });
  const asks: ((page: number) => void)[] = [];
  let retries = 0;
  const reader = new MapReader({
    path,
    addon: {
      ...addon,
      answerAsks: (callback) => asks.push(callback),
      retryFaults: () => {
        retries++;
      },
    },
    askStore: () => reader.newTables(service.headTables()),
  });
  reader.use(service.handle('pageTables', { generation: head.number }) as PageTables);

  const entries = new BigUint64Array(addon.mapView());
  const journal = openJournalFile(path, { write: false, addon });
  const opened = Journal.open(journal, { write: false, wallClockMs: 0, random: randomBytes });
  const places = [...opened.pageMap(head.number)];
  expect(places.length).toBeGreaterThan(100);
  for (const { page } of places) if (entries[page] === 0n) asks[0]?.(page);
  expect(retries).toBeGreaterThan(0);
  const found = places.map(({ page }) => entries[page]);
  const buffer = new ArrayBuffer(entries.byteLength);
  const check = new PageMap(buffer, crc32);
  for (const place of places) check.set(mapPlace(place, null));
  const expected = new BigUint64Array(buffer);
  expect(found).toEqual(places.map(({ page }) => expected[page]));

  // A commit, a rollback and a verify under the guard; what was committed is in the map at once.
  const [first] = places;
  const page = first?.page ?? 0;
  const before = entries[page];
  service.stage([page], randomBytes(4096));
  expect(entries[page]).not.toBe(before);
  service.commit([page], randomBytes(4096));
  expect(entries[page]).not.toBe(before);
  service.handle('rollback', { generation: head.number });
  expect(service.handle('verify', {})).toMatchObject({ ok: true });
  service.handle('close', {});
  opened.close();
  rmSync(dir, { recursive: true, force: true });
});
