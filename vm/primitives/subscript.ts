/**
 * Indexed access: at:, at:put:, size and their relatives (60–64, 143–145, 165, 166, 173, 174) over
 * every format an object can have, and the bulk copy between two of them (105).
 *
 * Indices are 1-based. In an object with named slots the index counts the indexed ones only; the
 * slotAt: family counts all. Elements of byte and word objects are unsigned Integers; Strings give
 * Characters through 63 and 64. A value that does not fit is refused, never cut.
 */

import {
  PRIM_ERROR,
  type Primitive,
  type PrimitiveContext,
} from '../interpreter/primitive-interface.ts';
import type { Oop } from '../memory/object-memory.ts';
import {
  CARD_BOTH,
  CHAR0,
  FORMAT,
  FORMAT_BITS,
  FORMAT_SHIFT,
  HEADER_WORDS,
  PAGE_SHIFT,
  SHAPE_CHARACTER,
} from '../objects/layout.ts';
import { CONTEXT, SHAPE } from '../objects/well-known.ts';
import {
  argument,
  fail,
  formatBits,
  isBytes,
  isCharacter,
  isCode,
  isFloat,
  isInteger,
  isLiveContext,
  isPointers,
  isReadOnly,
  isSmallInteger,
  newInteger,
  shapeIndex,
  smallInteger,
} from './checks.ts';
import { literalCount } from './code.ts';

/** What the elements of an indexable object are; 'none' when it has no indexed part. */
export type ElementKind = 'pointers' | 'bytes' | 'words16' | 'words32' | 'words64' | 'none';

/** The kind of an object's elements. CompiledCode counts as 'none': see code.ts. */
export function elementKind(vm: PrimitiveContext, oop: Oop): ElementKind {
  if (isSmallInteger(oop) || isCharacter(vm, oop) || isFloat(vm, oop)) return 'none';
  switch (formatBits(vm, oop)) {
    case FORMAT.variable:
    case FORMAT.fixedVariable:
    case FORMAT.weak:
      return 'pointers';
    case FORMAT.bytes:
      return 'bytes';
    case FORMAT.words16:
      return 'words16';
    case FORMAT.words32:
      return 'words32';
    case FORMAT.words64:
      return 'words64';
    default:
      return 'none';
  }
}

/** The number of elements of an indexable object. */
export function elementCount(vm: PrimitiveContext, oop: Oop, kind: ElementKind): number {
  switch (kind) {
    case 'pointers':
      return vm.memory.slotCount(oop) - vm.memory.fixedSlots(oop);
    case 'bytes':
      return vm.memory.byteSize(oop);
    case 'words16':
      return vm.memory.byteSize(oop) >> 1;
    case 'words32':
      return vm.memory.byteSize(oop) >> 2;
    case 'words64':
      return vm.memory.byteSize(oop) >> 3;
    case 'none':
      return 0;
  }
}

/** The 0-based index a SmallInteger oop names among `count` elements; -1 with the reason set. */
function checkedIndex(vm: PrimitiveContext, index: Oop, count: number): number {
  const at = (index >> 1) - 1;
  if (isSmallInteger(index) && at >= 0 && at < count) return at;
  fail(vm, isSmallInteger(index) ? PRIM_ERROR.badIndex : PRIM_ERROR.badArgument);
  return -1;
}

/**
 * The word of an element of an object with indexed slots only (Arrays, mostly), 0 for whatever
 * else: what most calls of at: and at:put: are about, without the questions the other kinds need.
 */
function plainSlot(vm: PrimitiveContext, oop: Oop, index: Oop): number {
  if ((oop & 1) === 1 || (index & 1) === 0) return 0;
  const { H } = vm.memory;
  if (((H[oop]! >>> FORMAT_SHIFT) & FORMAT_BITS) !== FORMAT.variable) return 0;
  const at = (index >> 1) - 1;
  return at >= 0 && at < vm.memory.slotCount(oop) ? oop + HEADER_WORDS + at : 0;
}

