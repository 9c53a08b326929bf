/**
 * become: by forwarders. An object that is replaced turns into a forwarder to its replacement; who
 * meets it follows. Few places do not look for forwarders, because they must be quick: what they
 * read is fixed here, eagerly: special objects, shape table, the slots of classes, superclass links
 * and method dictionaries. Callers have unwound the stack into Contexts.
 */
import {
  FORMAT,
  FORMAT_SHIFT,
  HASH_BITS,
  HASH_SHIFT,
  HEADER_WORDS,
  READ_ONLY,
  SHAPE_CHARACTER,
  SHAPE_FORWARDER,
  SHAPE_MASK,
} from '../objects/layout.ts';
import { BEHAVIOR, METHOD_DICTIONARY, SHAPE, SPECIAL } from '../objects/well-known.ts';
import type { ObjectMemory, Oop } from './object-memory.ts';
import { loadShapes } from './shapes.ts';
import { blockEnd, pointerSlots } from './walk.ts';

const FORWARDER_WORD = SHAPE_FORWARDER | (FORMAT.forwarder << FORMAT_SHIFT);

/** See ObjectMemory.becomeForward. */
export function becomeForward(
  memory: ObjectMemory,
  pairs: readonly (readonly [Oop, Oop])[],
  copyHash: boolean,
): boolean {
  for (const [from, to] of pairs) {
    if (!mayBecome(memory, memory.follow(from))) return false;
    if ((memory.follow(to) & 1) !== 0) return false;
  }
  for (const [first, second] of pairs) {
    const from = memory.follow(first);
    const to = memory.follow(second);
    if (from === to) continue;
    const hash = hashBits(memory, from);
    if (copyHash && hash !== 0 && mayBecome(memory, to)) memory.setIdentityHash(to, hash);
    makeForwarder(memory, from, to);
  }
  afterForwarding(memory);
  return true;
}

/** See ObjectMemory.become. */
export function become(memory: ObjectMemory, pairs: readonly (readonly [Oop, Oop])[]): boolean {
  for (const [first, second] of pairs) {
    if (!mayBecome(memory, memory.follow(first))) return false;
    if (!mayBecome(memory, memory.follow(second))) return false;
  }
  for (const [first, second] of pairs) {
    const a = memory.follow(first);
    const b = memory.follow(second);
    if (a === b) continue;
    if (blockWords(memory, a) === blockWords(memory, b)) exchangeInPlace(memory, a, b);
    else if (!exchangeByCopies(memory, a, b)) return false;
  }
  afterForwarding(memory);
  return true;
}

/** nil, true, false, SmallIntegers and Characters stay what they are. */
function mayBecome(memory: ObjectMemory, oop: Oop): boolean {
  if ((oop & 1) !== 0) return false;
  if (oop === memory.nil || oop === memory.true || oop === memory.false) return false;
  return (memory.H[oop]! & SHAPE_MASK) !== SHAPE_CHARACTER && oop !== memory.specials;
}

/** Turns `oop` into a forwarder to `target`; its block stays as long as it is. */
export function makeForwarder(memory: ObjectMemory, oop: Oop, target: Oop): void {
  const H = memory.H;
  H[oop] = FORWARDER_WORD;
  memory.markCards(oop, oop + 1);
  memory.store(oop, 0, target);
  memory.forwardersMade = true;
}

function hashBits(memory: ObjectMemory, oop: Oop): number {
  return (memory.H[oop + 1]! >>> HASH_SHIFT) & HASH_BITS;
}

function blockWords(memory: ObjectMemory, oop: Oop): number {
  return blockEnd(memory.H, oop) - blockStart(memory, oop);
}

function blockStart(memory: ObjectMemory, oop: Oop): number {
  return ((memory.H[oop + 1]! >>> 2) & 0xff) === 0xff ? oop - 2 : oop;
}

/** Swaps all of two blocks of equal length but the identity hashes. */
function exchangeInPlace(memory: ObjectMemory, a: Oop, b: Oop): void {
  const H = memory.H;
  const hashA = hashBits(memory, a);
  const hashB = hashBits(memory, b);
  const words = blockWords(memory, a);
  const startA = blockStart(memory, a);
  const startB = blockStart(memory, b);
  for (let i = 0; i < words; i++) {
    const word = H[startA + i]!;
    H[startA + i] = H[startB + i]!;
    H[startB + i] = word;
  }
  memory.markCards(startA, startA + words);
  memory.markCards(startB, startB + words);
  memory.setIdentityHash(a, hashA);
  memory.setIdentityHash(b, hashB);
}

