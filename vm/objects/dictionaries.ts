/**
 * The library's dictionaries, read and written from outside the image: recovery tools, the
 * compiler's scope and the bootstrap work on them when the image cannot.
 *
 *   Dictionary        tally, array; the array holds Associations or nil, probed linearly from
 *                     hash \\ size (0-based). Keys handled here are Symbols, whose hash is identityHash.
 *   MethodDictionary  tally, array of methods, then keys; sizes are powers of two, probed linearly
 *                     from hash bitAnd: size - 1 (as in Squeak).
 */
import { assert } from '../base/assert.ts';
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { ASSOCIATION, BEHAVIOR, METHOD_DICTIONARY, SHAPE } from './well-known.ts';

/** Slots of Dictionary and its kin. */
export const DICTIONARY = { tally: 0, array: 1 } as const;
const CAPACITY_FIRST = 8;

/** An empty dictionary of shape `shape`, in old space. */
export function newDictionary(memory: ObjectMemory, shape: number, capacity = CAPACITY_FIRST): Oop {
  const slots = Math.max(2, memory.shapes.fixed[shape]!);
  const dictionary = memory.instantiateOld(shape, slots);
  memory.store(dictionary, DICTIONARY.tally, 1);
  memory.store(dictionary, DICTIONARY.array, memory.instantiateOld(SHAPE.Array, capacity));
  return dictionary;
}

/** An Association in old space. */
export function newAssociation(memory: ObjectMemory, key: Oop, value: Oop): Oop {
  const association = memory.instantiateOld(SHAPE.Association, 2);
  memory.store(association, ASSOCIATION.key, key);
  memory.store(association, ASSOCIATION.value, value);
  return association;
}

/** The Association of a Symbol, or 0. */
export function associationAt(memory: ObjectMemory, dictionary: Oop, key: Oop): Oop {
  const array = arrayOf(memory, dictionary);
  const index = scan(memory, array, key);
  if (index >= 0) return elementAt(memory, array, index);
  return memory.shapeOf(dictionary) === SHAPE.SystemDictionary ? 0 : search(memory, array, key);
}

/** A pool may be any dictionary, such as one that hashes its keys as Strings: looks everywhere. */
function search(memory: ObjectMemory, array: Oop, key: Oop): Oop {
  for (let i = 0; i < memory.slotCount(array); i++) {
    const association = elementAt(memory, array, i);
    if (association === memory.nil || !memory.isPointers(association)) continue;
    if (memory.slotCount(association) < 2) continue;
    if (memory.follow(memory.fetch(association, ASSOCIATION.key)) === key) return association;
  }
  return 0;
}

/** The value of a Symbol, or 0. */
export function valueAt(memory: ObjectMemory, dictionary: Oop, key: Oop): Oop {
  const association = associationAt(memory, dictionary, key);
  return association === 0 ? 0 : memory.follow(memory.fetch(association, ASSOCIATION.value));
}

/** Gives a Symbol a value; answers its Association, a new one when there was none. */
export function putAt(memory: ObjectMemory, dictionary: Oop, key: Oop, value: Oop): Oop {
  const existing = associationAt(memory, dictionary, key);
  if (existing !== 0) {
    memory.store(existing, ASSOCIATION.value, value);
    return existing;
  }
  const association = newAssociation(memory, key, value);
  addAssociation(memory, dictionary, association);
  return association;
}

/** Adds an Association whose key is not in the dictionary. */
export function addAssociation(memory: ObjectMemory, dictionary: Oop, association: Oop): void {
  const tally = (memory.fetch(dictionary, DICTIONARY.tally) >> 1) + 1;
  if (tally * 4 > memory.slotCount(arrayOf(memory, dictionary)) * 3) grow(memory, dictionary);
  insert(memory, arrayOf(memory, dictionary), association);
  memory.store(dictionary, DICTIONARY.tally, (tally << 1) | 1);
}