/** 60: at: */
export const at: Primitive = (vm, receiver, args) => {
  const element = plainSlot(vm, receiver, argument(vm, args, 0));
  if (element !== 0) return vm.memory.H[element]!;
  if (isLiveContext(vm, receiver)) return fail(vm, PRIM_ERROR.needsUnwind);
  const kind = elementKind(vm, receiver);
  if (kind === 'none') return codeByteAt(vm, receiver, argument(vm, args, 0));
  const index = checkedIndex(vm, argument(vm, args, 0), elementCount(vm, receiver, kind));
  return index < 0 ? 0 : fetchElement(vm, receiver, kind, index);
};

/** 61: at:put: answers the value stored. Bytecodes are not written: see code.ts. */
export const atPut: Primitive = (vm, receiver, args) => {
  const element = plainSlot(vm, receiver, argument(vm, args, 0));
  if (element !== 0 && !isReadOnly(vm, receiver)) {
    const value = argument(vm, args, 1);
    setWord(vm, element, value);
    return value;
  }
  if (isLiveContext(vm, receiver)) return fail(vm, PRIM_ERROR.needsUnwind);
  const kind = elementKind(vm, receiver);
  if (kind === 'none') return fail(vm, PRIM_ERROR.badReceiver);
  if (isReadOnly(vm, receiver)) return fail(vm, PRIM_ERROR.noModification);
  const index = checkedIndex(vm, argument(vm, args, 0), elementCount(vm, receiver, kind));
  if (index < 0) return 0;
  const value = argument(vm, args, 1);
  return storeElement(vm, receiver, kind, index, value) ? value : fail(vm, PRIM_ERROR.badArgument);
};

