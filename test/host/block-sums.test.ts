/** The native checksums agree with zlib's, bit for bit: what one writes the other must prove. */
import { randomBytes, randomInt } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { loadAddon } from '../../vm/host/addon.ts';
import { SPACE_SIZE, sumBlocks } from '../../vm/store/format.ts';
import { PAGE_BYTES } from '../../vm/store/storage.ts';

describe('addon.sumBlocks()', () => {
  test('gives what the store computes without it', () => {
    const addon = loadAddon();
    for (let round = 0; round < 40; round++) {
      const count = randomInt(1, 256);
      const bytes = new Uint8Array(randomBytes(count * PAGE_BYTES));
      const numbers = Float64Array.from({ length: count }, () => randomInt(2 ** 47));
      numbers[0] = 240 * SPACE_SIZE + 5;
      const offsetBytes = randomInt(2 ** 32) * PAGE_BYTES;
      const [native, ours] = [new Uint32Array(count), new Uint32Array(count)];
      addon.sumBlocks(bytes, numbers, offsetBytes, native);
      sumBlocks(bytes, numbers, offsetBytes, ours);
      expect(native).toEqual(ours);
    }
  });
});
