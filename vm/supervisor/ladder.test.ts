import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { HeapWatch } from './ladder.ts';

const MIB = 2 ** 20;

describe('HeapWatch.look()', () => {
  test('sees a thread whose heap runs away, though the thread never rests', async () => {
    const source =
      'const kept = []; for (;;) { kept.push({ at: kept.length + 0.5 });' +
      ' for (let i = 0; i < 300; i++) Math.sqrt(i); }';
    const worker = new Worker(source, { eval: true });
    worker.on('error', () => {}); // V8 may end it before us.
    const watch = new HeapWatch(48 * MIB);
    const heapBytes = async (): Promise<number> =>
      (await worker.getHeapStatistics()).total_heap_size;
    let seen = 0;
    while (seen === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await watch.look({ sleeps: () => false, heapBytes }, (bytes) => {
        seen = bytes;
      });
    }
    await worker.terminate();
    expect(seen).toBeGreaterThan(48 * MIB);
  });

  test('does not ask a thread that sleeps, nor one that still owes an answer', async () => {
    let asked = 0;
    const answer = Promise.withResolvers<number>();
    const heapBytes = (): Promise<number> => {
      asked++;
      return answer.promise;
    };
    const watch = new HeapWatch(MIB);
    const told: number[] = [];
    await watch.look({ sleeps: () => true, heapBytes }, (bytes) => told.push(bytes));
    expect(asked).toBe(0);
    const first = watch.look({ sleeps: () => false, heapBytes }, (bytes) => told.push(bytes));
    await watch.look({ sleeps: () => false, heapBytes }, (bytes) => told.push(bytes));
    expect(asked).toBe(1);
    answer.resolve(2 * MIB);
    await first;
    expect(told).toEqual([2 * MIB]);
  });
});
