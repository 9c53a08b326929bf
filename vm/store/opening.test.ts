/** Opening: what a person can put in front of the journal, and what the medium can do to it. */
import { describe, expect, test } from 'vitest';
import { Journal } from './journal.ts';
import { MemoryStorage } from './memory-storage.ts';
import { PAGE_BYTES } from './storage.ts';
import { StoreError } from './store-error.ts';

const KIB = 1024;
const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(9);
const options = { write: true, wallClockMs: 0, random };

function fresh(bytes = 2048 * KIB, segmentBytes = 64 * KIB): MemoryStorage {
  const storage = new MemoryStorage(bytes);
  Journal.format(storage, { segmentBytes, wallClockMs: 0, random });
  return storage;
}

function page(fill: number): Uint8Array {
  return new Uint8Array(PAGE_BYTES).fill(fill);
}

function put(journal: Journal, number: number, fill: number): void {
  journal.commit({ pages: [{ page: number, bytes: page(fill) }], wallMs: 0, journalMs: 0 });
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof StoreError) {
      expect(error.message).toMatch(/^Cannot [^\n]+$/);
      return error.code;
    }
    throw error;
  }
  return 'no error';
}

function patch(storage: MemoryStorage, offset: number, change: (block: Uint8Array) => void): void {
  const block = new Uint8Array(PAGE_BYTES);
  storage.read(offset, block);
  change(block);
  storage.write(offset, block);
}

describe('Journal.open()', () => {
  test('refuses what is no journal', () => {
    expect(codeOf(() => Journal.open(new MemoryStorage(64 * KIB), options))).toBe('NOT_A_JOURNAL');
    expect(codeOf(() => Journal.open(new MemoryStorage(0), options))).toBe('NOT_A_JOURNAL');
  });

  test('refuses another version, and names both', () => {
    const storage = fresh();
    for (const ring of [0, 64 * KIB]) {
      for (let slot = 0; slot < 8; slot++) {
        patch(storage, ring + slot * PAGE_BYTES, (block) => {
          if (block[0] !== 0) block[16] = 77;
        });
      }
    }
    expect(() => Journal.open(storage, options)).toThrow(/version is 77, .*version 2/);
    expect(codeOf(() => Journal.open(storage, options))).toBe('WRONG_VERSION');
  });

  test('says so when every superblock is damaged', () => {
    const storage = fresh();
    for (const ring of [0, 64 * KIB]) {
      for (let slot = 0; slot < 8; slot++) {
        patch(storage, ring + slot * PAGE_BYTES, (block) => block.fill(1, 100, 200));
      }
    }
    expect(codeOf(() => Journal.open(storage, options))).toBe('JOURNAL_DAMAGED');
  });

  test('formatting anew leaves nothing of the journal before', () => {
    const storage = fresh();
    for (let boot = 0; boot < 4; boot++) put(Journal.open(storage, options), boot, boot);
    const nonce = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(77);
    Journal.format(storage, { segmentBytes: 64 * KIB, wallClockMs: 0, random: nonce });
    const journal = Journal.open(storage, options);
    expect(journal.head.number).toBe(0);
    expect(journal.notices).toEqual([]);
    put(journal, 1, 1);
    expect(Journal.open(storage, options).generations()).toHaveLength(2);
  });

  test('the same image written over its earlier life begins anew', () => {
    const zeros = (bytes: number): Uint8Array => new Uint8Array(bytes);
    const made = { segmentBytes: 64 * KIB, wallClockMs: 0, random: zeros };
    const build = (): MemoryStorage => {
      const storage = new MemoryStorage(2048 * KIB);
      Journal.format(storage, made);
      put(Journal.open(storage, { ...options, random: zeros }), 1, 1);
      return storage;
    };
    const card = build();
    for (let boot = 0; boot < 6; boot++) put(Journal.open(card, options), boot, boot);
    // A writer of images that skips blocks of zeros leaves the later segments as they are.
    const image = build();
    const block = page(0);
    for (let at = 0; at < image.sizeBytes; at += PAGE_BYTES) {
      image.read(at, block);
      if (at < 128 * KIB || block.some((byte) => byte !== 0)) card.write(at, block);
    }
    const second = { ...options, random: (bytes: number) => new Uint8Array(bytes).fill(8) };
    const journal = Journal.open(card, second);
    expect(journal.head.number).toBe(1);
    expect(journal.notices).toEqual([]);
    put(journal, 2, 2);
    expect(Journal.open(card, second).head.number).toBe(2);
  });

  test('opens from either ring alone', () => {
    for (const ring of [0, 64 * KIB]) {
      const storage = fresh();
      put(Journal.open(storage, options), 1, 5);
      storage.write(ring, new Uint8Array(8 * PAGE_BYTES));
      expect(Journal.open(storage, options).head.number).toBe(1);
    }
  });

  test('grows into a larger partition and refuses a smaller one', () => {
    const storage = fresh(1024 * KIB);
    put(Journal.open(storage, options), 1, 1);
    const segments = Journal.open(storage, options).statistics().segments;
    storage.sizeBytes = 4096 * KIB;
    const grown = Journal.open(storage, options);
    expect(grown.statistics().segments).toBe(segments + 48);
    put(grown, 2, 2);
    storage.sizeBytes = 1024 * KIB;
    expect(codeOf(() => Journal.open(storage, options))).toBe('PARTITION_TOO_SMALL');
    expect(() => Journal.open(storage, options)).toThrow(/1048576 bytes.*4194304/);
    storage.sizeBytes = 4096 * KIB;
    expect(Journal.open(storage, options).head.number).toBe(2);
  });

  test('gives a blank journal its id once', () => {
    const storage = fresh();
    const read = { ...options, write: false };
    expect(Journal.open(storage, read).id).toBe('0'.repeat(32));
    const id = Journal.open(storage, options).id;
    expect(id).toBe('09'.repeat(16));
    const other = { ...options, random: (bytes: number) => new Uint8Array(bytes).fill(3) };
    expect(Journal.open(storage, other).id).toBe(id);
    // A builder that wants the same bytes every time gives zeros: the journal stays blank.
    const blank = fresh();
    const zeros = { ...options, random: (bytes: number) => new Uint8Array(bytes) };
    put(Journal.open(blank, zeros), 1, 1);
    expect(Journal.open(blank, read).id).toBe('0'.repeat(32));
  });

  test('opened for reading refuses to write', () => {
    const journal = Journal.open(fresh(), { ...options, write: false });
    expect(codeOf(() => put(journal, 1, 1))).toBe('READ_ONLY');
    expect(codeOf(() => journal.rollback(0, { wallMs: 0, journalMs: 0 }))).toBe('READ_ONLY');
    expect(codeOf(() => journal.appendChange(page(1)))).toBe('READ_ONLY');
    expect(codeOf(() => journal.unversioned.write('a', page(1)))).toBe('READ_ONLY');
  });

  test('reads the same amount whatever the size of the journal', () => {
    const readsToOpen = (commits: number): number => {
      const storage = fresh(64 * 1024 * KIB, 256 * KIB);
      const journal = Journal.open(storage, options);
      for (let index = 0; index < commits; index++) put(journal, index % 300, index % 256);
      let blocks = 0;
      const counting = Object.create(storage) as MemoryStorage;
      counting.read = (offset, into) => {
        blocks += into.length / PAGE_BYTES;
        storage.read(offset, into);
      };
      Journal.open(counting, { ...options, write: false });
      return blocks;
    };
    // Two rings, two copies, the table, up to 64 segment headers, one segment.
    for (const commits of [1, 100, 3000]) expect(readsToOpen(commits)).toBeLessThan(250);
  });

  test('passes over a damaged unit header to what was acknowledged after it', () => {
    const storage = fresh();
    const journal = Journal.open(storage, options);
    for (let index = 1; index <= 5; index++) put(journal, index, index);
    // The mount takes two blocks (segment header, table with its header) of the third segment.
    const segment = 3 * 64 * KIB;
    const victim = segment + 5 * PAGE_BYTES;
    patch(storage, victim, (block) => block.fill(0));
    const again = Journal.open(storage, options);
    expect(again.head.number).toBe(5);
    expect(again.notices.length).toBeGreaterThan(0);
  });
});

