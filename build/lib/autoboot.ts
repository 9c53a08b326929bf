/**
 * autoboot.txt on the first partition tells the Pi's firmware which slot to start, and which one a
 * "tryboot" restart tries once.
 *
 * It is exactly one 512-byte sector with a mark at its beginning: switching slots rewrites that one
 * sector in place, which either happens or does not, so a power cut leaves a card that starts.
 */
import { assert } from '../../vm/base/assert.ts';
import { SECTOR_BYTES } from './mbr.ts';

export const AUTOBOOT_FILE = 'autoboot.txt';
/** Partition numbers, as the firmware counts, of slot A and slot B. */
export const SLOT_PARTITIONS = [2, 3] as const;
const MARK = '# Palimpsest boot slots\n';

/** Answers the sector that starts `partition` (2 or 3) and tries the other. */
export function autobootSector(partition: number): Buffer {
  assert(partition === 2 || partition === 3, `no boot slot has partition ${partition}`);
  const lines = [
    `${MARK}[all]`,
    'tryboot_a_b=1',
    `boot_partition=${partition}`,
    '[tryboot]',
    `boot_partition=${5 - partition}`,
    '',
  ].join('\n');
  const sector = Buffer.alloc(SECTOR_BYTES, '\n');
  sector.write(lines, 0, 'latin1');
  return sector;
}

/** Whether a sector holds our autoboot.txt. */
export function isAutobootSector(sector: Buffer): boolean {
  return sector.subarray(0, MARK.length).equals(Buffer.from(MARK, 'latin1'));
}

/** Answers the partition autoboot.txt starts, or null when the text names no slot of ours. */
export function activePartition(text: string): number | null {
  const all = text.split(/^\[/m).find((section) => section.startsWith('all]')) ?? '';
  const partition = Number(/^boot_partition=(\d+)$/m.exec(all)?.[1] ?? Number.NaN);
  return partition === 2 || partition === 3 ? partition : null;
}
