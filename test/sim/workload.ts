/**
 * Operations on a journal, made from seeds: each knows how to carry itself out and what the model
 * looks like afterwards. A list of operations can be shortened and run again, which is how a
 * failure shrinks. What needs more than a journal (reopening, growing, a power cut that becomes the
 * truth) is simulation.ts's business.
 */
import type { Journal } from '../../vm/store/journal.ts';
import type { GenerationKind } from '../../vm/store/record.ts';
import { exportGeneration, importGeneration } from '../../vm/store/transfer.ts';
import { headOf, type Model, type ModelGeneration, stampedPage, Violation } from './model.ts';
import { Random } from './random.ts';

/** Every operation, and how often it is drawn. */
export const OPERATIONS = {
  commit: 40,
  bigCommit: 5,
  stage: 6,
  unstage: 2,
  transfer: 4,
  drop: 6,
  rollback: 8,
  undo: 3,
  change: 12,
  bigChange: 2,
  mark: 8,
  unversioned: 5,
  forget: 6,
  thin: 5,
  maintain: 3,
  vacuum: 6,
  vacuumSteps: 9,
  hold: 4,
  release: 3,
  reopen: 7,
  powerCut: 9,
  grow: 1,
  verify: 2,
} as const;
export type OperationKind = keyof typeof OPERATIONS;
export const OPERATION_KINDS = Object.keys(OPERATIONS) as OperationKind[];

export interface Operation {
  kind: OperationKind;
  seed: number;
}

const HEAP_PAGES = 600;
const FAR = 2 ** 40;
const MINUTE = 60_000;

/** A list of operations that follows from the seed. */
export function makeOperations(seed: number, count: number): Operation[] {
  const random = new Random(seed);
  const bag = OPERATION_KINDS.flatMap((kind) =>
    Array.from({ length: OPERATIONS[kind] }, () => kind),
  );
  return Array.from({ length: count }, () => ({ kind: random.pick(bag), seed: random.bits() }));
}

/** What an operation does to the model; `apply` does it to the journal. */
export interface Prepared {
  after: Model;
  apply: (journal: Journal) => void;
  /** It may let go of generations by the rules of retention: `after` has those it may not lose. */
  thins: boolean;
  /** What is left when there is no room for it, unless that is the model before. */
  refused?: Model;
}

/** Works out an operation for the present model. */
export function prepare({ kind, seed }: Operation, model: Model): Prepared {
  const random = new Random(seed);
  switch (kind) {
    case 'commit':
      return commit(model, random, 1 + random.below(6), seed);
    case 'bigCommit':
      return commit(model, random, 20 + random.below(160), seed);
    case 'stage':
      return stage(model, random, seed);
    case 'unstage':
      return {
        ...same(model, (journal) => journal.unstage()),
        after: { ...model, staged: new Map() },
      };
    case 'transfer':
      return transfer(model, random, seed);
    case 'drop':
      return drop(model, random, seed);
    case 'undo':
      return undo(model, random, seed);
    case 'hold':
      return hold(model, random);
    case 'release':
      return { ...same(model, release), after: { ...model, held: new Set() } };
    case 'rollback':
      return rollback(model, random, seed);
    case 'change':
      return change(model, seed, random.chance(20) ? 100 : random.below(20));
    case 'bigChange':
      return change(model, seed, 300 + random.below(2000));
    case 'mark':
      return mark(model, random, seed);
    case 'unversioned':
      return unversioned(model, random, seed);
    case 'forget':
      return forget(model, random);
    case 'thin': {
      const pressure = random.below(9);
      const { journalMs } = headOf(model);
      return { ...same(model, (journal) => journal.thin(journalMs, pressure)), thins: true };
    }
    case 'maintain': {
      const { journalMs } = headOf(model);
      const blocks = random.pick([0, 0, 50, 1000]);
      return { ...same(model, (journal) => journal.maintain(journalMs, blocks)), thins: true };
    }
    case 'vacuum':
      return same(model, (journal) => {
        for (const _ of journal.vacuum());
      });
    case 'vacuumSteps':
      return same(model, (journal) => goOnVacuuming(journal, 1 + random.below(8)));
    case 'verify':
    case 'reopen':
    case 'powerCut':
    case 'grow':
      return same(model, () => {});
  }
}

