/**
 * Writes a card and reads it back. The order of writes is what makes a power cut harmless.
 *
 * A new card: first the partition table is cleared, then everything behind it is written and
 * verified, and the partition table comes last. A card cut short has no partition table and starts
 * nothing. All of the image is written, its zeros too: an older journal's superblocks must not
 * shine through.
 *
 * An upgrade: only the slot that is not started is written and verified; then one sector,
 * autoboot.txt, is rewritten. Until that sector is down the old system starts, afterwards the new
 * one. The journal is never touched.
 */
import type { FileHandle } from 'node:fs/promises';
import { assert } from '../../vm/base/assert.ts';
import { activePartition, autobootSector, isAutobootSector } from './autoboot.ts';
import { inactiveSlot } from './card.ts';
import { BuildError } from './failure.ts';
import { type MbrEntry, SECTOR_BYTES } from './mbr.ts';
import { readFully, writeFully } from './sparse.ts';

const CHUNK_BYTES = 4 << 20;

export interface CardWriter {
  card: FileHandle;
  image: FileHandle;
  /** Makes the next reads come from the card and not from this machine's memory. */
  dropCaches(): Promise<void>;
  /** `done` of `total` bytes, in one of the two passes. */
  report(pass: 'writing' | 'verifying', done: number, total: number): void;
}

/** Writes the whole image to a card and verifies it. */
export async function writeNewCard(writer: CardWriter, sizeBytes: number): Promise<void> {
  const { card, image } = writer;
  await writeFully(card, Buffer.alloc(SECTOR_BYTES), 0);
  await card.sync();
  // The first sector is left zero here and in the check that follows.
  await copyRange(writer, { startBytes: SECTOR_BYTES, endBytes: sizeBytes });
  await verifyRange(writer, { startBytes: SECTOR_BYTES, endBytes: sizeBytes });
  await writeFully(card, await readFully(image, SECTOR_BYTES, 0), 0);
  await card.sync();
  await writer.dropCaches();
  await verifyRange(writer, { startBytes: 0, endBytes: SECTOR_BYTES });
}

/** Replaces the slot that is not started and then starts it; answers its partition number. */
export async function upgradeCard(
  writer: CardWriter,
  entries: readonly MbrEntry[],
): Promise<number> {
  const { card } = writer;
  const selector = entries[0];
  assert(selector !== undefined, 'the image has no first partition');
  const sector = await findAutoboot(card, selector);
  const active = activePartition((await readFully(card, SECTOR_BYTES, sector)).toString('latin1'));
  if (active === null) throw noAutoboot();
  const slot = inactiveSlot(active);
  const entry = entries[slot - 1];
  assert(entry !== undefined, `the image has no partition ${slot}`);
  const range = { startBytes: entry.startBytes, endBytes: entry.startBytes + entry.sizeBytes };
  await copyRange(writer, range);
  await verifyRange(writer, range);
  await writeFully(card, autobootSector(slot), sector);
  await card.sync();
  await writer.dropCaches();
  const written = await readFully(card, SECTOR_BYTES, sector);
  if (!written.equals(autobootSector(slot))) throw misread(sector);
  return slot;
}

interface Range {
  startBytes: number;
  endBytes: number;
}

async function copyRange(writer: CardWriter, range: Range): Promise<void> {
  const { card, image } = writer;
  const total = range.endBytes - range.startBytes;
  for (const at of chunks(range)) {
    const bytes = await readFully(image, Math.min(CHUNK_BYTES, range.endBytes - at), at);
    await writeFully(card, bytes, at);
    writer.report('writing', at + bytes.length - range.startBytes, total);
  }
  await card.sync();
  await writer.dropCaches();
}

async function verifyRange(writer: CardWriter, range: Range): Promise<void> {
  const { card, image } = writer;
  const total = range.endBytes - range.startBytes;
  for (const at of chunks(range)) {
    const length = Math.min(CHUNK_BYTES, range.endBytes - at);
    const [wanted, found] = [await readFully(image, length, at), await readFully(card, length, at)];
    if (!wanted.equals(found)) throw misread(at);
    writer.report('verifying', at + length - range.startBytes, total);
  }
}

function* chunks({ startBytes, endBytes }: Range): Iterable<number> {
  for (let at = startBytes; at < endBytes; at += CHUNK_BYTES) yield at;
}

/** Answers where on the card autoboot.txt's one sector lies. */
async function findAutoboot(card: FileHandle, selector: MbrEntry): Promise<number> {
  const end = selector.startBytes + selector.sizeBytes;
  for (const at of chunks({ startBytes: selector.startBytes, endBytes: end })) {
    const bytes = await readFully(card, Math.min(CHUNK_BYTES, end - at), at);
    for (let offset = 0; offset + SECTOR_BYTES <= bytes.length; offset += SECTOR_BYTES) {
      if (isAutobootSector(bytes.subarray(offset, offset + SECTOR_BYTES))) return at + offset;
    }
  }
  throw noAutoboot();
}

function noAutoboot(): BuildError {
  return new BuildError(
    'CARD_REFUSED',
    'Cannot upgrade the card: its autoboot.txt is missing or names no slot; flash it anew',
  );
}

function misread(at: number): BuildError {
  return new BuildError(
    'CARD_REFUSED',
    `Cannot verify the card: what it reads near byte ${at} is not what was written; use another card`,
  );
}
