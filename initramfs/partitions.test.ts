import { describe, expect, test } from 'vitest';
import { MOUNTS, mountPlan } from './mounts.ts';
import { grownTable } from './partitions.ts';

const MIB = 1024 * 1024;

function table(startMib: number, sizeMib: number): Uint8Array {
  const sector = new Uint8Array(512);
  const view = new DataView(sector.buffer);
  view.setUint16(510, 0xaa55, true);
  view.setUint32(446 + 48 + 8, (startMib * MIB) / 512, true);
  view.setUint32(446 + 48 + 12, (sizeMib * MIB) / 512, true);
  return sector;
}

describe('grownTable()', () => {
  test('takes the rest of a larger card in steps of 4 MiB and changes only the size', () => {
    const before = table(200, 312);
    const grown = grownTable(before, 1024 * MIB + 12345);
    expect(grown?.partition).toEqual({ startBytes: 200 * MIB, sizeBytes: 824 * MIB });
    const changed = [...before.keys()].filter((i) => before[i] !== grown?.sector[i]);
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.every((i) => i >= 446 + 48 + 12 && i < 446 + 48 + 16)).toBe(true);
  });
  test('leaves a card of the same size, or a smaller one, alone', () => {
    expect(grownTable(table(200, 312), 512 * MIB)).toBeUndefined();
    expect(grownTable(table(200, 312), 300 * MIB)).toBeUndefined();
    expect(grownTable(new Uint8Array(512), 1024 * MIB)).toBeUndefined();
  });
});

describe('mountPlan()', () => {
  test('says what init does, in order', () => {
    expect(mountPlan()).toEqual([
      'mount devtmpfs on /dev (devices)',
      'mount proc on /proc (processes)',
      'mount sysfs on /sys (kernel objects)',
      'mount pstore on /sys/fs/pstore (last words of the kernel?)',
    ]);
    expect(MOUNTS.filter((mount) => !mount.needed)).toHaveLength(1);
  });
});
