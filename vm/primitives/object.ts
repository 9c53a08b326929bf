/**
 * What every object can do: be made, copied, compared, asked for its class and identity, become
 * another, change its class. Numbers as in Squeak: 70–78, 110, 111, 115, 128, 132, 148, 160, 163,
 * 164, 168, 169, 175–182, 249.
 *
 * Classes, method dictionaries and code live in old space and never move, so their makers here put
 * them there whatever asked for them.
 */

import {
  PRIM_ERROR,
  type Primitive,
  type PrimitiveContext,
} from '../interpreter/primitive-interface.ts';
import type { Oop } from '../memory/object-memory.ts';
import {
  CARD_BOTH,
  FORMAT,
  HEADER_WORDS,
  PAGE_SHIFT,
  READ_ONLY,
  SHAPE_CHARACTER,
  SHAPE_DYNAMIC_FIRST,
} from '../objects/layout.ts';
import { BEHAVIOR, CLASS, SHAPE } from '../objects/well-known.ts';
import {
  argument,
  booleanOop,
  fail,
  formatBits,
  isArray,
  isBehavior,
  isCharacter,
  isFloat,
  isLiveContext,
  isPointers,
  isReadOnly,
  isSmallInteger,
  made,
  newArray,
  newFloat,
  newInteger,
  ofOperands,
  shapeIndex,
  smallInteger,
} from './checks.ts';

/** Largest indexed size `new:` answers: a body of a GiB. */
const INDEXED_SIZE_MAX = 2 ** 28;

/** The shape of a class's instances, or -1 when the object is no class the VM knows. */
export function instanceShape(vm: PrimitiveContext, classOop: Oop): number {
  if (!isBehavior(vm, classOop)) return -1;
  const shape = vm.memory.fetch(classOop, BEHAVIOR.shape);
  if (!isSmallInteger(shape) || shape < 0) return -1;
  return vm.memory.classOfShape(shape >> 1) === classOop ? shape >> 1 : -1;
}

/** Whether instances must be made in old space: classes, and where methods are looked up. */
function instancesLiveInOldSpace(vm: PrimitiveContext, classOop: Oop, shape: number): boolean {
  return (
    shape === SHAPE.MethodDictionary ||
    shape === SHAPE.Metaclass ||
    shapeIndex(vm, classOop) === SHAPE.Metaclass
  );
}

function newInstance(vm: PrimitiveContext, classOop: Oop, size: number): Oop {
  const { memory } = vm;
  const shape = instanceShape(vm, classOop);
  if (shape < 0) return fail(vm, PRIM_ERROR.badReceiver);
  if (shape === SHAPE.BoxedFloat64) return size === 0 ? newFloat(vm, 0) : badSize(vm);
  if (instancesLiveInOldSpace(vm, classOop, shape)) {
    const fixed = memory.shapes.fixed[shape]!;
    if (size !== 0 && shape !== SHAPE.MethodDictionary) return badSize(vm);
    return made(vm, memory.instantiateOld(shape, fixed + size));
  }
  const oop = memory.instantiateClass(classOop, size);
  if (oop !== 0) return oop;
  return fail(vm, canBeMade(vm, shape, size) ? PRIM_ERROR.noMemory : PRIM_ERROR.badArgument);
}

function badSize(vm: PrimitiveContext): 0 {
  return fail(vm, PRIM_ERROR.badArgument);
}

/** Whether instances of a shape can have this many indexed elements, memory aside. */
function canBeMade(vm: PrimitiveContext, shape: number, size: number): boolean {
  const format = (vm.memory.classWord(shape) >>> 22) & 0x1f;
  if (shape <= SHAPE_CHARACTER || format === FORMAT.compiledCode) return false;
  return size === 0 || format > FORMAT.fixed;
}

/** 70: new */
export const basicNew: Primitive = (vm, receiver) => newInstance(vm, receiver, 0);

/** 71: new: */
export const basicNewSized: Primitive = (vm, receiver, args) => {
  const size = argument(vm, args, 0);
  if (!isSmallInteger(size) || size >> 1 < 0) return fail(vm, PRIM_ERROR.badArgument);
  if (size >> 1 >= INDEXED_SIZE_MAX) return fail(vm, PRIM_ERROR.limitExceeded);
  return newInstance(vm, receiver, size >> 1);
};

