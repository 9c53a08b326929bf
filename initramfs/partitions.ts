/**
 * The card's partition table (MBR) as the appliance needs it: where partition 4, the journal, lies,
 * and the table that results when it is grown to the end of a larger card. Pure functions over the
 * first sector. Growing changes four bytes of one sector, written in one piece: a power cut leaves
 * the old table or the new one, and both are right.
 */

export const SECTOR_BYTES = 512;
export const JOURNAL_PARTITION = 4;
const TABLE_OFFSET = 446;
const ENTRY_BYTES = 16;
const ENTRY_START = 8;
const ENTRY_COUNT = 12;
const SIGNATURE_OFFSET = 510;
const ALIGNMENT_BYTES = 4 * 1024 * 1024;
const SECTORS_MAX = 0xffff_ffff;

export interface Partition {
  readonly startBytes: number;
  readonly sizeBytes: number;
}

/**
 * Partition `number` (1 to 4) of a table; undefined when there is no table or no such partition.
 */
export function partitionOf(sector: Uint8Array, number: number): Partition | undefined {
  const view = new DataView(sector.buffer, sector.byteOffset, SECTOR_BYTES);
  if (view.getUint16(SIGNATURE_OFFSET, true) !== 0xaa55) return undefined;
  const entry = TABLE_OFFSET + (number - 1) * ENTRY_BYTES;
  const start = view.getUint32(entry + ENTRY_START, true);
  const count = view.getUint32(entry + ENTRY_COUNT, true);
  if (start === 0 || count === 0) return undefined;
  return { startBytes: start * SECTOR_BYTES, sizeBytes: count * SECTOR_BYTES };
}

/**
 * The table with the journal's partition reaching to the end of a disk of `diskBytes`; undefined
 * when there is nothing to gain (less than one 4 MiB step).
 */
export function grownTable(
  sector: Uint8Array,
  diskBytes: number,
): { sector: Uint8Array; partition: Partition } | undefined {
  const journal = partitionOf(sector, JOURNAL_PARTITION);
  if (journal === undefined) return undefined;
  const end = Math.min(
    Math.floor(diskBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES,
    SECTORS_MAX * SECTOR_BYTES,
  );
  const sizeBytes = Math.floor((end - journal.startBytes) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  if (sizeBytes < journal.sizeBytes + ALIGNMENT_BYTES) return undefined;
  const grown = sector.slice(0, SECTOR_BYTES);
  const view = new DataView(grown.buffer);
  const entry = TABLE_OFFSET + (JOURNAL_PARTITION - 1) * ENTRY_BYTES;
  view.setUint32(entry + ENTRY_COUNT, sizeBytes / SECTOR_BYTES, true);
  return { sector: grown, partition: { startBytes: journal.startBytes, sizeBytes } };
}
