/** What may become a card, and what a card and a power cut do to each other. */
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { activePartition, autobootSector, isAutobootSector } from './autoboot.ts';
import { type CardLayout, MIB } from './board.ts';
import { type Disk, inactiveSlot, parseLsblk, refusal, upgradeRefusal } from './card.ts';
import { type CardWriter, upgradeCard, writeNewCard } from './card-writer.ts';
import { readMbr, SECTOR_BYTES, writeMbr } from './mbr.ts';

const CARD: Disk = {
  path: '/dev/sdx',
  model: 'Reader',
  sizeBytes: 32e9,
  type: 'disk',
  removable: true,
  sdCard: false,
  readOnly: false,
  mountPoints: [],
};
const LAYOUT: CardLayout = {
  diskSignature: '50414c49',
  alignmentMiB: 4,
  partitions: [
    { name: 'boot', role: 'selector', startMiB: 4, sizeMiB: 4, type: '0e' },
    { name: 'slot-a', role: 'slot', startMiB: 8, sizeMiB: 4, type: '0c' },
    { name: 'slot-b', role: 'slot', startMiB: 12, sizeMiB: 4, type: '0c' },
    { name: 'journal', role: 'journal', startMiB: 16, sizeMiB: 4, type: 'da' },
  ],
};
const IMAGE_BYTES = 20 * MIB;
const AUTOBOOT_AT = 4 * MIB + 40 * SECTOR_BYTES;

function table(layout = LAYOUT) {
  const read = readMbr(writeMbr(layout));
  if (!read) throw new Error('no table');
  return read;
}

describe('refusal()', () => {
  test('lets an idle card in a reader be written', () => {
    expect(refusal(CARD, IMAGE_BYTES)).toBeNull();
    expect(refusal({ ...CARD, removable: false, sdCard: true }, IMAGE_BYTES)).toBeNull();
  });

  test.each([
    [{ type: 'part' }, 'it is a part'],
    [{ mountPoints: ['/media/x'] }, 'in use at /media/x'],
    [{ mountPoints: ['[SWAP]'] }, 'in use at [SWAP]'],
    [{ removable: false }, 'not removable'],
    [{ readOnly: true }, 'write-protected'],
    [{ sizeBytes: IMAGE_BYTES - 1 }, `it has ${IMAGE_BYTES - 1} bytes`],
  ])('refuses %o', (change, words) => {
    expect(refusal({ ...CARD, ...change }, IMAGE_BYTES)).toContain(words);
  });
});

describe('parseLsblk()', () => {
  test('gathers the mount points of all partitions', () => {
    const text = JSON.stringify({
      blockdevices: [
        {
          path: '/dev/sdb',
          size: 100,
          type: 'disk',
          rm: true,
          ro: false,
          model: ' USB Reader ',
          mountpoints: [null],
          children: [
            { path: '/dev/sdb1', type: 'part', mountpoints: ['/a'] },
            {
              path: '/dev/sdb2',
              type: 'part',
              mountpoints: [null],
              children: [{ mountpoints: ['/b'] }],
            },
          ],
        },
      ],
    });
    expect(parseLsblk(text, false)).toMatchObject({
      model: 'USB Reader',
      removable: true,
      mountPoints: ['/a', '/b'],
    });
  });
});

describe('upgradeRefusal()', () => {
  test('accepts a card whose journal has grown', () => {
    const grown = table();
    const journal = grown.entries[3];
    if (journal) journal.sizeBytes *= 100;
    expect(upgradeRefusal(grown, table())).toBeNull();
  });

  test('refuses a blank card, a foreign card and another layout', () => {
    expect(upgradeRefusal(null, table())).toContain('no partition table');
    const foreign = table({ ...LAYOUT, diskSignature: '00000001' });
    expect(upgradeRefusal(foreign, table())).toContain('disk signature is 00000001');
    const moved = table();
    const slot = moved.entries[1];
    if (slot) slot.startBytes += MIB;
    expect(upgradeRefusal(moved, table())).toContain('partition 2');
  });
});

describe('autobootSector()', () => {
  test.each([2, 3])('starts partition %i, tries the other and fills one sector', (partition) => {
    const sector = autobootSector(partition);
    expect(sector.length).toBe(SECTOR_BYTES);
    expect(isAutobootSector(sector)).toBe(true);
    const text = sector.toString('latin1');
    expect(activePartition(text)).toBe(partition);
    expect(text).toContain(`[tryboot]\nboot_partition=${inactiveSlot(partition)}\n`);
  });

  test('a text without a slot of ours names none', () => {
    expect(activePartition('[all]\nboot_partition=1\n')).toBeNull();
    expect(activePartition('')).toBeNull();
  });
});

