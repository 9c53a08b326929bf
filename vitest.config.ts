/** Unit tests lie beside their sources; what crosses modules lies in test/. No timing asserts. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['build/**/*.test.ts', 'initramfs/**/*.test.ts', 'vm/**/*.test.ts', 'ci/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    maxWorkers: 2,
  },
});