/** Removes a Symbol; answers its Association, or 0 when it was not there. */
export function removeKey(memory: ObjectMemory, dictionary: Oop, key: Oop): Oop {
  const array = arrayOf(memory, dictionary);
  const index = scan(memory, array, key);
  if (index < 0) return 0;
  const removed = elementAt(memory, array, index);
  const kept = associations(memory, dictionary).filter((association) => association !== removed);
  for (let i = 0; i < memory.slotCount(array); i++) memory.store(array, i, memory.nil);
  for (const association of kept) insert(memory, array, association);
  memory.store(dictionary, DICTIONARY.tally, (kept.length << 1) | 1);
  return removed;
}

/** All Associations, in the order of the array. */
export function associations(memory: ObjectMemory, dictionary: Oop): Oop[] {
  const array = arrayOf(memory, dictionary);
  const found: Oop[] = [];
  for (let i = 0; i < memory.slotCount(array); i++) {
    const association = elementAt(memory, array, i);
    if (association !== memory.nil) found.push(association);
  }
  return found;
}

/** Whether an oop looks like a dictionary: two slots or more, the second an Array. */
export function isDictionary(memory: ObjectMemory, oop: Oop): boolean {
  if (!memory.isPointers(oop) || memory.slotCount(oop) < 2) return false;
  return memory.shapeOf(memory.follow(memory.fetch(oop, DICTIONARY.array))) === SHAPE.Array;
}

function arrayOf(memory: ObjectMemory, dictionary: Oop): Oop {
  return memory.follow(memory.fetch(dictionary, DICTIONARY.array));
}

function elementAt(memory: ObjectMemory, array: Oop, index: number): Oop {
  return memory.follow(memory.fetch(array, index));
}

/** Index of the Association of `key`, or -1. */
function scan(memory: ObjectMemory, array: Oop, key: Oop): number {
  const size = memory.slotCount(array);
  if (size === 0) return -1;
  const first = memory.identityHash(key) % size;
  for (let i = 0; i < size; i++) {
    const index = (first + i) % size;
    const association = elementAt(memory, array, index);
    if (association === memory.nil) return -1;
    if (!memory.isPointers(association) || memory.slotCount(association) < 2) continue;
    if (memory.follow(memory.fetch(association, ASSOCIATION.key)) === key) return index;
  }
  return -1;
}

function insert(memory: ObjectMemory, array: Oop, association: Oop): void {
  const size = memory.slotCount(array);
  let index = memory.identityHash(memory.fetch(association, ASSOCIATION.key)) % size;
  while (elementAt(memory, array, index) !== memory.nil) index = (index + 1) % size;
  memory.store(array, index, association);
}

function grow(memory: ObjectMemory, dictionary: Oop): void {
  const size = memory.slotCount(arrayOf(memory, dictionary));
  const array = memory.instantiateOld(SHAPE.Array, Math.max(CAPACITY_FIRST, size * 2));
  assert(array !== 0, 'there is no room to grow a dictionary');
  for (const association of associations(memory, dictionary)) insert(memory, array, association);
  memory.store(dictionary, DICTIONARY.array, array);
}

/** An empty MethodDictionary; `capacity` is a power of two. */
export function newMethodDictionary(memory: ObjectMemory, capacity = CAPACITY_FIRST): Oop {
  assert((capacity & (capacity - 1)) === 0, 'a MethodDictionary has no such size');
  const slots = METHOD_DICTIONARY.keysFirst + capacity;
  const dictionary = memory.instantiateOld(SHAPE.MethodDictionary, slots);
  memory.store(dictionary, METHOD_DICTIONARY.tally, 1);
  memory.store(dictionary, METHOD_DICTIONARY.array, memory.instantiateOld(SHAPE.Array, capacity));
  return dictionary;
}

/** The method of a selector in a MethodDictionary, or 0. */
export function methodAt(memory: ObjectMemory, dictionary: Oop, selector: Oop): Oop {
  const index = scanMethods(memory, dictionary, selector);
  if (index < 0 || memory.fetch(dictionary, METHOD_DICTIONARY.keysFirst + index) === memory.nil) {
    return 0;
  }
  const methods = memory.follow(memory.fetch(dictionary, METHOD_DICTIONARY.array));
  return memory.follow(memory.fetch(methods, index));
}

