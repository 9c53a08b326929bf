/**
 * The oracle: what a journal must hold, kept as plain maps, and the check of a real journal
 * against it. Page contents follow from a stamp, so the model stores only stamps.
 */
import type { Journal } from '../../vm/store/journal.ts';
import { PAGE_BYTES } from '../../vm/store/storage.ts';
import { StoreError } from '../../vm/store/store-error.ts';

export interface ModelGeneration {
  number: number;
  parent: number | null;
  /** Page number to stamp. */
  pages: ReadonlyMap<number, number>;
  label: string | null;
  pinned: boolean;
}

export interface Model {
  generations: ReadonlyMap<number, ModelGeneration>;
  head: number;
  /** Page number to stamp of what was written ahead of its commit; gone when the power goes. */
  staged: ReadonlyMap<number, number>;
  changes: readonly string[];
  unversioned: ReadonlyMap<string, string>;
}

/** The model of a journal just formatted. */
export function blankModel(): Model {
  const first = { number: 0, parent: null, pages: new Map(), label: null, pinned: false };
  return {
    generations: new Map([[0, first]]),
    head: 0,
    staged: new Map(),
    changes: [],
    unversioned: new Map(),
  };
}

/** The bytes of a page with that stamp. */
export function stampedPage(page: number, stamp: number): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  const words = new Uint32Array(bytes.buffer);
  words[0] = page;
  words[1] = stamp;
  let word = Math.imul(stamp + 1, 0x9e3779b1) ^ page;
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
  let word = Math.imul(stamp + 1, 0x9e3779b1) ^ page;
  for (let index = 2; index < words.length; index++) {
    word = Math.imul(word ^ (word >>> 13), 0x85ebca6b);
    if (words[index] !== word >>> 0) return null;
  }
  return stamp;
}

export class Violation extends Error {}

/** What of the model a journal on a damaged medium no longer had; never a wrong answer. */
export interface Losses {
  pages: number;
  generations: number;
}

/** Compares everything; throws a Violation at the first difference. */
export function checkJournal(journal: Journal, model: Model): void {
  const head = journal.head.number;
  if (head !== model.head) {
    throw new Violation(`the head is generation ${head}, wanted ${model.head}`);
  }
  const known = new Map<string, number>();
  for (const wanted of model.generations.values()) checkGeneration(journal, wanted, known, null);
  const kept = journal.generations().length;
  if (kept !== model.generations.size) {
    throw new Violation(`${kept} generations are listed, wanted ${model.generations.size}`);
  }
  const changes = [...journal.changes()].map(({ record }) => new TextDecoder().decode(record));
  if (changes.join('\n') !== model.changes.join('\n')) {
    throw new Violation(`the change log is [${changes}], wanted [${model.changes}]`);
  }
  checkUnversioned(journal, model);
}

function checkUnversioned(journal: Journal, model: Model): void {
  for (const [key, wanted] of model.unversioned) {
    const found = journal.unversioned.read(key);
    const text = found && new TextDecoder().decode(found);
    if (text !== wanted) throw new Violation(`unversioned ${key} is ${text}, wanted ${wanted}`);
  }
}

/** Compares one generation; unreadable pages are counted when `lossy`, wrong ones never pass. */
export function checkGeneration(
  journal: Journal,
  wanted: ModelGeneration,
  known: Map<string, number>,
  losses: Losses | null,
): void {
  const name = `generation ${wanted.number}`;
  const found = journal.generation(wanted.number);
  if (!found) throw new Violation(`${name} is gone`);
  if (found.parent !== wanted.parent) {
    throw new Violation(`${name} has parent ${found.parent}, wanted ${wanted.parent}`);
  }
  if (!losses && (found.label !== wanted.label || found.pinned !== wanted.pinned)) {
    throw new Violation(`${name} is labelled ${found.label}, wanted ${wanted.label}`);
  }
  let count = 0;
  const bytes = new Uint8Array(PAGE_BYTES);
  for (const { page, offsetBytes } of journal.pageMap(wanted.number)) {
    count++;
    const stamp = wanted.pages.get(page);
    if (stamp === undefined) throw new Violation(`${name} has page ${page}, which it never had`);
    // A block proved once at this place for this page needs no second reading.
    const place = `${page}@${offsetBytes}`;
    let seen = known.get(place);
    if (seen === undefined) {
      try {
        journal.readPage(wanted.number, page, bytes);
      } catch (error) {
        if (!losses || !(error instanceof StoreError)) throw error;
        losses.pages++;
        continue;
      }
      const real = stampOf(page, bytes);
      if (real === null) throw new Violation(`${name} page ${page} holds bytes never written`);
      seen = real;
      known.set(place, seen);
    }
    if (seen !== stamp) {
      throw new Violation(`${name} page ${page} holds stamp ${seen}, wanted ${stamp}`);
    }
  }
  if (count !== wanted.pages.size) {
    throw new Violation(`${name} has ${count} pages, wanted ${wanted.pages.size}`);
  }
}
