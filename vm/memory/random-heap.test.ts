/** Random graphs against a model: see random-heap.ts. A failure names its seed. */
import { describe, expect, test } from 'vitest';
import { RandomHeap } from '../../test/machine/random-heap.ts';

const RUNS = Number(process.env['PALIMPSEST_HEAP_RUNS'] ?? 3);
const STEPS = 1200;
const FIRST_SEED = Number(process.env['PALIMPSEST_SEED'] ?? Date.now() % 1_000_000);

describe('ObjectMemory under random programs', () => {
  test.each(Array.from({ length: RUNS }, (_, i) => FIRST_SEED + i))('seed %i', (seed) => {
    const heap = new RandomHeap(seed);
    for (let step = 1; step <= STEPS; step++) {
      heap.step();
      const where = `seed ${seed}, step ${step}`;
      if (step % 50 === 0) expect(heap.compare(), where).toBeNull();
      if (step % 150 === 0) expect(heap.memory.checkHeap(), where).toEqual([]);
      if (step % 100 === 0) {
        heap.checkpointAndResume();
        expect(heap.compare(), `${where}, resumed`).toBeNull();
        expect(heap.memory.checkHeap(), `${where}, resumed`).toEqual([]);
      }
    }
    expect(heap.migrated).toBeGreaterThan(0);
  });
});
