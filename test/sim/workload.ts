/**
 * Operations on a journal, made from seeds: each knows how to carry itself out and what the model
 * looks like afterwards. A list of operations can be shortened and run again, which is how a
 * failure shrinks.
 */
import type { Journal } from '../../vm/store/journal.ts';
import { type Model, type ModelGeneration, stampedPage, Violation } from './model.ts';
import { Random } from './random.ts';

export const OPERATIONS = [
  'commit',
  'bigCommit',
  'stage',
  'drop',
  'rollback',
  'change',
  'label',
  'unversioned',
  'forget',
  'vacuum',
  'reopen',
] as const;
export type OperationKind = (typeof OPERATIONS)[number];

export interface Operation {
  kind: OperationKind;
  seed: number;
}

const WEIGHTS: Record<OperationKind, number> = {
  commit: 40,
  bigCommit: 6,
  stage: 8,
  drop: 6,
  rollback: 10,
  change: 14,
  label: 8,
  unversioned: 6,
  forget: 5,
  vacuum: 6,
  reopen: 10,
};
const HEAP_PAGES = 600;
const FAR = 2 ** 40;

/** A list of operations that follows from the seed. */
export function makeOperations(seed: number, count: number): Operation[] {
  const random = new Random(seed);
  const bag = OPERATIONS.flatMap((kind) => Array.from({ length: WEIGHTS[kind] }, () => kind));
  return Array.from({ length: count }, () => ({ kind: random.pick(bag), seed: random.bits() }));
}

/** What an operation does to the model; `apply` does it to the journal. */
export interface Prepared {
  after: Model;
  apply: (journal: Journal) => void;
}

/** Works out an operation for the present model. */
export function prepare(operation: Operation, model: Model): Prepared {
  const random = new Random(operation.seed);
  switch (operation.kind) {
    case 'commit':
      return commit(model, random, 1 + random.below(6), operation.seed);
    case 'bigCommit':
      return commit(model, random, 20 + random.below(160), operation.seed);
    case 'stage':
      return stage(model, random, operation.seed);
    case 'drop':
      return drop(model, random);
    case 'rollback':
      return rollback(model, random);
    case 'change':
      return change(model, random, operation.seed);
    case 'label':
      return label(model, random, operation.seed);
    case 'unversioned': {
      const key = random.pick(['boots', 'reason', 'seed']);
      const value = `${operation.seed}`;
      return {
        after: { ...model, unversioned: new Map(model.unversioned).set(key, value) },
        apply: (journal) => journal.unversioned.write(key, new TextEncoder().encode(value)),
      };
    }
    case 'forget':
      return forget(model, random);
    case 'vacuum': {
      const steps = random.chance(50) ? Number.POSITIVE_INFINITY : 1 + random.below(12);
      return {
        after: model,
        apply: (journal) => {
          let left = steps;
          for (const _ of journal.vacuum()) if (--left === 0) break;
        },
      };
    }
    case 'reopen':
      return { after: { ...model, staged: new Map() }, apply: () => {} };
  }
}

function headPages(model: Model): Map<number, number> {
  return new Map(model.generations.get(model.head)?.pages);
}

/** The head's pages with what was staged over them. */
function pagesToCommit(model: Model): Map<number, number> {
  return new Map([...headPages(model), ...model.staged]);
}

function withGeneration(model: Model, pages: Map<number, number>, parent: number): Model {
  const number = model.head + 1;
  const generation: ModelGeneration = { number, parent, pages, label: null, pinned: false };
  const generations = new Map(model.generations).set(number, generation);
  return { ...model, generations, head: number, staged: new Map() };
}

function somePages(random: Random, count: number): Set<number> {
  const numbers = new Set<number>();
  // Some heaps lie together, some are spread over several levels of the tree.
  const spread = random.pick([1, 1, 1, 257, 70_001]);
  for (let index = 0; index < count; index++) {
    const space = random.chance(10) ? FAR : 0;
    numbers.add(space + random.below(HEAP_PAGES) * spread);
  }
  return numbers;
}

function stage(model: Model, random: Random, stamp: number): Prepared {
  const numbers = somePages(random, 1 + random.below(40));
  const staged = new Map(model.staged);
  for (const number of numbers) staged.set(number, stamp);
  return {
    after: { ...model, staged },
    apply: (journal) => {
      const pages = [...numbers].map((page) => ({ page, bytes: stampedPage(page, stamp) }));
      const places = journal.stage({ pages, journalMs: model.head });
      if (places.length !== numbers.size) throw new Violation('a staged page lies nowhere');
    },
  };
}

function commit(model: Model, random: Random, count: number, stamp: number): Prepared {
  const numbers = somePages(random, count);
  const pages = pagesToCommit(model);
  for (const number of numbers) pages.set(number, stamp);
  return {
    after: withGeneration(model, pages, model.head),
    apply: (journal) =>
      journal.commit({
        pages: [...numbers].map((page) => ({ page, bytes: stampedPage(page, stamp) })),
        wallMs: stamp,
        journalMs: model.head,
        meta: new Uint8Array(random.below(3) * 100),
      }),
  };
}

function drop(model: Model, random: Random): Prepared {
  const doomed = [...headPages(model).keys()].filter(() => random.chance(30));
  const pages = pagesToCommit(model);
  for (const page of doomed) pages.delete(page);
  return {
    after: withGeneration(model, pages, model.head),
    apply: (journal) =>
      journal.commit({
        pages: doomed.map((page) => ({ page, bytes: null })),
        wallMs: 0,
        journalMs: model.head,
      }),
  };
}

function rollback(model: Model, random: Random): Prepared {
  const target = random.pick([...model.generations.keys()]);
  const pages = new Map(model.generations.get(target)?.pages);
  return {
    after: withGeneration(model, pages, target),
    apply: (journal) => journal.rollback(target, { wallMs: 1, journalMs: model.head }),
  };
}

function change(model: Model, random: Random, stamp: number): Prepared {
  const text = `${stamp} `.repeat(1 + random.below(random.chance(20) ? 2000 : 20));
  return {
    after: { ...model, changes: [...model.changes, text] },
    apply: (journal) => journal.appendChange(new TextEncoder().encode(text)),
  };
}

function forget(model: Model, random: Random): Prepared {
  const share = random.pick([10, 50, 95]);
  const numbers = [...model.generations.keys()].filter(
    (number) => number !== model.head && random.chance(share),
  );
  const generations = new Map(model.generations);
  for (const number of numbers) generations.delete(number);
  return { after: { ...model, generations }, apply: (journal) => journal.forget(numbers) };
}

function label(model: Model, random: Random, stamp: number): Prepared {
  const target = random.pick([...model.generations.keys()]);
  const pinned = random.chance(50);
  const text = random.chance(80) ? `label ${stamp}` : null;
  const before = model.generations.get(target) as ModelGeneration;
  const generations = new Map(model.generations);
  generations.set(target, { ...before, label: text, pinned });
  return {
    after: { ...model, generations },
    apply: (journal) => journal.mark(target, { label: text ?? '', pinned }),
  };
}
