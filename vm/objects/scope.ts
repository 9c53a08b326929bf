/**
 * What names mean to a method of a class in a live image: instance variables from the class's
 * shape, class variables and pools along the superclasses, then the globals; at last Undeclared.
 * Read with care: the image may be damaged, and a loop in the superclass chain must not hang the
 * compiler.
 */
import type { Scope } from '../compiler/method-spec.ts';
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import {
  addAssociation,
  associationAt,
  associations,
  isDictionary,
  newAssociation,
  newDictionary,
  removeKey,
} from './dictionaries.ts';
import {
  ASSOCIATION,
  BEHAVIOR,
  CLASS,
  METACLASS,
  SHAPE,
  SHAPE_SLOTS,
  SPECIAL,
} from './well-known.ts';

const SUPERCLASSES_MAX = 1000;
const SUGGESTIONS_MAX = 3;

/** The compiler's Scope for methods of `classOop`; nil stands for no class. */
export function imageScope(memory: ObjectMemory, classOop: Oop): Scope {
  const instanceVariables = classOop === memory.nil ? [] : slotNamesOf(memory, classOop);
  return {
    instanceVariables,
    binding: (name) => (findBinding(memory, classOop, name) === 0 ? 'undeclared' : 'found'),
    suggestions: (name) => suggestions(memory, classOop, name, instanceVariables),
  };
}

/** All slot names of the instances of a class, inherited ones first. */
export function slotNamesOf(memory: ObjectMemory, classOop: Oop): string[] {
  const index = memory.fetch(classOop, BEHAVIOR.shape);
  if ((index & 1) === 0) return [];
  const table = memory.special(SPECIAL.shapeTable);
  const shape = memory.follow(memory.fetch(table, index >> 1));
  if (shape === memory.nil) return [];
  const names = memory.follow(memory.fetch(shape, SHAPE_SLOTS.slotNames));
  if (names === memory.nil) return [];
  const found: string[] = [];
  for (let i = 0; i < memory.slotCount(names); i++) {
    found.push(memory.stringValue(memory.follow(memory.fetch(names, i))));
  }
  return found;
}

/** The Association that `name` means to methods of `classOop`, or 0. */
export function findBinding(memory: ObjectMemory, classOop: Oop, name: string): Oop {
  const key = memory.internSymbol(name);
  for (const pool of poolsOf(memory, classOop)) {
    const association = associationAt(memory, pool, key);
    if (association !== 0) return association;
  }
  const globals = memory.special(SPECIAL.smalltalk);
  return isDictionary(memory, globals) ? associationAt(memory, globals, key) : 0;
}

/** As `findBinding`; a name nobody knows gets a binding in Undeclared, value nil. */
export function bindingOf(memory: ObjectMemory, classOop: Oop, name: string): Oop {
  const found = findBinding(memory, classOop, name);
  if (found !== 0) return found;
  let undeclared = memory.special(SPECIAL.undeclared);
  if (!isDictionary(memory, undeclared)) {
    undeclared = newDictionary(memory, SHAPE.SystemDictionary);
    memory.setSpecial(SPECIAL.undeclared, undeclared);
  }
  const key = memory.internSymbol(name);
  const existing = associationAt(memory, undeclared, key);
  if (existing !== 0) return existing;
  const association = newAssociation(memory, key, memory.nil);
  addAssociation(memory, undeclared, association);
  return association;
}

/** Makes `name` a global; an undeclared binding of that name becomes the global's. */
export function declareGlobal(memory: ObjectMemory, name: string, value: Oop): Oop {
  const key = memory.internSymbol(name);
  const globals = memory.special(SPECIAL.smalltalk);
  let association = associationAt(memory, globals, key);
  if (association === 0) {
    const undeclared = memory.special(SPECIAL.undeclared);
    if (isDictionary(memory, undeclared)) association = removeKey(memory, undeclared, key);
    if (association === 0) association = newAssociation(memory, key, value);
    addAssociation(memory, globals, association);
  }
  memory.store(association, ASSOCIATION.value, value);
  return association;
}

/** Class pools and shared pools from the class upwards; a metaclass sees its class's. */
function* poolsOf(memory: ObjectMemory, classOop: Oop): Generator<Oop> {
  let behavior = classOop;
  if (memory.shapeOf(behavior) === SHAPE.Metaclass) {
    behavior = memory.follow(memory.fetch(behavior, METACLASS.thisClass));
  }
  for (let i = 0; i < SUPERCLASSES_MAX && behavior !== memory.nil; i++) {
    if (!memory.isPointers(behavior) || memory.slotCount(behavior) <= CLASS.sharedPools) return;
    const pool = memory.follow(memory.fetch(behavior, CLASS.classPool));
    if (isDictionary(memory, pool)) yield pool;
    yield* sharedPools(memory, memory.follow(memory.fetch(behavior, CLASS.sharedPools)));
    behavior = memory.follow(memory.fetch(behavior, BEHAVIOR.superclass));
  }
}

/** The dictionaries in an Array or OrderedCollection (array, first, last). */
function* sharedPools(memory: ObjectMemory, collection: Oop): Generator<Oop> {
  if (!memory.isPointers(collection)) return;
  let elements = collection;
  if (memory.shapeOf(collection) !== SHAPE.Array) {
    if (memory.slotCount(collection) === 0) return;
    elements = memory.follow(memory.fetch(collection, 0));
    if (memory.shapeOf(elements) !== SHAPE.Array) return;
  }
  for (let i = 0; i < memory.slotCount(elements); i++) {
    const pool = memory.follow(memory.fetch(elements, i));
    if (isDictionary(memory, pool)) yield pool;
  }
}

/** Known names at edit distance 2 or less, nearest first. */
function suggestions(
  memory: ObjectMemory,
  classOop: Oop,
  name: string,
  instanceVariables: readonly string[],
): string[] {
  const known = new Set(instanceVariables);
  const dictionaries = [...poolsOf(memory, classOop), memory.special(SPECIAL.smalltalk)];
  for (const dictionary of dictionaries) {
    if (!isDictionary(memory, dictionary)) continue;
    for (const association of associations(memory, dictionary)) {
      const key = memory.follow(memory.fetch(association, ASSOCIATION.key));
      const shape = memory.shapeOf(key);
      if (shape === SHAPE.ByteSymbol || shape === SHAPE.WideSymbol) {
        known.add(memory.symbolValue(key));
      }
    }
  }
  const near: { candidate: string; distance: number }[] = [];
  for (const candidate of known) {
    const distance = editDistance(name, candidate, 2);
    if (distance <= 2 && distance < name.length) near.push({ candidate, distance });
  }
  near.sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1));
  return near.slice(0, SUGGESTIONS_MAX).map(({ candidate }) => candidate);
}

/** Levenshtein's distance without regard to case; more than `limit` may read as limit + 1. */
function editDistance(first: string, second: string, limit: number): number {
  if (Math.abs(first.length - second.length) > limit) return limit + 1;
  const a = first.toLowerCase();
  const b = second.toLowerCase();
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
