/**
 * The card's partition table (MBR) as the appliance needs it: where partition 4, the journal, lies,
 * and the table that results when it is grown to the end of a larger card. Pure functions over the
 * first sector. Growing changes four bytes of one sector, written in one piece: a power cut leaves
 * the old table or the new one, and both are right.
 */

import { readPartition } from '../vm/host/storage-file.ts';

export const SECTOR_BYTES = 512;
export const JOURNAL_PARTITION = 4;
const TABLE_OFFSET = 446;
const ENTRY_BYTES = 16;
const ENTRY_COUNT = 12;
const ALIGNMENT_BYTES = 4 * 1024 * 1024;
const SECTORS_MAX = 0xffff_ffff;

export interface Partition {
  readonly startBytes: number;
  readonly sizeBytes: number;
}

/**
 * The table with the journal's partition reaching to the end of a disk of `diskBytes`; undefined
 * when there is nothing to gain (less than one 4 MiB step).
 */
export function grownTable(
  sector: Uint8Array,
  diskBytes: number,
): { sector: Uint8Array; partition: Partition } | undefined {
  const journal = readPartition(sector, JOURNAL_PARTITION);
  if (journal === null) return undefined;
  const end = Math.min(
    Math.floor(diskBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES,
    SECTORS_MAX * SECTOR_BYTES,
  );
  const sizeBytes = Math.floor((end - journal.baseBytes) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  if (sizeBytes < journal.sizeBytes + ALIGNMENT_BYTES) return undefined;
  const grown = sector.slice(0, SECTOR_BYTES);
  const view = new DataView(grown.buffer);
  const entry = TABLE_OFFSET + (JOURNAL_PARTITION - 1) * ENTRY_BYTES;
  view.setUint32(entry + ENTRY_COUNT, sizeBytes / SECTOR_BYTES, true);
  return { sector: grown, partition: { startBytes: journal.baseBytes, sizeBytes } };
}
