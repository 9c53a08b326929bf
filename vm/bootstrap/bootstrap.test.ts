/** The bootstrap: whole with this tree's library, and what it says about bad sources. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { debug } from '../base/debug.ts';
import { PAGE_BYTES, PAGE_WORDS } from '../objects/layout.ts';
import { SPECIAL } from '../objects/well-known.ts';
import { Journal } from '../store/journal.ts';
import { MemoryStorage } from '../store/memory-storage.ts';
import { bareDefinitions, bareHeap, emptyMemory } from './bare.ts';
import { BootstrapError } from './bootstrap-error.ts';
import { bootstrapHeap, bootstrapJournal } from './main.ts';
import { readPackages } from './packages.ts';

const SIZE_BYTES = 64 * 2 ** 20;
const scratch = mkdtempSync(join(tmpdir(), 'bootstrap-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Every page of generation 1, and the journal it came from. */
function pagesOf(storage: MemoryStorage): Map<number, Uint8Array> {
  const random = (bytes: number): Uint8Array => new Uint8Array(bytes);
  const journal = Journal.open(storage, { write: false, wallClockMs: 0, random });
  const pages = new Map<number, Uint8Array>();
  for (const { page } of journal.pageMap(journal.head)) {
    const bytes = new Uint8Array(PAGE_BYTES);
    expect(journal.readPage(journal.head, page, bytes)).toBe(true);
    pages.set(page, bytes);
  }
  expect(journal.id).toMatch(/^0+$/);
  return pages;
}

describe('bootstrapJournal()', () => {
  test('the same sources give the same bytes, which are a whole heap', () => {
    const storages = [0, 1].map(() => {
      const storage = new MemoryStorage(SIZE_BYTES);
      expect(bootstrapJournal(storage).warnings).toEqual([]);
      return storage;
    });
    const [first, second] = storages.map(pagesOf);
    expect(first).toEqual(second);
    const bytes = storages.map((storage) => {
      const all = new Uint8Array(8 * 2 ** 20);
      storage.read(0, all);
      return Buffer.from(all);
    });
    expect(bytes[0]!.equals(bytes[1]!)).toBe(true);

    const memory = emptyMemory();
    for (const [page, content] of first!) {
      memory.H.set(new Int32Array(content.buffer), page * PAGE_WORDS);
    }
    memory.attach();
    expect(memory.checkHeap()).toEqual([]);
    expect(memory.classOf(memory.special(SPECIAL.smalltalk))).not.toBe(memory.nil);
  });

  test('a scavenge at every safepoint changes nothing', () => {
    debug.gcStress = true;
    try {
      expect(bootstrapHeap().checkHeap()).toEqual([]);
    } finally {
      debug.gcStress = false;
    }
  });
});

describe('bad sources', () => {
  /** What reading and building one package of these files is refused for. */
  function problemsOf(files: Record<string, string>): readonly string[] {
    const dir = mkdtempSync(join(scratch, 'classes-'));
    mkdirSync(join(dir, 'P'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, 'P', name), text);
    try {
      const units = readPackages(dir).map(({ unit }) => unit);
      bareHeap({ definitions: [...bareDefinitions(), ...units] });
    } catch (error) {
      if (error instanceof BootstrapError) return error.problems;
      throw error;
    }
    return [];
  }
  const classFile = (rest: string): string => `Class { #name : #Foo, ${rest} #category : #P }\n`;

  test('an unreadable file, a missing superclass, a class defined twice', () => {
    expect(problemsOf({ 'a.st': 'Class { #name' })[0]).toMatch(/^Cannot read "P\/a.st": found /);
    expect(problemsOf({ 'a.st': classFile('#superclass : #Nobody,') })).toEqual([
      'Cannot define class "Foo": its superclass "Nobody" is in no package',
    ]);
    const good = classFile('#superclass : #Object,');
    expect(problemsOf({ 'a.st': good })).toEqual([]);
    expect(problemsOf({ 'a.st': good, 'b.st': good })).toContain(
      'Cannot define class "Foo": it is defined twice',
    );
  });

  test('an unknown layout, slots in bytes, a pool that is none', () => {
    const object = '#superclass : #Object,';
    expect(problemsOf({ 'a.st': classFile(`${object} #type : #odd,`) })[0]).toMatch(/unknown/);
    const slots = `${object} #type : #bytes, #instVars : [ 'a' ],`;
    expect(problemsOf({ 'a.st': classFile(slots) })[0]).toMatch(/has no named slots/);
    expect(problemsOf({ 'a.st': classFile(`${object} #pools : [ 'Point' ],`) })[0]).toMatch(/pool/);
  });

  test('a superclass loop, a class the VM knows with other slots', () => {
    const loop = (name: string, parent: string): string =>
      `Class { #name : #${name}, #superclass : #${parent}, #category : #P }\n`;
    expect(problemsOf({ 'a.st': loop('A', 'B'), 'b.st': loop('B', 'A') }).length).toBe(2);
    const definitions = bareDefinitions().map((definition) =>
      definition.name === 'Semaphore' ? { ...definition, instVars: [] } : definition,
    );
    expect(() => bareHeap({ definitions })).toThrow(
      /"Semaphore": its slots are firstLink lastLink,/,
    );
  });
});
