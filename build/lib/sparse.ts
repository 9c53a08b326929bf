/**
 * Copies into a disk image without writing runs of zeros, so that an image of half a gigabyte takes
 * the space and time of what is really in it.
 */
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { assert } from '../../vm/base/assert.ts';

const CHUNK_BYTES = 1 << 20;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

/** Copies the file `from` to `offsetBytes` of `to`, which must read as zeros there. */
export async function copySparse(from: string, to: FileHandle, offsetBytes: number): Promise<void> {
  const source = await open(from, 'r');
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let position = 0; ; ) {
      const { bytesRead } = await source.read(chunk, 0, CHUNK_BYTES, position);
      if (bytesRead === 0) break;
      if (!chunk.subarray(0, bytesRead).equals(ZEROS.subarray(0, bytesRead))) {
        await writeFully(to, chunk.subarray(0, bytesRead), offsetBytes + position);
      }
      position += bytesRead;
    }
  } finally {
    await source.close();
  }
}

/** Writes all bytes at a position; a short write is continued. */
export async function writeFully(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    assert(bytesWritten > 0, 'a write wrote nothing');
    done += bytesWritten;
  }
}

/** Reads exactly `lengthBytes` at a position, fewer only at the end of the file. */
export async function readFully(
  handle: FileHandle,
  lengthBytes: number,
  position: number,
): Promise<Buffer> {
  const bytes = Buffer.alloc(lengthBytes);
  let done = 0;
  while (done < lengthBytes) {
    const { bytesRead } = await handle.read(bytes, done, lengthBytes - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}