/** 75, 175: the identity hash. */
export const identityHash: Primitive = (vm, receiver) =>
  smallInteger(vm.memory.identityHash(receiver));

/** 176: the largest identity hash. */
export const maxIdentityHash: Primitive = () => smallInteger(0x3fffff);

/** Whether two oops are one object: forwarders are followed, Floats compare their bits. */
export function identical(vm: PrimitiveContext, a: Oop, b: Oop): boolean {
  if (a === b) return true;
  const { memory } = vm;
  const [x, y] = [memory.follow(a), memory.follow(b)];
  if (x === y) return true;
  if (isSmallInteger(x) || isSmallInteger(y) || !isFloat(vm, x) || !isFloat(vm, y)) return false;
  return memory.fetch(x, 0) === memory.fetch(y, 0) && memory.fetch(x, 1) === memory.fetch(y, 1);
}

/** 110: == */
export const same: Primitive = (vm, receiver, args) =>
  booleanOop(vm, identical(vm, receiver, argument(vm, args, 0)));

/** 169: ~~ */
export const different: Primitive = (vm, receiver, args) =>
  booleanOop(vm, !identical(vm, receiver, argument(vm, args, 0)));

/** 111: class, of the receiver or (sent to a mirror) of the argument. */
export const classOf: Primitive = (vm, receiver, args, count) =>
  vm.memory.classOf(count === 0 ? receiver : argument(vm, args, count - 1));

/** 148: a shallow copy; immediates are their own. */
export const clone: Primitive = (vm, receiver) => {
  if (isSmallInteger(receiver) || isCharacter(vm, receiver)) return receiver;
  if (isLiveContext(vm, receiver)) return fail(vm, PRIM_ERROR.needsUnwind);
  const { memory } = vm;
  const shape = memory.shapeOf(receiver);
  const format = formatBits(vm, receiver);
  const slots = memory.slotCount(receiver);
  const oddBytes = memory.H[receiver + 1]! & 3;
  const old =
    format === FORMAT.compiledCode ||
    instanceShape(vm, receiver) >= 0 ||
    shape === SHAPE.MethodDictionary;
  const copy = old
    ? memory.instantiateOld(shape, slots, format, oddBytes)
    : memory.instantiate(shape, slots, format, oddBytes);
  if (copy === 0) return fail(vm, PRIM_ERROR.noMemory);
  copyBody(vm, receiver, copy, slots);
  return copy;
};

function copyBody(vm: PrimitiveContext, from: Oop, to: Oop, slots: number): void {
  const { H } = vm.memory;
  H.copyWithin(to + HEADER_WORDS, from + HEADER_WORDS, from + HEADER_WORDS + slots);
  vm.memory.markCards(to + HEADER_WORDS, to + HEADER_WORDS + slots);
}

/** 168: copyFrom: takes the state of another object of the same class and size. */
export const copyFrom: Primitive = (vm, receiver, args) => {
  const source = argument(vm, args, 0);
  const { memory } = vm;
  if (isLiveContext(vm, receiver) || isLiveContext(vm, source)) {
    return fail(vm, PRIM_ERROR.needsUnwind);
  }
  if (isSmallInteger(receiver) || isCharacter(vm, receiver)) {
    return fail(vm, PRIM_ERROR.badReceiver);
  }
  if (isReadOnly(vm, receiver)) return fail(vm, PRIM_ERROR.noModification);
  if (instanceShape(vm, receiver) >= 0 || formatBits(vm, receiver) === FORMAT.compiledCode) {
    return fail(vm, PRIM_ERROR.badReceiver);
  }
  const same =
    memory.shapeOf(receiver) === memory.shapeOf(source) &&
    memory.slotCount(receiver) === memory.slotCount(source) &&
    memory.byteSize(receiver) === memory.byteSize(source);
  if (!same) return fail(vm, PRIM_ERROR.badArgument);
  copyBody(vm, source, receiver, memory.slotCount(receiver));
  return receiver;
};

/** Pairs of two Arrays of equal size, or undefined with the reason set. */
function pairsOf(vm: PrimitiveContext, first: Oop, second: Oop): [Oop, Oop][] | undefined {
  const { memory } = vm;
  if (!isArray(vm, first)) return void fail(vm, PRIM_ERROR.badReceiver);
  if (!isArray(vm, second)) return void fail(vm, PRIM_ERROR.badArgument);
  const size = memory.slotCount(first);
  if (memory.slotCount(second) !== size) return void fail(vm, PRIM_ERROR.badArgument);
  return Array.from({ length: size }, (_, i) => [memory.fetch(first, i), memory.fetch(second, i)]);
}

