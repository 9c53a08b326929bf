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
  changes: readonly string[];
  unversioned: ReadonlyMap<string, string>;
}

/** The model of a journal just formatted. */
export function blankModel(): Model {
  const first = { number: 0, parent: null, pages: new Map(), label: null, pinned: false };
  return { generations: new Map([[0, first]]), head: 0, changes: [], unversioned: new Map() };
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
  const stamp = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
  const wanted = stampedPage(page, stamp);
  return wanted.every((byte, index) => byte === bytes[index]) ? stamp : null;
}

export class Violation extends Error {}

/** What of the model a journal on a damaged medium no longer had; never a wrong answer. */
export interface Losses {
  pages: number;
  generations: number;
}

/**
 * Compares everything. With `lossy` an unreadable page or generation is counted, not a violation;
 * a wrong one always is.
 */
export function checkJournal(journal: Journal, model: Model, lossy = false): Losses {
  const losses: Losses = { pages: 0, generations: 0 };
  const head = journal.head.number;
  if (head !== model.head) {
    throw new Violation(`the head is generation ${head}, wanted ${model.head}`);
  }
  const known = new Map<string, number>();
  for (const wanted of model.generations.values()) {
    try {
      checkGeneration(journal, wanted, known, losses, lossy);
    } catch (error) {
      if (!lossy || !(error instanceof StoreError)) throw error;
      losses.generations++;
    }
  }
  if (lossy) return losses;
  const kept = journal.generations().length;
  if (kept !== model.generations.size) {
    throw new Violation(`${kept} generations are listed, wanted ${model.generations.size}`);
  }
  const changes = [...journal.changes()].map(({ record }) => new TextDecoder().decode(record));
  if (changes.join('\n') !== model.changes.join('\n')) {
    throw new Violation(`the change log is [${changes}], wanted [${model.changes}]`);
  }
  checkUnversioned(journal, model);
  return losses;
}

function checkUnversioned(journal: Journal, model: Model): void {
  for (const [key, wanted] of model.unversioned) {
    const found = journal.unversioned.read(key);
    const text = found && new TextDecoder().decode(found);
    if (text !== wanted) throw new Violation(`unversioned ${key} is ${text}, wanted ${wanted}`);
  }
}

function checkGeneration(
  journal: Journal,
  wanted: ModelGeneration,
  known: Map<string, number>,
  losses: Losses,
  lossy: boolean,
): void {
  const name = `generation ${wanted.number}`;
  const found = journal.generation(wanted.number);
  if (!found) {
    throw lossy
      ? new StoreError('NO_SUCH_GENERATION', `${name} is gone`)
      : new Violation(`${name} is gone`);
  }
  if (found.parent !== wanted.parent) {
    throw new Violation(`${name} has parent ${found.parent}, wanted ${wanted.parent}`);
  }
  if (!lossy && (found.label !== wanted.label || found.pinned !== wanted.pinned)) {
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
        if (!lossy || !(error instanceof StoreError)) throw error;
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