/** Each becomes a forwarder to a copy of the other, made in old space. */
function exchangeByCopies(memory: ObjectMemory, a: Oop, b: Oop): boolean {
  const copyA = copyToOldSpace(memory, a);
  const copyB = copyToOldSpace(memory, b);
  if (copyA === 0 || copyB === 0) return false;
  memory.setIdentityHash(copyB, hashBits(memory, a));
  memory.setIdentityHash(copyA, hashBits(memory, b));
  makeForwarder(memory, a, copyB);
  makeForwarder(memory, b, copyA);
  return true;
}

/** A copy without identity hash, or 0. */
function copyToOldSpace(memory: ObjectMemory, oop: Oop): Oop {
  const slots = memory.slotCount(oop);
  const shape = memory.shapeOf(oop);
  const copy = memory.instantiateOld(shape, slots, memory.formatOf(oop), memory.oddBytes(oop));
  if (copy === 0) return 0;
  const H = memory.H;
  H[copy] = H[oop]! & ~READ_ONLY;
  H.copyWithin(copy + HEADER_WORDS, oop + HEADER_WORDS, blockEnd(H, oop));
  memory.markCards(copy, copy + HEADER_WORDS + slots);
  return copy;
}

/**
 * Repairs what is read without looking for forwarders, rebuilds the caches outside the heap and
 * tells who else keeps something derived from objects.
 */
export function afterForwarding(memory: ObjectMemory): void {
  followSlots(memory, memory.specials);
  const table = memory.special(SPECIAL.shapeTable);
  followSlots(memory, table);
  const vmClasses = memory.special(SPECIAL.vmClasses);
  if (vmClasses !== memory.nil) followSlots(memory, vmClasses);
  for (let index = 0; index < memory.shapes.count; index++) {
    const shape = memory.fetch(table, index);
    if (shape !== memory.nil) followSlots(memory, shape);
  }
  loadShapes(memory);
  const seen = new Set<Oop>();
  for (let index = 0; index < memory.shapes.count; index++) {
    const classOop = memory.shapes.classes[index]!;
    if (classOop === 0 || classOop === memory.nil || seen.has(classOop)) continue;
    seen.add(classOop);
    followClass(memory, classOop);
  }
  memory.symbols.clear();
  for (const forget of memory.onBecome) forget();
}

function followClass(memory: ObjectMemory, classOop: Oop): void {
  if (!memory.isPointers(classOop)) return;
  followSlots(memory, classOop);
  if (memory.slotCount(classOop) <= BEHAVIOR.methodDictionary) return;
  const dictionary = memory.fetch(classOop, BEHAVIOR.methodDictionary);
  if ((dictionary & 1) !== 0 || memory.shapeOf(dictionary) !== SHAPE.MethodDictionary) return;
  const methods = memory.follow(memory.fetch(dictionary, METHOD_DICTIONARY.array));
  if ((methods & 1) === 0 && memory.shapeOf(methods) === SHAPE.Array) followSlots(memory, methods);
  if (followSlots(memory, dictionary)) rehashMethods(memory, dictionary);
}

/** A selector has become another: puts each method where its selector's hash says. */
function rehashMethods(memory: ObjectMemory, dictionary: Oop): void {
  const { keysFirst } = METHOD_DICTIONARY;
  const methods = memory.fetch(dictionary, METHOD_DICTIONARY.array);
  const size = memory.slotCount(dictionary) - keysFirst;
  if (memory.shapeOf(methods) !== SHAPE.Array || memory.slotCount(methods) !== size) return;
  const entries = new Map<Oop, Oop>();
  for (let i = 0; i < size; i++) {
    const key = memory.fetch(dictionary, keysFirst + i);
    if (key !== memory.nil) entries.set(key, memory.fetch(methods, i));
    memory.store(dictionary, keysFirst + i, memory.nil);
    memory.store(methods, i, memory.nil);
  }
  for (const [key, method] of entries) {
    let index = memory.identityHash(key) & (size - 1);
    while (memory.fetch(dictionary, keysFirst + index) !== memory.nil) {
      index = (index + 1) & (size - 1);
    }
    memory.store(dictionary, keysFirst + index, key);
    memory.store(methods, index, method);
  }
  memory.store(dictionary, METHOD_DICTIONARY.tally, (entries.size << 1) | 1);
}

/** Replaces each slot that is a forwarder by what it stands for; answers whether there were any. */
function followSlots(memory: ObjectMemory, oop: Oop): boolean {
  let found = false;
  const count = pointerSlots(memory, oop);
  for (let i = 0; i < count; i++) {
    const value = memory.fetch(oop, i);
    if (!memory.isForwarder(value)) continue;
    memory.store(oop, i, memory.follow(value));
    found = true;
  }
  return found;
}