/** Vacuums that are under way, so that other operations come between their steps. */
const vacuums = new WeakMap<Journal, Iterator<unknown>>();
/** What ends the holds of readers. */
const holds = new WeakMap<Journal, (() => void)[]>();

function goOnVacuuming(journal: Journal, steps: number): void {
  const under = vacuums.get(journal) ?? journal.vacuum()[Symbol.iterator]();
  vacuums.set(journal, under);
  for (let left = steps; left > 0; left--) {
    if (!under.next().done) continue;
    vacuums.delete(journal);
    return;
  }
}

function hold(model: Model, random: Random): Prepared {
  // Old ones are those that retention would let go of.
  const numbers = [...model.generations.keys()].sort((a, b) => a - b);
  const number = random.pick(numbers.slice(0, Math.ceil(numbers.length / 3)));
  const apply = (journal: Journal): void => {
    holds.set(journal, [...(holds.get(journal) ?? []), journal.hold(number)]);
  };
  return { ...same(model, apply), after: { ...model, held: new Set(model.held).add(number) } };
}

function release(journal: Journal): void {
  for (const end of holds.get(journal) ?? []) end();
  holds.delete(journal);
}

function same(model: Model, apply: (journal: Journal) => void): Prepared {
  return { after: model, apply, thins: false };
}

/** Powered-on time goes on by seconds or, so that retention has work, by days. */
function later(model: Model, random: Random): number {
  const step = random.pick([1000, 5000, MINUTE, 90 * MINUTE, 2000 * MINUTE]);
  return headOf(model).journalMs + step;
}

function grown(
  model: Model,
  made: Pick<ModelGeneration, 'parent' | 'kind' | 'wallMs' | 'journalMs' | 'pages' | 'metaBytes'>,
): Model {
  const number = model.head + 1;
  const generation = { ...made, number, label: null, pinned: false, knownGood: false };
  return {
    ...model,
    generations: new Map(model.generations).set(number, generation),
    head: number,
    staged: new Map(),
  };
}

/** The head's pages with what was staged over them. */
function pagesToCommit(model: Model): Map<number, number> {
  return new Map([...headOf(model).pages, ...model.staged]);
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
    thins: false,
    apply: (journal) => {
      const pages = [...numbers].map((page) => ({ page, bytes: stampedPage(page, stamp) }));
      const places = journal.stage({ pages, journalMs: headOf(model).journalMs });
      if (places.length !== numbers.size) throw new Violation('a staged page lies nowhere');
    },
  };
}

function meta(bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(bytes & 0xff);
}

function commit(model: Model, random: Random, count: number, stamp: number): Prepared {
  const numbers = somePages(random, count);
  const pages = pagesToCommit(model);
  for (const number of numbers) pages.set(number, stamp);
  const journalMs = later(model, random);
  const metaBytes = random.pick([0, 0, 100, 256]);
  const kind: GenerationKind = random.chance(10) ? 'import' : 'checkpoint';
  return {
    after: grown(model, {
      parent: model.head,
      kind,
      wallMs: stamp,
      journalMs,
      pages,
      metaBytes,
    }),
    thins: false,
    apply: (journal) =>
      journal.commit({
        pages: [...numbers].map((page) => ({ page, bytes: stampedPage(page, stamp) })),
        kind,
        wallMs: stamp,
        journalMs,
        meta: meta(metaBytes),
      }),
  };
}

function drop(model: Model, random: Random, stamp: number): Prepared {
  const pages = pagesToCommit(model);
  const doomed = [...pages.keys()].filter(() => random.chance(30));
  for (const page of doomed) pages.delete(page);
  const made = { parent: model.head, wallMs: stamp, journalMs: later(model, random), pages };
  return {
    after: grown(model, { ...made, kind: 'checkpoint', metaBytes: 0 }),
    thins: false,
    apply: (journal) =>
      journal.commit({
        pages: doomed.map((page) => ({ page, bytes: null })),
        wallMs: made.wallMs,
        journalMs: made.journalMs,
      }),
  };
}