function becomeForward(vm: PrimitiveContext, receiver: Oop, other: Oop, copyHash: boolean): Oop {
  const pairs = pairsOf(vm, receiver, other);
  if (pairs === undefined) return 0;
  if (!vm.memory.becomeForward(pairs, copyHash)) return fail(vm, PRIM_ERROR.inappropriate);
  return receiver;
}

/** 72: references to each element of the receiver go to that of the argument, hashes with them. */
export const arrayBecomeOneWay: Primitive = (vm, receiver, args) =>
  becomeForward(vm, receiver, argument(vm, args, 0), true);

/** 249: the same with a Boolean saying whether the targets take over the hashes. */
export const arrayBecomeOneWayCopyHash: Primitive = (vm, receiver, args, count) => {
  const copyHash = count > 1 && argument(vm, args, 1) === vm.memory.true;
  return becomeForward(vm, receiver, argument(vm, args, 0), copyHash);
};

/** 128: exchanges the elements of receiver and argument everywhere. */
export const arrayBecome: Primitive = (vm, receiver, args) => {
  const pairs = pairsOf(vm, receiver, argument(vm, args, 0));
  if (pairs === undefined) return 0;
  const shapes = pairs.flat().map((oop) => instanceShape(vm, vm.memory.follow(oop)));
  if (!vm.memory.become(pairs)) return fail(vm, PRIM_ERROR.inappropriate);
  pairs.flat().forEach((oop, i) => {
    if (shapes[i]! >= 0) keepShape(vm, vm.memory.follow(oop), shapes[i]!);
  });
  return receiver;
};

/**
 * A class that has become another one has its slots now, its shape too. But the shape table refers
 * to the class as everybody does: the shape stays with the reference, so the slot must follow it.
 */
function keepShape(vm: PrimitiveContext, classOop: Oop, shape: number): void {
  if (!isBehavior(vm, classOop) || vm.memory.classOfShape(shape) !== classOop) return;
  vm.memory.store(classOop, BEHAVIOR.shape, smallInteger(shape));
  vm.memory.store(
    classOop,
    BEHAVIOR.format,
    smallInteger((vm.memory.classWord(shape) >>> 22) & 31),
  );
}

/** 115: changes the receiver's class to that of the argument. */
export const changeClass: Primitive = (vm, receiver, args) =>
  changeShape(vm, receiver, vm.memory.shapeOf(argument(vm, args, 0)));

/** 160: the receiver, a class, adopts an object whose layout its instances share. */
export const adoptInstance: Primitive = (vm, receiver, args) => {
  const shape = instanceShape(vm, receiver);
  if (shape < 0) return fail(vm, PRIM_ERROR.badReceiver);
  return changeShape(vm, argument(vm, args, 0), shape) === 0 ? 0 : receiver;
};

/** Shapes whose instances the VM trusts to be what it made: nothing else may turn into one. */
const MADE_BY_VM_ONLY: ReadonlySet<number> = new Set([
  SHAPE.Context,
  SHAPE.CompiledMethod,
  SHAPE.CompiledBlock,
  SHAPE.ByteSymbol,
  SHAPE.WideSymbol,
  SHAPE.MethodDictionary,
  SHAPE.Metaclass,
]);

function changeShape(vm: PrimitiveContext, oop: Oop, shape: number): Oop {
  const { memory } = vm;
  if (isSmallInteger(oop) || isCharacter(vm, oop)) return fail(vm, PRIM_ERROR.badReceiver);
  const from = memory.shapeOf(oop);
  if (from === shape) return oop;
  if (MADE_BY_VM_ONLY.has(from) || MADE_BY_VM_ONLY.has(shape) || instanceShape(vm, oop) >= 0) {
    return fail(vm, PRIM_ERROR.inappropriate);
  }
  if (isReadOnly(vm, oop)) return fail(vm, PRIM_ERROR.noModification);
  const odd = adoptedOddBytes(vm, oop, shape);
  if (odd < 0) return fail(vm, PRIM_ERROR.badArgument);
  memory.H[oop] = memory.classWord(shape);
  memory.H[oop + 1] = (memory.H[oop + 1]! & ~3) | odd;
  memory.cards[oop >> PAGE_SHIFT] = CARD_BOTH;
  memory.cards[(oop + 1) >> PAGE_SHIFT] = CARD_BOTH;
  return oop;
}

