/**
 * The card's partition table: a master boot record, because the Pi's firmware and every kernel read
 * it, and because the journal's partition may then grow by changing one number.
 *
 * Bytes 440–443 disk signature (little endian), 446 + 16 n entry n: 0 boot flag, 1–3 and 5–7 CHS
 * addresses (all ones: "use LBA"), 4 type, 8–11 first sector, 12–15 sectors; 510–511 55 AA.
 */
import { type CardLayout, MIB } from './board.ts';

export const SECTOR_BYTES = 512;
const ENTRIES_OFFSET = 446;
const ENTRY_BYTES = 16;
const CHS_USE_LBA = [0xfe, 0xff, 0xff];

export interface MbrEntry {
  type: number;
  startBytes: number;
  sizeBytes: number;
}

/** Answers the 512 bytes of the partition table for a layout. */
export function writeMbr(layout: CardLayout): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.writeUInt32LE(Number.parseInt(layout.diskSignature, 16), 440);
  for (const [index, partition] of layout.partitions.entries()) {
    const at = ENTRIES_OFFSET + index * ENTRY_BYTES;
    Buffer.from([0, ...CHS_USE_LBA, Number.parseInt(partition.type, 16), ...CHS_USE_LBA]).copy(
      sector,
      at,
    );
    sector.writeUInt32LE((partition.startMiB * MIB) / SECTOR_BYTES, at + 8);
    sector.writeUInt32LE((partition.sizeMiB * MIB) / SECTOR_BYTES, at + 12);
  }
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** Reads a partition table; null when the sector is none. Unused entries have type 0. */
export function readMbr(sector: Buffer): { diskSignature: string; entries: MbrEntry[] } | null {
  if (sector.length < SECTOR_BYTES || sector.readUInt16LE(510) !== 0xaa55) return null;
  const entries: MbrEntry[] = [];
  for (let index = 0; index < 4; index++) {
    const at = ENTRIES_OFFSET + index * ENTRY_BYTES;
    entries.push({
      type: sector.readUInt8(at + 4),
      startBytes: sector.readUInt32LE(at + 8) * SECTOR_BYTES,
      sizeBytes: sector.readUInt32LE(at + 12) * SECTOR_BYTES,
    });
  }
  const signature = sector.readUInt32LE(440).toString(16).padStart(8, '0');
  return { diskSignature: signature, entries };
}