/** Puts a method into a class's MethodDictionary, giving the class a larger one when it is full. */
export function putMethod(memory: ObjectMemory, classOop: Oop, selector: Oop, method: Oop): void {
  let dictionary = memory.follow(memory.fetch(classOop, BEHAVIOR.methodDictionary));
  if (dictionary === memory.nil) {
    dictionary = newMethodDictionary(memory);
    memory.store(classOop, BEHAVIOR.methodDictionary, dictionary);
  }
  const isNew = methodAt(memory, dictionary, selector) === 0;
  const tally = (memory.fetch(dictionary, METHOD_DICTIONARY.tally) >> 1) + (isNew ? 1 : 0);
  const capacity = memory.slotCount(dictionary) - METHOD_DICTIONARY.keysFirst;
  if (tally * 4 > capacity * 3) {
    const entries = methodEntries(memory, dictionary);
    dictionary = newMethodDictionary(memory, Math.max(CAPACITY_FIRST, capacity * 2));
    for (const [key, value] of entries) placeMethod(memory, dictionary, key, value);
    memory.store(classOop, BEHAVIOR.methodDictionary, dictionary);
  }
  placeMethod(memory, dictionary, selector, method);
  memory.store(dictionary, METHOD_DICTIONARY.tally, (tally << 1) | 1);
}

/** Removes a selector; answers whether it was there. */
export function removeMethod(memory: ObjectMemory, classOop: Oop, selector: Oop): boolean {
  const dictionary = memory.follow(memory.fetch(classOop, BEHAVIOR.methodDictionary));
  if (dictionary === memory.nil || methodAt(memory, dictionary, selector) === 0) return false;
  const entries = methodEntries(memory, dictionary).filter(([key]) => key !== selector);
  const methods = memory.follow(memory.fetch(dictionary, METHOD_DICTIONARY.array));
  for (let i = 0; i < memory.slotCount(methods); i++) {
    memory.store(methods, i, memory.nil);
    memory.store(dictionary, METHOD_DICTIONARY.keysFirst + i, memory.nil);
  }
  for (const [key, value] of entries) placeMethod(memory, dictionary, key, value);
  memory.store(dictionary, METHOD_DICTIONARY.tally, (entries.length << 1) | 1);
  return true;
}

/** All selectors with their methods, in the order of the dictionary. */
export function methodEntries(memory: ObjectMemory, dictionary: Oop): [Oop, Oop][] {
  const methods = memory.follow(memory.fetch(dictionary, METHOD_DICTIONARY.array));
  const entries: [Oop, Oop][] = [];
  for (let i = 0; i < memory.slotCount(methods); i++) {
    const key = memory.follow(memory.fetch(dictionary, METHOD_DICTIONARY.keysFirst + i));
    if (key !== memory.nil) entries.push([key, memory.follow(memory.fetch(methods, i))]);
  }
  return entries;
}

function placeMethod(memory: ObjectMemory, dictionary: Oop, selector: Oop, method: Oop): void {
  const index = scanMethods(memory, dictionary, selector);
  assert(index >= 0, 'a MethodDictionary is overfull');
  const methods = memory.follow(memory.fetch(dictionary, METHOD_DICTIONARY.array));
  memory.store(methods, index, method);
  memory.store(dictionary, METHOD_DICTIONARY.keysFirst + index, selector);
}

/**
 * Index of the selector, or of the nil where it would be; -1 when it is nowhere and all is full.
 */
function scanMethods(memory: ObjectMemory, dictionary: Oop, selector: Oop): number {
  const size = memory.slotCount(dictionary) - METHOD_DICTIONARY.keysFirst;
  const first = memory.identityHash(selector) & (size - 1);
  for (let i = 0; i < size; i++) {
    const index = (first + i) & (size - 1);
    const key = memory.follow(memory.fetch(dictionary, METHOD_DICTIONARY.keysFirst + index));
    if (key === selector || key === memory.nil) return index;
  }
  return -1;
}