function undo(model: Model, random: Random, stamp: number): Prepared {
  const target = Math.max(0, model.head - 1);
  return model.generations.has(target)
    ? rollback(model, random, stamp, target, (journal, now) => journal.undo(now))
    : same(model, () => {});
}

function rollback(
  model: Model,
  random: Random,
  stamp: number,
  parent = random.pick([...model.generations.keys()]),
  apply: (journal: Journal, now: { wallMs: number; journalMs: number }) => unknown = (
    journal,
    now,
  ) => journal.rollback(parent, now),
): Prepared {
  const { pages, metaBytes } = model.generations.get(parent) as ModelGeneration;
  const now = { wallMs: stamp, journalMs: later(model, random) };
  return {
    after: grown(model, { parent, kind: 'rollback', ...now, pages, metaBytes }),
    thins: false,
    apply: (journal) => apply(journal, now),
  };
}

/** A generation, or its difference from another, is exported and imported again. */
function transfer(model: Model, random: Random, stamp: number): Prepared {
  const numbers = [...model.generations.keys()];
  const generation = random.pick(numbers);
  const base = random.chance(50) ? random.pick(numbers) : null;
  const { pages, metaBytes, label } = model.generations.get(generation) as ModelGeneration;
  const now = { wallMs: stamp, journalMs: later(model, random) };
  const parent = base ?? model.head;
  const after = grown(model, { parent, kind: 'import', ...now, pages, metaBytes });
  const made = { ...(after.generations.get(after.head) as ModelGeneration), label };
  return {
    after: { ...after, generations: new Map(after.generations).set(made.number, made) },
    thins: false,
    refused: { ...model, staged: new Map() },
    apply: (journal) => {
      const parts: Uint8Array[] = [];
      const wanted = base === null ? { generation } : { generation, base };
      exportGeneration(journal, wanted, (bytes) => parts.push(bytes.slice()));
      const stream = Buffer.concat(parts);
      let at = 0;
      importGeneration(
        journal,
        (count) => {
          at += count;
          return stream.subarray(at - count, at);
        },
        now,
      );
    },
  };
}

function change(model: Model, stamp: number, words: number): Prepared {
  const text = `${stamp} `.repeat(1 + words);
  return {
    after: { ...model, changes: [...model.changes, text] },
    thins: false,
    apply: (journal) => journal.appendChange(new TextEncoder().encode(text)),
  };
}

function unversioned(model: Model, random: Random, stamp: number): Prepared {
  const key = random.pick(['boots', 'reason', 'seed']);
  const text = random.chance(20) ? undefined : `${stamp} `.repeat(1 + random.below(600));
  const values = new Map(model.unversioned);
  if (text === undefined) values.delete(key);
  else values.set(key, text);
  return {
    after: { ...model, unversioned: values },
    thins: false,
    apply: (journal) =>
      journal.unversioned.write(key, text === undefined ? text : new TextEncoder().encode(text)),
  };
}

function forget(model: Model, random: Random): Prepared {
  const share = random.pick([10, 50, 95]);
  const numbers = [...model.generations.keys()].filter(
    (number) => number !== model.head && !model.held.has(number) && random.chance(share),
  );
  const generations = new Map(model.generations);
  for (const number of numbers) generations.delete(number);
  return {
    after: { ...model, generations },
    thins: false,
    apply: (journal) => journal.forget(numbers),
  };
}

function mark(model: Model, random: Random, stamp: number): Prepared {
  const target = random.pick([...model.generations.keys()]);
  const pinned = random.chance(50);
  const knownGood = random.chance(50);
  const label = random.chance(80) ? `label ${stamp}` : null;
  const before = model.generations.get(target) as ModelGeneration;
  const generations = new Map(model.generations);
  generations.set(target, { ...before, label, pinned, knownGood });
  return {
    after: { ...model, generations },
    thins: false,
    apply: (journal) => journal.mark(target, { label: label ?? '', pinned, knownGood }),
  };
}