/** 62: size, the number of indexed elements; fails when there is no indexed part. */
export const size: Primitive = (vm, receiver) => {
  const kind = elementKind(vm, receiver);
  if (kind === 'none' && !isCode(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  return smallInteger(
    kind === 'none' ? vm.memory.byteSize(receiver) : elementCount(vm, receiver, kind),
  );
};

/**
 * A bytecode, counted in bytes from the header on as a Context's pc counts; literals are refused.
 */
function codeByteAt(vm: PrimitiveContext, receiver: Oop, index: Oop): Oop {
  if (!isCode(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  const at = checkedIndex(vm, index, vm.memory.byteSize(receiver));
  if (at < 0) return 0;
  if (at < (literalCount(vm, receiver) + 1) * 4) return fail(vm, PRIM_ERROR.badIndex);
  return smallInteger(vm.memory.fetchByte(receiver, at));
}

function fetchElement(vm: PrimitiveContext, oop: Oop, kind: ElementKind, index: number): Oop {
  const { memory } = vm;
  const H = memory.H;
  switch (kind) {
    case 'pointers':
      return memory.fetch(oop, memory.fixedSlots(oop) + index);
    case 'bytes':
      return smallInteger(memory.fetchByte(oop, index));
    case 'words16':
      return smallInteger((H[oop + 2 + (index >> 1)]! >>> ((index & 1) << 4)) & 0xffff);
    case 'words32':
      return memory.newInteger(H[oop + 2 + index]! >>> 0);
    case 'words64': {
      const word = oop + 2 + index * 2;
      return memory.newInteger((BigInt(H[word + 1]! >>> 0) << 32n) | BigInt(H[word]! >>> 0));
    }
    case 'none':
      return 0;
  }
}

/** Whether the value fitted and was stored. */
function storeElement(
  vm: PrimitiveContext,
  oop: Oop,
  kind: ElementKind,
  index: number,
  value: Oop,
): boolean {
  if (kind === 'pointers') {
    vm.memory.store(oop, vm.memory.fixedSlots(oop) + index, value);
    return true;
  }
  if (kind === 'words64') return storeWord64(vm, oop + 2 + index * 2, value);
  const number = unsignedValue(vm, value);
  if (kind === 'bytes') {
    if (number > 0xff) return false;
    vm.memory.storeByte(oop, index, number);
    return true;
  }
  if (kind === 'words16') {
    if (number > 0xffff) return false;
    const shift = (index & 1) << 4;
    const word = oop + 2 + (index >> 1);
    setWord(vm, word, (vm.memory.H[word]! & ~(0xffff << shift)) | (number << shift));
    return true;
  }
  if (number > 0xffffffff) return false;
  setWord(vm, oop + 2 + index, number | 0);
  return true;
}

function storeWord64(vm: PrimitiveContext, word: number, value: Oop): boolean {
  if (!isInteger(vm, value)) return false;
  const number = BigInt(vm.memory.integerValue(value));
  if (number < 0n || number >= 1n << 64n) return false;
  setWord(vm, word, Number(number & 0xffffffffn) | 0);
  setWord(vm, word + 1, Number(number >> 32n) | 0);
  return true;
}

/** The value of an Integer that is not negative, as a number; Infinity for anything else. */
function unsignedValue(vm: PrimitiveContext, value: Oop): number {
  if (!isInteger(vm, value)) return Infinity;
  const number = isSmallInteger(value) ? value >> 1 : Number(vm.memory.integerValue(value));
  return number < 0 ? Infinity : number;
}

function setWord(vm: PrimitiveContext, word: number, value: number): void {
  vm.memory.H[word] = value;
  vm.memory.cards[word >> PAGE_SHIFT] = CARD_BOTH;
}

/** 63: the Character at an index of a String. */
export const stringAt: Primitive = (vm, receiver, args) => {
  const place = argument(vm, args, 0);
  if (isBytes(vm, receiver) && (place & 1) === 1) {
    const byte = (place >> 1) - 1;
    if (byte >= 0 && byte < vm.memory.byteSize(receiver)) {
      return CHAR0 + 2 * vm.memory.fetchByte(receiver, byte);
    }
  }
  const kind = elementKind(vm, receiver);
  if (kind !== 'bytes' && kind !== 'words32') return fail(vm, PRIM_ERROR.badReceiver);
  const index = checkedIndex(vm, argument(vm, args, 0), elementCount(vm, receiver, kind));
  if (index < 0) return 0;
  const codePoint =
    kind === 'bytes' ? vm.memory.fetchByte(receiver, index) : vm.memory.H[receiver + 2 + index]!;
  return codePoint >>> 0 <= 0x10ffff ? CHAR0 + 2 * codePoint : fail(vm, PRIM_ERROR.inappropriate);
};

/** 64: stores a Character; one too wide for a ByteString fails and the library widens it. */
export const stringAtPut: Primitive = (vm, receiver, args) => {
  const kind = elementKind(vm, receiver);
  if (kind !== 'bytes' && kind !== 'words32') return fail(vm, PRIM_ERROR.badReceiver);
  if (isReadOnly(vm, receiver)) return fail(vm, PRIM_ERROR.noModification);
  const index = checkedIndex(vm, argument(vm, args, 0), elementCount(vm, receiver, kind));
  if (index < 0) return 0;
  const value = argument(vm, args, 1);
  if (shapeIndex(vm, value) !== SHAPE_CHARACTER) return fail(vm, PRIM_ERROR.badArgument);
  const codePoint = (value - CHAR0) >> 1;
  if (kind === 'words32') setWord(vm, receiver + 2 + index, codePoint);
  else if (codePoint > 0xff) return fail(vm, PRIM_ERROR.badArgument);
  else vm.memory.storeByte(receiver, index, codePoint);
  return value;
};

/** The element width in bytes of the objects that 143, 144, 165 and 166 may read in other units. */
function isRawBits(kind: ElementKind): boolean {
  return kind === 'bytes' || kind === 'words16' || kind === 'words32';
}

/** A primitive that reads the body as signed units of 16 or 32 bits. */
function signedAt(shift: 1 | 2): Primitive {
  return (vm, receiver, args) => {
    const kind = elementKind(vm, receiver);
    if (!isRawBits(kind)) return fail(vm, PRIM_ERROR.badReceiver);
    const index = checkedIndex(vm, argument(vm, args, 0), vm.memory.byteSize(receiver) >> shift);
    if (index < 0) return 0;
    if (shift === 2) return newInteger(vm, vm.memory.H[receiver + 2 + index]!);
    const word = vm.memory.H[receiver + 2 + (index >> 1)]!;
    return smallInteger((index & 1) === 1 ? word >> 16 : (word << 16) >> 16);
  };
}

/** A primitive that stores a signed unit of 16 or 32 bits. */
function signedAtPut(shift: 1 | 2): Primitive {
  const limit = shift === 1 ? 0x8000 : 0x80000000;
  return (vm, receiver, args) => {
    const kind = elementKind(vm, receiver);
    if (!isRawBits(kind)) return fail(vm, PRIM_ERROR.badReceiver);
    if (isReadOnly(vm, receiver)) return fail(vm, PRIM_ERROR.noModification);
    const index = checkedIndex(vm, argument(vm, args, 0), vm.memory.byteSize(receiver) >> shift);
    if (index < 0) return 0;
    const value = argument(vm, args, 1);
    if (!isInteger(vm, value)) return fail(vm, PRIM_ERROR.badArgument);
    const number = Number(vm.memory.integerValue(value));
    if (number < -limit || number >= limit) return fail(vm, PRIM_ERROR.badArgument);
    if (shift === 2) setWord(vm, receiver + 2 + index, number | 0);
    else storeElement(vm, receiver, 'words16', index, smallInteger(number & 0xffff));
    return value;
  };
}

/** 143 and 144: signed 16-bit units; 165 and 166: signed 32-bit units. */
export const shortAt = signedAt(1);
export const shortAtPut = signedAtPut(1);
export const integerAt = signedAt(2);
export const integerAtPut = signedAtPut(2);

/** 145: atAllPut:, every element of an object of bytes, words or pointers. */
export const constantFill: Primitive = (vm, receiver, args) => {
  const kind = elementKind(vm, receiver);
  const value = argument(vm, args, 0);
  if (isLiveContext(vm, receiver)) return fail(vm, PRIM_ERROR.needsUnwind);
  if (kind === 'none') return fail(vm, PRIM_ERROR.badReceiver);
  if (isReadOnly(vm, receiver)) return fail(vm, PRIM_ERROR.noModification);
  const count = elementCount(vm, receiver, kind);
  for (let index = 0; index < count; index++) {
    if (!storeElement(vm, receiver, kind, index, value)) return fail(vm, PRIM_ERROR.badArgument);
  }
  return receiver;
};

/**
 * 105: replaceFrom: start to: stop with: source startingAt: sourceStart. Both sides have elements
 * of one kind, or a WideString receives from a ByteString. Overlapping parts of one object are
 * copied as if through a buffer.
 */
export const replaceFromTo: Primitive = (vm, receiver, args) => {
  const source = argument(vm, args, 2);
  if (isLiveContext(vm, receiver) || isLiveContext(vm, source)) {
    return fail(vm, PRIM_ERROR.needsUnwind);
  }
  const kind = elementKind(vm, receiver);
  const sourceKind = elementKind(vm, source);
  const widens = kind === 'words32' && sourceKind === 'bytes' && isWideString(vm, receiver);
  if (kind === 'none') return fail(vm, PRIM_ERROR.badReceiver);
  if (kind !== sourceKind && !widens) return fail(vm, PRIM_ERROR.badArgument);
  if (isReadOnly(vm, receiver)) return fail(vm, PRIM_ERROR.noModification);
  for (const index of [0, 1, 3]) {
    if (!isSmallInteger(argument(vm, args, index))) return fail(vm, PRIM_ERROR.badArgument);
  }
  const start = (argument(vm, args, 0) >> 1) - 1;
  const count = (argument(vm, args, 1) >> 1) - start;
  const sourceStart = (argument(vm, args, 3) >> 1) - 1;
  if (count <= 0) return count === 0 && start >= 0 ? receiver : fail(vm, PRIM_ERROR.badIndex);
  if (start < 0 || start + count > elementCount(vm, receiver, kind)) {
    return fail(vm, PRIM_ERROR.badIndex);
  }
  if (sourceStart < 0 || sourceStart + count > elementCount(vm, source, sourceKind)) {
    return fail(vm, PRIM_ERROR.badIndex);
  }
  if (widens) widen(vm, { receiver, start, source, sourceStart, count });
  else copyElements(vm, kind, { receiver, start, source, sourceStart, count });
  return receiver;
};

/** A checked run of elements to copy; starts are 0-based. */
interface Run {
  receiver: Oop;
  start: number;
  source: Oop;
  sourceStart: number;
  count: number;
}

function isWideString(vm: PrimitiveContext, oop: Oop): boolean {
  const shape = shapeIndex(vm, oop);
  return shape === SHAPE.WideString || shape === SHAPE.WideSymbol;
}

function widen(vm: PrimitiveContext, run: Run): void {
  for (let i = 0; i < run.count; i++) {
    const byte = vm.memory.fetchByte(run.source, run.sourceStart + i);
    setWord(vm, run.receiver + 2 + run.start + i, byte);
  }
}

function copyElements(vm: PrimitiveContext, kind: ElementKind, run: Run): void {
  const { memory } = vm;
  if (kind === 'bytes' || kind === 'words16') {
    const unit = kind === 'bytes' ? 1 : 2;
    const to = (run.receiver + 2) * 4 + run.start * unit;
    const from = (run.source + 2) * 4 + run.sourceStart * unit;
    copyBytes(vm, to, from, run.count * unit);
    return;
  }
  const words = kind === 'words64' ? 2 : 1;
  const fixed = kind === 'pointers' ? memory.fixedSlots(run.receiver) : 0;
  const sourceFixed = kind === 'pointers' ? memory.fixedSlots(run.source) : 0;
  const to = run.receiver + 2 + fixed + run.start * words;
  const from = run.source + 2 + sourceFixed + run.sourceStart * words;
  memory.H.copyWithin(to, from, from + run.count * words);
  memory.markCards(to, to + run.count * words);
}

function copyBytes(vm: PrimitiveContext, to: number, from: number, count: number): void {
  const { buffer, byteOffset } = vm.memory.H;
  const source = new Uint8Array(buffer, byteOffset + from, count);
  new Uint8Array(buffer, byteOffset + to, count).set(source);
  vm.memory.markCards(to >> 2, ((to + count - 1) >> 2) + 1);
}

/** 173: slotAt: over named and indexed slots alike. */
export const slotAt: Primitive = (vm, receiver, args) => {
  if (!isPointers(vm, receiver)) return at(vm, receiver, args, 1);
  if (isLiveContext(vm, receiver)) return fail(vm, PRIM_ERROR.needsUnwind);
  const index = checkedIndex(vm, argument(vm, args, 0), vm.memory.slotCount(receiver));
  return index < 0 ? 0 : vm.memory.fetch(receiver, index);
};

/** 174: slotAt:put: */
export const slotAtPut: Primitive = (vm, receiver, args) => {
  if (!isPointers(vm, receiver)) return atPut(vm, receiver, args, 2);
  if (isLiveContext(vm, receiver)) return fail(vm, PRIM_ERROR.needsUnwind);
  if (isReadOnly(vm, receiver)) return fail(vm, PRIM_ERROR.noModification);
  const index = checkedIndex(vm, argument(vm, args, 0), vm.memory.slotCount(receiver));
  if (index < 0) return 0;
  const value = argument(vm, args, 1);
  if (!maySlotHold(vm, receiver, index, value)) return fail(vm, PRIM_ERROR.inappropriate);
  vm.memory.store(receiver, index, value);
  return value;
};

/** Whether a Context goes on being one with this value in a slot; other objects take anything. */
function maySlotHold(vm: PrimitiveContext, oop: Oop, slot: number, value: Oop): boolean {
  if (shapeIndex(vm, oop) !== SHAPE.Context) return true;
  const { memory } = vm;
  switch (slot) {
    case CONTEXT.sender:
      return value === memory.nil || shapeIndex(vm, value) === SHAPE.Context;
    case CONTEXT.pc:
      return value === memory.nil || (isSmallInteger(value) && value >> 1 >= 1);
    case CONTEXT.stackp: {
      const room = memory.slotCount(oop) - CONTEXT.tempsFirst;
      return isSmallInteger(value) && value >> 1 >= 0 && value >> 1 <= room;
    }
    case CONTEXT.method:
      return isCode(vm, value);
    case CONTEXT.closureOrNil:
      return value === memory.nil || shapeIndex(vm, value) === SHAPE.FullBlockClosure;
    default:
      return true;
  }
}
