/**
 * Reading what vm/pager/native/crash.c wrote when the machine died (its head has the layout). The
 * block lies in the journal's first region behind superblocks and unversioned area, outside of
 * every generation, and is overwritten in place: it is a message from one boot to the next, no
 * data.
 */
import { crc32 } from 'node:zlib';
import { UNVERSIONED_BYTES, UNVERSIONED_OFFSET } from '../store/format.ts';
import type { CrashReason } from '../supervisor/messages.ts';

/** Byte offset of the crash block in the journal. */
export const CRASH_OFFSET = UNVERSIONED_OFFSET + UNVERSIONED_BYTES;

const MAGIC = 'PALCRASH';
const TEXT_OFFSET = 28;
const TEXT_BYTES_MAX = 1000;
const CHECKSUM_OFFSET = 4092;

/** The reason a block holds; null when it holds none. */
export function parseCrashBlock(block: Uint8Array): CrashReason | null {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  if (new TextDecoder('latin1').decode(block.subarray(0, MAGIC.length)) !== MAGIC) return null;
  if (view.getUint32(8, true) !== 1) return null;
  if (crc32(block.subarray(0, CHECKSUM_OFFSET)) !== view.getUint32(CHECKSUM_OFFSET, true))
    return null;
  const length = Math.min(view.getUint32(24, true), TEXT_BYTES_MAX);
  return {
    signal: view.getUint32(12, true),
    addressHex: `0x${view.getBigUint64(16, true).toString(16)}`,
    text: new TextDecoder().decode(block.subarray(TEXT_OFFSET, TEXT_OFFSET + length)),
  };
}
