/**
 * What every primitive checks before it acts: what kind of object an oop is, and why it fails.
 *
 * A primitive validates, acts, answers. It answers 0, which is never an oop, after `fail()` has set
 * the reason; it neither throws nor leaves a half-done change behind. Forwarders are not unwrapped
 * here: a primitive fails on one, and the interpreter retries once with the objects they lead to.
 */

import {
  PRIM_ERROR,
  type Primitive,
  type PrimitiveContext,
} from '../interpreter/primitive-interface.ts';
import type { Oop } from '../memory/object-memory.ts';
import {
  FORMAT,
  FORMAT_BITS,
  FORMAT_SHIFT,
  READ_ONLY,
  SHAPE_CHARACTER,
  SHAPE_MASK,
  SMALL_INTEGER_MAX,
  SMALL_INTEGER_MIN,
} from '../objects/layout.ts';
import { CONTEXT, SHAPE } from '../objects/well-known.ts';

/** Sets the reason and answers 0: `return fail(vm, PRIM_ERROR.badIndex)`. */
export function fail(vm: PrimitiveContext, code: number): 0 {
  vm.failCode = code;
  return 0;
}

/** The object just made, or a failure when there was no room for it. */
export function made(vm: PrimitiveContext, oop: Oop): Oop {
  return oop === 0 ? fail(vm, PRIM_ERROR.noMemory) : oop;
}

/** The Integer object of a value (integral); fails when there is no room. */
export function newInteger(vm: PrimitiveContext, value: number | bigint): Oop {
  return made(vm, vm.memory.newInteger(value));
}

/** The Float object of a value; fails when there is no room. */
export function newFloat(vm: PrimitiveContext, value: number): Oop {
  return made(vm, vm.memory.newFloat(value));
}

/** The String object of a text; fails when there is no room. */
export function newString(vm: PrimitiveContext, text: string): Oop {
  return made(vm, vm.memory.newString(text));
}

/** A new Array of these elements; fails when there is no room. */
export function newArray(vm: PrimitiveContext, elements: readonly Oop[]): Oop {
  const array = vm.memory.instantiate(SHAPE.Array, elements.length);
  if (array === 0) return fail(vm, PRIM_ERROR.noMemory);
  elements.forEach((element, i) => {
    vm.memory.store(array, i, element);
  });
  return array;
}

/** The argument at `index`, 0-based. */
export function argument(vm: PrimitiveContext, args: number, index: number): Oop {
  return vm.stack[args + index]!;
}

/** A primitive seen from its operands; those beyond its number of operands are 0. */
export type Operation = (vm: PrimitiveContext, first: Oop, second: Oop, third: Oop) => Oop;

/**
 * A primitive of `wanted` operands (at most three): its arguments, or, when there is one argument
 * fewer, the receiver and its arguments. So `'abc' hash` and `Hasher hashOf: 'abc'` can both use
 * it.
 */
export function ofOperands(wanted: 1 | 2 | 3, run: Operation): Primitive {
  return (vm, receiver, args, count) => {
    if (count !== wanted && count !== wanted - 1) return fail(vm, PRIM_ERROR.badArgumentCount);
    const start = count === wanted ? args : args - 1;
    const { stack } = vm;
    const first = count === wanted ? stack[args]! : receiver;
    const second = wanted > 1 ? stack[start + 1]! : 0;
    return run(vm, first, second, wanted > 2 ? stack[start + 2]! : 0);
  };
}

/** Whether the oop is a SmallInteger. */
export function isSmallInteger(oop: Oop): boolean {
  return (oop & 1) === 1;
}

/** The value of a SmallInteger oop. */
export function smallIntegerValue(oop: Oop): number {
  return oop >> 1;
}

/** The oop of a number that is known to fit a SmallInteger. */
export function smallInteger(value: number): Oop {
  return (value << 1) | 1;
}

/** Whether a JS number is an integer within the range of SmallIntegers. */
export function fitsSmallInteger(value: number): boolean {
  return value >= SMALL_INTEGER_MIN && value <= SMALL_INTEGER_MAX && Number.isInteger(value);
}

