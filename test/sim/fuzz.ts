/**
 * `npm run sim -- --fuzz [--seed N] [--workers W]`: every byte of everything on the medium that is no
 * page of a heap (superblocks, unversioned area, records of commits and changes, headers and tables
 * of segments, nodes of trees, the change log, marks) is changed, one at a time. What is found then
 * must be right, or refused in a sentence: never a wrong answer, never another error.
 */
import { FIRST_SEGMENT, readBlockList, readUnitHeader } from '../../vm/store/format.ts';
import { PAGE_BYTES } from '../../vm/store/storage.ts';
import { Checker } from './checker.ts';
import { Block, type Medium } from './disk.ts';
import { checkLied } from './hostile.ts';
import { Violation } from './model.ts';
import { Simulation } from './simulation.ts';
import type { Task } from './tasks.ts';

const HEAP_SPACES = 2 * 2 ** 40;

/** What a part of the fuzzer changed. */
export interface Fuzzed {
  blocks: number;
  bytes: number;
}

/** Fuzzes every `parts`-th block, from block `part` on; throws a Violation at what was believed. */
export function fuzz(task: Task, part: number, parts: number): Fuzzed {
  const { seed, options, operations } = task;
  const simulation = new Simulation(seed, options);
  for (const operation of operations) simulation.step(operation, false);
  const { medium, model, ever } = simulation.world;
  const checker = new Checker();
  checker.match(medium, [model]);
  const places = metadataOf(medium, options.segmentBytes / PAGE_BYTES);
  const chosen = places.filter((_, index) => index % parts === part);
  for (const at of chosen) {
    const { bytes } = medium.blocks[at] as Block;
    for (let byte = 0; byte < PAGE_BYTES; byte++) {
      const flipped = bytes.slice();
      flipped[byte] = (flipped[byte] as number) ^ (1 << ((byte + at) % 8));
      try {
        checkLied(medium.with(new Map([[at, new Block(flipped)]])), model, ever, checker);
      } catch (error) {
        const { message } = error as Error;
        throw new Violation(`byte ${byte} of block ${at} changed: ${message}`, { cause: error });
      }
    }
  }
  return { blocks: chosen.length, bytes: chosen.length * PAGE_BYTES };
}

/** The blocks in use that are no pages of a heap. */
function metadataOf(medium: Medium, slots: number): number[] {
  const found = new Set<number>();
  for (const [at, block] of medium.blocks.entries()) {
    if (block === null) continue;
    if (at < FIRST_SEGMENT * slots) {
      found.add(at);
      continue;
    }
    const header = readUnitHeader(block.bytes, slots);
    if (header?.slot !== at % slots) continue;
    found.add(at);
    for (const [index, { number }] of readBlockList(block.bytes, header.blocks).entries()) {
      if (number >= HEAP_SPACES && medium.blocks[at + 1 + index]) found.add(at + 1 + index);
    }
  }
  return [...found];
}
