/**
 * The oracle: what a journal must hold, kept as plain maps. Page contents follow from a stamp, so
 * the model stores only stamps. A model is never changed: operations make new ones.
 */
import type { GenerationKind } from '../../vm/store/record.ts';
import { PAGE_BYTES } from '../../vm/store/storage.ts';

export interface ModelGeneration {
  number: number;
  parent: number | null;
  kind: GenerationKind;
  wallMs: number;
  journalMs: number;
  /** Page number to stamp. */
  pages: ReadonlyMap<number, number>;
  /** Bytes of meta, each the low byte of wallMs. */
  metaBytes: number;
  label: string | null;
  pinned: boolean;
  knownGood: boolean;
}

export interface Model {
  generations: ReadonlyMap<number, ModelGeneration>;
  head: number;
  /** Page number to stamp of what was written ahead of its commit; gone when the power goes. */
  staged: ReadonlyMap<number, number>;
  /** Generations that a reader holds; let go of when the journal is opened anew. */
  held: ReadonlySet<number>;
  changes: readonly string[];
  unversioned: ReadonlyMap<string, string>;
}

/** The model of a journal just formatted. */
export function blankModel(): Model {
  const first: ModelGeneration = {
    number: 0,
    parent: null,
    kind: 'format',
    wallMs: 0,
    journalMs: 0,
    pages: new Map(),
    metaBytes: 0,
    label: null,
    pinned: false,
    knownGood: false,
  };
  return {
    generations: new Map([[0, first]]),
    head: 0,
    staged: new Map(),
    held: new Set(),
    changes: [],
    unversioned: new Map(),
  };
}

/** What is left of a model when its journal is opened anew. */
export function reopened(model: Model): Model {
  if (model.staged.size + model.held.size === 0) return model;
  return { ...model, staged: new Map(), held: new Set() };
}

/** The newest generation of a model. */
export function headOf(model: Model): ModelGeneration {
  return model.generations.get(model.head) as ModelGeneration;
}

/** The bytes of a page with that stamp. */
export function stampedPage(page: number, stamp: number): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  const words = new Uint32Array(bytes.buffer);
  words[0] = page;
  words[1] = stamp;
  let word = seedOf(page, stamp);
  for (let index = 2; index < words.length; index++) {
    word = Math.imul(word ^ (word >>> 13), 0x85ebca6b);
    words[index] = word;
  }
  return bytes;
}

/** The stamp of a page, checked against every byte; null when it is not the page it should be. */
export function stampOf(page: number, bytes: Uint8Array): number | null {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, PAGE_BYTES / 4);
  const stamp = words[1] as number;
  if (words[0] !== page >>> 0) return null;
  let word = seedOf(page, stamp);
  for (let index = 2; index < words.length; index++) {
    word = Math.imul(word ^ (word >>> 13), 0x85ebca6b);
    if (words[index] !== word >>> 0) return null;
  }
  return stamp;
}

function seedOf(page: number, stamp: number): number {
  return Math.imul(stamp + 1, 0x9e3779b1) ^ page ^ Math.imul(page / 2 ** 32, 0x27d4eb2f);
}

/** A promise of the journal that was broken. */
export class Violation extends Error {}
