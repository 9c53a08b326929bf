/**
 * The comparison of a journal with the model, generation by generation, page by page, through the
 * doors everybody uses. Nothing is taken for granted here; checker.ts avoids doing it twice.
 */
import type { Journal } from '../../vm/store/journal.ts';
import { PAGE_BYTES } from '../../vm/store/storage.ts';
import { StoreError } from '../../vm/store/store-error.ts';
import { type Model, type ModelGeneration, stampOf, Violation } from './model.ts';

/** The doors through which a journal is looked at. */
export type View = Pick<
  Journal,
  'head' | 'generation' | 'generations' | 'pageMap' | 'readPage' | 'changes' | 'lastChanges'
> & { unversioned: Pick<Journal['unversioned'], 'read' | 'keys'> };

/** What of a model a journal on a damaged medium no longer had; never a wrong answer. */
export interface Losses {
  /** [generation, page] that could not be read. */
  pages: [number, number][];
  generations: number[];
}

/** Compares everything; throws a Violation at the first difference. */
export function checkJournal(
  view: View,
  model: Model,
  checkPages: (wanted: ModelGeneration) => void = (wanted) => checkAllPages(view, wanted, null),
): void {
  const head = view.head.number;
  if (head !== model.head) {
    throw new Violation(`the head is generation ${head}, wanted ${model.head}`);
  }
  const listed = view.generations().map(({ number }) => number);
  const wanted = [...model.generations.keys()].sort((a, b) => b - a);
  if (listed.join() !== wanted.join()) {
    throw new Violation(`generations ${listed} are listed, wanted ${wanted}`);
  }
  for (const generation of model.generations.values()) {
    checkRecord(view, generation, true);
    checkPages(generation);
  }
  const changes = [...view.changes()].map(textOf);
  if (changes.join('\n') !== model.changes.join('\n')) {
    throw new Violation(`the change log is [${changes}], wanted [${model.changes}]`);
  }
  const last = view.lastChanges(2).map(textOf).join('\n');
  if (last !== changes.slice(-2).join('\n')) {
    throw new Violation(`the last changes are [${last}], wanted [${changes.slice(-2)}]`);
  }
  const keys = view.unversioned.keys().sort().join();
  const keysWanted = [...model.unversioned.keys()].sort().join();
  if (keys !== keysWanted) throw new Violation(`unversioned has ${keys}, wanted ${keysWanted}`);
  for (const [key, value] of model.unversioned) {
    const found = view.unversioned.read(key);
    const text = found && new TextDecoder().decode(found);
    if (text !== value) throw new Violation(`unversioned ${key} is ${text}, wanted ${value}`);
  }
}

/** What a change record says. */
export function textOf({ record }: { record: Uint8Array }): string {
  return new TextDecoder().decode(record);
}

/** Compares what a generation says of itself; its marks only where they cannot have been lost. */
export function checkRecord(view: View, wanted: ModelGeneration, marks: boolean): void {
  const name = `generation ${wanted.number}`;
  const found = view.generation(wanted.number);
  if (!found) throw new Violation(`${name} is gone`);
  const pairs: [string, unknown, unknown][] = [
    ['parent', found.parent, wanted.parent],
    ['kind', found.kind, wanted.kind],
    ['wall clock', found.wallMs, wanted.wallMs],
    ['journal time', found.journalMs, wanted.journalMs],
    ['meta bytes', found.meta.length, wanted.metaBytes],
  ];
  if (marks) {
    pairs.push(
      ['label', found.label, wanted.label],
      ['pin', found.pinned, wanted.pinned],
      ['known good', found.knownGood, wanted.knownGood],
    );
  }
  for (const [what, is, should] of pairs) {
    if (is !== should) throw new Violation(`${name} has ${what} ${is}, wanted ${should}`);
  }
  for (const byte of found.meta) {
    if (byte !== (wanted.metaBytes & 0xff)) throw new Violation(`${name} has wrong meta`);
  }
}

/**
 * Compares all pages of one generation, reading each; those that cannot be read are collected in
 * `losses` when given, wrong ones never pass.
 */
export function checkAllPages(view: View, wanted: ModelGeneration, losses: Losses | null): void {
  const name = `generation ${wanted.number}`;
  const bytes = new Uint8Array(PAGE_BYTES);
  let count = 0;
  for (const { page } of view.pageMap(wanted.number)) {
    count++;
    try {
      view.readPage(wanted.number, page, bytes);
    } catch (error) {
      if (!losses || !(error instanceof StoreError)) throw error;
      if (!wanted.pages.has(page)) throw new Violation(`${name} has page ${page}, never written`);
      losses.pages.push([wanted.number, page]);
      continue;
    }
    compareStamp(name, page, stampOf(page, bytes), wanted);
  }
  checkCount(name, count, wanted);
}

/** Throws unless the stamp found in a page of a generation is the one it should have. */
export function compareStamp(
  name: string,
  page: number,
  found: number | null,
  wanted: ModelGeneration,
): void {
  const stamp = wanted.pages.get(page);
  if (stamp === found && stamp !== undefined) return;
  if (stamp === undefined) throw new Violation(`${name} has page ${page}, which it never had`);
  if (found === null) throw new Violation(`${name} page ${page} holds bytes never written`);
  throw new Violation(`${name} page ${page} holds stamp ${found}, wanted ${stamp}`);
}

/** Throws unless a generation has as many pages as it should. */
export function checkCount(name: string, count: number, wanted: ModelGeneration): void {
  if (count !== wanted.pages.size) {
    throw new Violation(`${name} has ${count} pages, wanted ${wanted.pages.size}`);
  }
}
