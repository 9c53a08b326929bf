/** A short run of random-trees.ts, from a fresh seed; that file's own command makes long ones. */
import { expect, test } from 'vitest';
import { randomTrees } from './random-trees.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

test(`trees read, laid out and read again; damaged sources (SEED=${seed})`, () => {
  console.log(`SEED=${seed}`);
  expect(randomTrees(seed, 300)).toEqual([]);
});
