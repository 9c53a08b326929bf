/** What there is to simulate: a run for a seed, and all short lists of operations. */
import type { RunOptions } from './simulation.ts';
import { makeOperations, OPERATION_KINDS, type Operation } from './workload.ts';

export interface Task {
  /** How to repeat it. */
  name: string;
  seed: number;
  operations: readonly Operation[];
  options: RunOptions;
  /** Operations before this one are carried out without crashes. */
  crashFrom: number;
}

const KIB = 1024;

/** Disks to simulate: small ones that fill up, larger ones, two sizes of segments. */
const DISKS: readonly Pick<RunOptions, 'diskBytes' | 'segmentBytes'>[] = [
  { diskBytes: 2048 * KIB, segmentBytes: 64 * KIB },
  { diskBytes: 8192 * KIB, segmentBytes: 64 * KIB },
  { diskBytes: 4096 * KIB, segmentBytes: 256 * KIB },
];
const DELTA_BYTES_MAX = [4096, 200, 600];

/** The run of a seed. */
export function taskOf(
  seed: number,
  {
    ops,
    images,
    hostilePercent,
    refusalPercent,
  }: { ops: number; images: number; hostilePercent: number; refusalPercent: number },
): Task {
  const turn = Math.floor(seed / DISKS.length);
  const options: RunOptions = {
    ...(DISKS[seed % DISKS.length] as (typeof DISKS)[number]),
    imagesPerOperation: images,
    hostilePercent,
    refusalPercent,
    deltaBytesMax: DELTA_BYTES_MAX[turn % 3] as number,
    retention: turn % 4 === 1 ? 'automatic' : 'manual',
    poorEntropy: turn % 5 === 2,
  };
  return {
    name: `--seed ${seed} --runs 1 --ops ${ops}`,
    seed,
    operations: makeOperations(seed, ops),
    options,
    crashFrom: 0,
  };
}

/**
 * Every list of one to `length` kinds of operations, each behind the same beginning that fills some
 * segments, leaves garbage and has relocations. A list crashes in its last operation only: its
 * beginnings are lists of their own.
 */
export function exhaustiveTasks(length: number): Task[] {
  const tasks: Task[] = [];
  const seed = 11;
  const beginning = BEGINNING.map((kind, index) => ({ kind, seed: 1000 + index }));
  const options: RunOptions = {
    diskBytes: 1536 * KIB,
    segmentBytes: 64 * KIB,
    imagesPerOperation: Number.POSITIVE_INFINITY,
    hostilePercent: 0,
    refusalPercent: 0,
    deltaBytesMax: 300,
    retention: 'manual',
    poorEntropy: false,
  };
  let lists: Operation[][] = [[]];
  for (let depth = 1; depth <= length; depth++) {
    lists = lists.flatMap((list) =>
      OPERATION_KINDS.map((kind) => [...list, { kind, seed: 2000 + depth * 77 }]),
    );
    for (const list of lists) {
      const operations = [...beginning, ...list];
      const name = `--exhaustive, list ${list.map(({ kind }) => kind).join(' ')}`;
      tasks.push({ name, seed, operations, options, crashFrom: operations.length - 1 });
    }
  }
  return tasks;
}

const BEGINNING = [
  'commit',
  'change',
  'commit',
  'mark',
  'commit',
  'commit',
  'commit',
  'forget',
  'vacuum',
  'rollback',
  'commit',
] as const;