/** The odd bytes the object has in its new shape, or -1 when its body does not suit that shape. */
function adoptedOddBytes(vm: PrimitiveContext, oop: Oop, shape: number): number {
  const { memory } = vm;
  const format = formatBits(vm, oop);
  const wanted = (memory.classWord(shape) >>> 22) & 0x1f;
  if (shape <= SHAPE_CHARACTER) return -1;
  if (format <= FORMAT.ephemeron || wanted <= FORMAT.ephemeron) {
    if (format !== wanted) return -1;
    return memory.shapes.fixed[shape] === memory.fixedSlots(oop) ? 0 : -1;
  }
  if (shape === SHAPE.BoxedFloat64 && memory.slotCount(oop) !== 2) return -1;
  const odd = memory.H[oop + 1]! & 3;
  switch (wanted) {
    case FORMAT.bytes:
      return odd;
    case FORMAT.words16:
      return (odd & 1) === 0 ? odd : -1;
    case FORMAT.words32:
      return odd === 0 ? 0 : -1;
    case FORMAT.words64:
      return odd === 0 && (memory.slotCount(oop) & 1) === 0 ? 0 : -1;
    default:
      return -1;
  }
}

/** 163: whether stores into the object are refused; immediates always refuse. */
export const isReadOnlyObject: Primitive = (vm, receiver) =>
  booleanOop(vm, isSmallInteger(receiver) || isCharacter(vm, receiver) || isReadOnly(vm, receiver));

/** 164: sets whether stores are refused; answers what it was. Not for what the VM itself writes. */
export const setReadOnlyObject: Primitive = (vm, receiver, args) => {
  const { memory } = vm;
  const wanted = argument(vm, args, 0);
  if (wanted !== memory.true && wanted !== memory.false) return fail(vm, PRIM_ERROR.badArgument);
  if (isSmallInteger(receiver) || isCharacter(vm, receiver)) {
    return fail(vm, PRIM_ERROR.badReceiver);
  }
  const shape = memory.shapeOf(receiver);
  const written = [SHAPE.Context, SHAPE.Process, SHAPE.Semaphore, SHAPE.LinkedList];
  if (written.includes(shape) || instanceShape(vm, receiver) >= 0) {
    return fail(vm, PRIM_ERROR.inappropriate);
  }
  const was = isReadOnly(vm, receiver);
  const word = memory.H[receiver]!;
  memory.H[receiver] = wanted === memory.true ? word | READ_ONLY : word & ~READ_ONLY;
  memory.cards[receiver >> PAGE_SHIFT] = CARD_BOTH;
  return booleanOop(vm, was);
};

/** 132: whether the receiver refers to the argument directly. */
export const pointsTo: Primitive = (vm, receiver, args) => {
  const { memory } = vm;
  const target = argument(vm, args, 0);
  if (isLiveContext(vm, receiver)) return fail(vm, PRIM_ERROR.needsUnwind);
  if (!isPointers(vm, receiver)) return memory.false;
  const slots = memory.slotCount(receiver);
  for (let i = 0; i < slots; i++) {
    if (memory.fetch(receiver, i) === target) return memory.true;
  }
  return memory.false;
};

/**
 * 177 and primitiveAllInstances: an Array of all direct instances of a class, the receiver or the
 * argument. Runs unwound: it scavenges first, so that nothing hides in eden.
 */
export const allInstances: Primitive = (vm, receiver, args, count) => {
  const classOop = count === 0 ? receiver : argument(vm, args, 0);
  if (!isBehavior(vm, classOop)) return fail(vm, PRIM_ERROR.badArgument);
  vm.memory.scavenge();
  return newArray(vm, vm.memory.allInstances(argumentOrReceiver(vm, args, count)));
};

/** The class again: a scavenge may have moved what the stack refers to. */
function argumentOrReceiver(vm: PrimitiveContext, args: number, count: number): Oop {
  return count === 0 ? vm.stack[args - 1]! : argument(vm, args, 0);
}