describe('a full journal', () => {
  test('refuses with one sentence, loses nothing, and still rolls back', () => {
    const storage = fresh(1024 * KIB);
    const journal = Journal.open(storage, { ...options, retention: 'manual' });
    let stored = 0;
    const fill = (): string =>
      codeOf(() => {
        for (;;) {
          put(journal, stored, stored % 256);
          stored++;
        }
      });
    expect(fill()).toBe('JOURNAL_FULL');
    expect(stored).toBeGreaterThan(20);
    expect(journal.head.number).toBe(stored);
    const into = page(0);
    for (const opened of [journal, Journal.open(storage, options)]) {
      for (let number = 0; number < stored; number++) {
        expect(opened.readPage(stored, number, into)).toBe(true);
        expect(into[0]).toBe(number % 256);
      }
    }
    journal.appendChange(new TextEncoder().encode('still logged'));
    expect(journal.rollback(3, { wallMs: 0, journalMs: 0 }).number).toBe(stored + 1);
    expect(journal.pageCount(stored + 1)).toBe(3);
    // Work goes on without opening anew once something is let go of.
    journal.forget(Array.from({ length: stored - 4 }, (_, index) => index + 4));
    for (const step of journal.vacuum()) expect(step.segmentsFree).toBeGreaterThan(0);
    put(journal, 1, 99);
    expect(journal.verify()).toMatchObject({ ok: true });
  });

  test('makes room by itself under automatic retention', () => {
    const storage = fresh(2048 * KIB);
    const journal = Journal.open(storage, options);
    for (let index = 0; index < 600; index++) put(journal, index % 40, index % 256);
    expect(journal.head.number).toBe(600);
    const numbers = journal.generations().map((generation) => generation.number);
    expect(numbers.slice(0, 16)).toEqual(Array.from({ length: 16 }, (_, index) => 600 - index));
    expect(Journal.open(storage, options).verify()).toMatchObject({ ok: true });
  });

  test('tells where the pages of the head went, as pageMap does', () => {
    const storage = fresh(2048 * KIB);
    const places = new Map<number, string>();
    const onPlaced = (place: { page: number; offsetBytes: number; checksum: number }): void => {
      places.set(place.page, `${place.offsetBytes} ${place.checksum}`);
    };
    const journal = Journal.open(storage, { ...options, onPlaced });
    for (let index = 0; index < 30; index++) put(journal, index, index);
    for (const { page: number, offsetBytes, checksum } of journal.pageMap(30)) {
      places.set(number, `${offsetBytes} ${checksum}`);
    }
    const before = new Map(places);
    for (const step of journal.vacuum()) expect(step.segmentsFree).toBeGreaterThan(0);
    expect(places).not.toEqual(before);
    for (const { page: number, offsetBytes, checksum } of journal.pageMap(30)) {
      expect(places.get(number)).toBe(`${offsetBytes} ${checksum}`);
    }
  });

  test('survives many boots on a small partition', () => {
    const storage = fresh(1024 * KIB);
    for (let boot = 0; boot < 200; boot++) put(Journal.open(storage, options), 1, boot % 256);
    expect(Journal.open(storage, options).head.number).toBe(200);
  });
});