/** The shape index of an object, 0 for a SmallInteger. */
export function shapeIndex(vm: PrimitiveContext, oop: Oop): number {
  return (oop & 1) === 1 ? 0 : vm.memory.H[oop]! & SHAPE_MASK;
}

/** The format of an object that is no SmallInteger. */
export function formatBits(vm: PrimitiveContext, oop: Oop): number {
  return (vm.memory.H[oop]! >>> FORMAT_SHIFT) & FORMAT_BITS;
}

/** Whether stores into the object are refused. */
export function isReadOnly(vm: PrimitiveContext, oop: Oop): boolean {
  return (vm.memory.H[oop]! & READ_ONLY) !== 0;
}

/** Whether the oop is an integer of any size. */
export function isInteger(vm: PrimitiveContext, oop: Oop): boolean {
  return (oop & 1) === 1 || isLargeInteger(vm, oop);
}

/** Whether the oop is a LargePositiveInteger or LargeNegativeInteger. */
export function isLargeInteger(vm: PrimitiveContext, oop: Oop): boolean {
  const shape = shapeIndex(vm, oop);
  return shape === SHAPE.LargePositiveInteger || shape === SHAPE.LargeNegativeInteger;
}

/** Whether the oop is a Float. */
export function isFloat(vm: PrimitiveContext, oop: Oop): boolean {
  return shapeIndex(vm, oop) === SHAPE.BoxedFloat64;
}

/** Whether the oop is a Character. */
export function isCharacter(vm: PrimitiveContext, oop: Oop): boolean {
  return shapeIndex(vm, oop) === SHAPE_CHARACTER;
}

/** Whether the oop is a String or Symbol of the VM's own classes: what can become a JS string. */
export function isString(vm: PrimitiveContext, oop: Oop): boolean {
  const shape = shapeIndex(vm, oop);
  return (
    shape === SHAPE.ByteString ||
    shape === SHAPE.WideString ||
    shape === SHAPE.ByteSymbol ||
    shape === SHAPE.WideSymbol
  );
}

/** Whether the oop is a Symbol. */
export function isSymbol(vm: PrimitiveContext, oop: Oop): boolean {
  const shape = shapeIndex(vm, oop);
  return shape === SHAPE.ByteSymbol || shape === SHAPE.WideSymbol;
}

/** Whether the oop is an object whose body is oops throughout (named or indexed). */
export function isPointers(vm: PrimitiveContext, oop: Oop): boolean {
  return (oop & 1) === 0 && formatBits(vm, oop) <= FORMAT.ephemeron;
}

/** Whether the oop is an object of bytes (String, ByteArray, LargeInteger…; not code). */
export function isBytes(vm: PrimitiveContext, oop: Oop): boolean {
  return (oop & 1) === 0 && formatBits(vm, oop) === FORMAT.bytes;
}

/** Whether the oop is a CompiledMethod or CompiledBlock. */
export function isCode(vm: PrimitiveContext, oop: Oop): boolean {
  return (oop & 1) === 0 && formatBits(vm, oop) === FORMAT.compiledCode;
}

/** Whether the oop is an Array. */
export function isArray(vm: PrimitiveContext, oop: Oop): boolean {
  return shapeIndex(vm, oop) === SHAPE.Array;
}

/** The Boolean object for a JS boolean. */
export function booleanOop(vm: PrimitiveContext, value: boolean): Oop {
  return value ? vm.memory.true : vm.memory.false;
}

/** Whether the oop could be a class: an object of pointers with at least Behavior's slots. */
export function isBehavior(vm: PrimitiveContext, oop: Oop): boolean {
  return isPointers(vm, oop) && vm.memory.slotCount(oop) >= 4;
}

/** Whether the oop is the Context of an activation that still lives on the JavaScript stack. */
export function isLiveContext(vm: PrimitiveContext, oop: Oop): boolean {
  if (shapeIndex(vm, oop) !== SHAPE.Context) return false;
  return isSmallInteger(vm.memory.fetch(oop, CONTEXT.sender));
}