describe('writing cards', () => {
  let dir = '';
  let closing: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'palimpsest-card-'));
  });

  afterEach(async () => {
    for (const close of closing) await close();
    closing = [];
    await rm(dir, { recursive: true, force: true });
  });

  function imageBytes(fill: number): Buffer {
    const bytes = Buffer.alloc(IMAGE_BYTES, fill);
    writeMbr(LAYOUT).copy(bytes);
    bytes.fill(0, SECTOR_BYTES, 4 * MIB);
    autobootSector(2).copy(bytes, AUTOBOOT_AT);
    return bytes;
  }

  async function writer(
    cardBytes: Buffer,
    image: Buffer,
  ): Promise<CardWriter & { read(): Promise<Buffer> }> {
    await writeFile(join(dir, 'card'), cardBytes);
    await writeFile(join(dir, 'image'), image);
    const card = await open(join(dir, 'card'), 'r+');
    const source = await open(join(dir, 'image'), 'r');
    closing.push(
      async () => card.close(),
      async () => source.close(),
    );
    return {
      card,
      image: source,
      dropCaches: async () => {},
      report: () => {},
      read: async () => {
        const bytes = Buffer.alloc(cardBytes.length);
        await card.read(bytes, 0, bytes.length, 0);
        return bytes;
      },
    };
  }

  test('a new card equals the image, its zeros too, and what lies behind stays', async () => {
    const image = imageBytes(1);
    const target = await writer(Buffer.alloc(IMAGE_BYTES + MIB, 0xee), image);
    await writeNewCard(target, IMAGE_BYTES);
    const card = await target.read();
    expect(card.subarray(0, IMAGE_BYTES).equals(image)).toBe(true);
    expect(card.subarray(IMAGE_BYTES).every((byte) => byte === 0xee)).toBe(true);
  });

  test('a card cut short has no partition table', async () => {
    const target = await writer(imageBytes(9), imageBytes(1));
    let reports = 0;
    const cut = {
      ...target,
      report: () => {
        if (++reports === 3) throw new Error('power cut');
      },
    };
    await expect(writeNewCard(cut, IMAGE_BYTES)).rejects.toThrow('power cut');
    expect(readMbr(await target.read())).toBeNull();
  });

  test('an upgrade replaces only the other slot and then starts it', async () => {
    const old = imageBytes(1);
    const target = await writer(old, imageBytes(2));
    expect(await upgradeCard(target, table().entries)).toBe(3);
    const card = await target.read();
    const wanted = Buffer.from(old);
    wanted.fill(2, 12 * MIB, 16 * MIB);
    autobootSector(3).copy(wanted, AUTOBOOT_AT);
    expect(card.equals(wanted)).toBe(true);
    expect(await upgradeCard(target, table().entries)).toBe(2);
  });

  test('an upgrade cut short still starts the old slot', async () => {
    const old = imageBytes(1);
    const target = await writer(old, imageBytes(2));
    const cut = {
      ...target,
      dropCaches: async () => {
        throw new Error('power cut');
      },
    };
    await expect(upgradeCard(cut, table().entries)).rejects.toThrow('power cut');
    const card = await target.read();
    expect(card.subarray(0, 12 * MIB).equals(old.subarray(0, 12 * MIB))).toBe(true);
    expect(card.subarray(16 * MIB).equals(old.subarray(16 * MIB))).toBe(true);
  });

  test('a card that reads back something else is refused', async () => {
    const target = await writer(Buffer.alloc(IMAGE_BYTES), imageBytes(1));
    const lying = {
      ...target,
      dropCaches: async () => {
        await target.card.write(Buffer.from([7]), 0, 1, 9 * MIB);
      },
    };
    await expect(writeNewCard(lying, IMAGE_BYTES)).rejects.toThrow('Cannot verify the card');
  });

  test('a card without autoboot.txt cannot be upgraded', async () => {
    const broken = imageBytes(1);
    broken.fill(0, AUTOBOOT_AT, AUTOBOOT_AT + SECTOR_BYTES);
    const target = await writer(broken, imageBytes(2));
    await expect(upgradeCard(target, table().entries)).rejects.toThrow('autoboot.txt is missing');
  });
});
