/**
 * What crosses modules: the image, the language, the appliance in QEMU. Long, one file at a time.
 */
import { defineConfig } from 'vitest/config';

const slow = Math.max(1, Number(process.env['PALIMPSEST_SLOW'] ?? '1'));

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 900_000 * slow,
    hookTimeout: 900_000 * slow,
  },
});
