/**
 * CRC-32 with the polynomial of zlib and Ethernet: the one checksum of the journal and the pager.
 *
 * The only import of a node module in vm/base, by design: the built-in runs at memory speed (PCLMUL
 * on x86, the crc32 instructions on arm64), a hand-written table would be ten times slower.
 */
import { crc32 } from 'node:zlib';

/** The CRC-32 of `bytes`, continued from `seed` (the checksum of what came before). Unsigned. */
export function checksum(bytes: Uint8Array, seed = 0): number {
  return crc32(bytes, seed);
}