/** 178: an Array of all objects. Runs unwound. */
export const allObjects: Primitive = (vm) => {
  vm.memory.scavenge();
  return newArray(vm, [...vm.memory.objects()]);
};

/** 181: bytes an instance of the receiver takes; 182: with so many indexed elements. */
export const byteSizeOfInstance: Primitive = (vm, receiver, args, count) => {
  const size = count === 0 ? 1 : argument(vm, args, 0);
  const shape = instanceShape(vm, receiver);
  if (shape < 0) return fail(vm, PRIM_ERROR.badReceiver);
  if (!isSmallInteger(size) || size < 0) return fail(vm, PRIM_ERROR.badArgument);
  if (!canBeMade(vm, shape, size >> 1)) return fail(vm, PRIM_ERROR.badArgument);
  const words = bodyWords(vm, shape, size >> 1);
  return newInteger(vm, (HEADER_WORDS + Math.max(2, words + (words & 1)) + prefixWords(words)) * 4);
};

function prefixWords(bodyWordCount: number): number {
  return bodyWordCount >= 255 ? 2 : 0;
}

function bodyWords(vm: PrimitiveContext, shape: number, size: number): number {
  const fixed = vm.memory.shapes.fixed[shape]!;
  switch ((vm.memory.classWord(shape) >>> 22) & 0x1f) {
    case FORMAT.bytes:
      return (size + 3) >> 2;
    case FORMAT.words16:
      return (size + 1) >> 1;
    case FORMAT.words64:
      return size * 2;
    default:
      return fixed + size;
  }
}

/** primitiveNewShape(class, slotNames, format): index of a new current shape of the class. */
export const newShape: Primitive = ofOperands(3, (vm, classOop, names, format) => {
  const { memory } = vm;
  if (!isPointers(vm, classOop) || memory.slotCount(classOop) <= CLASS.subclasses) {
    return fail(vm, PRIM_ERROR.badArgument);
  }
  if (!isArray(vm, names) || !isSmallInteger(format)) return fail(vm, PRIM_ERROR.badArgument);
  const formats: readonly number[] = Object.values(FORMAT);
  const wanted = format >> 1;
  if (!formats.includes(wanted) || wanted === FORMAT.forwarder) {
    return fail(vm, PRIM_ERROR.badArgument);
  }
  const pointers = wanted === FORMAT.fixed || wanted === FORMAT.fixedVariable;
  const named = memory.slotCount(names) > 0;
  if (named && !pointers && wanted !== FORMAT.weak && wanted !== FORMAT.ephemeron) {
    return fail(vm, PRIM_ERROR.badArgument);
  }
  const former = memory.fetch(classOop, BEHAVIOR.shape);
  if (isSmallInteger(former) && former >> 1 < SHAPE_DYNAMIC_FIRST) {
    return fail(vm, PRIM_ERROR.inappropriate); // the VM makes its instances by that very index
  }
  if (memory.isYoung(classOop)) return fail(vm, PRIM_ERROR.badArgument);
  const index = memory.newShape(classOop, names, wanted);
  vm.interpreter.flushCaches();
  return smallInteger(index);
});

/** primitiveMigrateInstances(oldShape, newShape, slotMap): how many instances moved. Unwound. */
export const migrateInstances: Primitive = ofOperands(3, (vm, from, to, map) => {
  const { memory } = vm;
  const known = (shape: Oop) =>
    isSmallInteger(shape) && shape >> 1 > SHAPE_CHARACTER && shape >> 1 < memory.shapes.count;
  if (!known(from) || !known(to) || !isArray(vm, map)) return fail(vm, PRIM_ERROR.badArgument);
  const slots = memory.slotCount(map);
  if (slots !== memory.shapes.fixed[to >> 1]!) return fail(vm, PRIM_ERROR.badArgument);
  const slotMap = new Int32Array(slots);
  for (let i = 0; i < slots; i++) {
    const slot = memory.fetch(map, i);
    const valid = isSmallInteger(slot) && slot >> 1 < memory.shapes.fixed[from >> 1]!;
    if (!valid) return fail(vm, PRIM_ERROR.badArgument);
    slotMap[i] = slot >> 1 < 0 ? -1 : slot >> 1;
  }
  const count = memory.migrateInstances(from >> 1, to >> 1, slotMap);
  vm.interpreter.flushCaches();
  return smallInteger(count);
});
