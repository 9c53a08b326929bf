/**
 * Floats: primitives 38–59 and the named ones. The argument may be a Float or a SmallInteger (exact
 * as a double); anything else fails and the library coerces. Division by zero fails: ZeroDivide is
 * the library's. What IEEE 754 answers otherwise, infinities and nan included, is the answer.
 */

import {
  PRIM_ERROR,
  type Primitive,
  type PrimitiveContext,
} from '../interpreter/primitive-interface.ts';
import type { Oop } from '../memory/object-memory.ts';
import { CARD_BOTH, PAGE_SHIFT } from '../objects/layout.ts';
import {
  argument,
  booleanOop,
  fail,
  isFloat,
  isInteger,
  isReadOnly,
  isSmallInteger,
  isString,
  isSymbol,
  newFloat,
  newInteger,
  newString,
  ofOperands,
  smallInteger,
} from './checks.ts';
import {
  decompose,
  parseFloatText,
  printFloat,
  printFloatRadix,
  scaleByPowerOfTwo,
} from './float-text.ts';

/** Whether the oop is a number the primitives take as an argument. */
function isFloatOperand(vm: PrimitiveContext, oop: Oop): boolean {
  return (oop & 1) === 1 || isFloat(vm, oop);
}

function operand(vm: PrimitiveContext, oop: Oop): number {
  return (oop & 1) === 1 ? oop >> 1 : vm.memory.floatValue(oop);
}

function checkOperands(vm: PrimitiveContext, receiver: Oop, arg: Oop): boolean {
  if (!isFloat(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver) !== 0;
  if (!isFloatOperand(vm, arg)) return fail(vm, PRIM_ERROR.badArgument) !== 0;
  return true;
}

function arithmetic(operate: (a: number, b: number) => number): Primitive {
  return (vm, receiver, args) => {
    const arg = argument(vm, args, 0);
    if (!checkOperands(vm, receiver, arg)) return 0;
    return newFloat(vm, operate(vm.memory.floatValue(receiver), operand(vm, arg)));
  };
}

function comparison(compare: (a: number, b: number) => boolean): Primitive {
  return (vm, receiver, args) => {
    const arg = argument(vm, args, 0);
    if (!checkOperands(vm, receiver, arg)) return 0;
    return booleanOop(vm, compare(vm.memory.floatValue(receiver), operand(vm, arg)));
  };
}

/** A function of the receiver alone. */
function unary(answer: (value: number) => number): Primitive {
  return (vm, receiver) => {
    if (!isFloat(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
    return newFloat(vm, answer(vm.memory.floatValue(receiver)));
  };
}

/** 38: the 32-bit halves of a Float as unsigned Integers: 1 is the high half, 2 the low. */
export const floatAt: Primitive = (vm, receiver, args) => {
  const word = halfIndex(vm, receiver, argument(vm, args, 0));
  return word < 0 ? 0 : newInteger(vm, vm.memory.H[word]! >>> 0);
};

/** 39: stores a half of a Float. */
export const floatAtPut: Primitive = (vm, receiver, args) => {
  const word = halfIndex(vm, receiver, argument(vm, args, 0));
  if (word < 0) return 0;
  if (isReadOnly(vm, receiver)) return fail(vm, PRIM_ERROR.noModification);
  const value = argument(vm, args, 1);
  if (!isInteger(vm, value)) return fail(vm, PRIM_ERROR.badArgument);
  const number = Number(vm.memory.integerValue(value));
  if (number < 0 || number > 0xffffffff) return fail(vm, PRIM_ERROR.badArgument);
  vm.memory.H[word] = number | 0;
  vm.memory.cards[word >> PAGE_SHIFT] = CARD_BOTH;
  return value;
};

/** The word index of half 1 (high) or 2 (low) of a Float, or -1 with the reason set. */
function halfIndex(vm: PrimitiveContext, receiver: Oop, index: Oop): number {
  const isHalf = index === smallInteger(1) || index === smallInteger(2);
  if (!isFloat(vm, receiver) || !isHalf) {
    fail(vm, isHalf ? PRIM_ERROR.badReceiver : PRIM_ERROR.badIndex);
    return -1;
  }
  return receiver + 2 + (2 - (index >> 1)); // little-endian: the high half is the second word
}

/** 40: SmallInteger asFloat; also takes LargeIntegers, correctly rounded. */
export const asFloat: Primitive = (vm, receiver) => {
  if (isSmallInteger(receiver)) return newFloat(vm, receiver >> 1);
  if (!isInteger(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  return newFloat(vm, Number(vm.memory.integerValue(receiver)));
};

/** 41 to 43 and 49: + - * */
export const add = arithmetic((a, b) => a + b);
export const subtract = arithmetic((a, b) => a - b);
export const multiply = arithmetic((a, b) => a * b);
/** 50: / fails when the divisor is zero. */
export const divide: Primitive = (vm, receiver, args) => {
  const arg = argument(vm, args, 0);
  if (!checkOperands(vm, receiver, arg)) return 0;
  const divisor = operand(vm, arg);
  if (divisor === 0) return fail(vm, PRIM_ERROR.badArgument);
  return newFloat(vm, vm.memory.floatValue(receiver) / divisor);
};
/** 43 to 48: comparisons; nan is unequal to everything. */
export const lessThan = comparison((a, b) => a < b);
export const greaterThan = comparison((a, b) => a > b);
export const lessOrEqual = comparison((a, b) => a <= b);
export const greaterOrEqual = comparison((a, b) => a >= b);
export const equal = comparison((a, b) => a === b);
export const notEqual = comparison((a, b) => a !== b);

/** 51 and primitiveFloatTruncatedExact: the integer part as an Integer; fails for nan, infinity. */
export const truncated: Primitive = ofOperands(1, (vm, receiver) => {
  if (!isFloat(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  const value = Math.trunc(vm.memory.floatValue(receiver));
  if (!Number.isFinite(value)) return fail(vm, PRIM_ERROR.inappropriate);
  return newInteger(vm, Number.isSafeInteger(value) ? value : BigInt(value));
});

/** 52: what truncation cuts off, with the sign of the receiver. */
export const fractionPart = unary((value) =>
  Number.isFinite(value) ? value - Math.trunc(value) : Number.NaN,
);

/** 53: the exponent of two; fails for nan and infinity, answers -1 for zero as Squeak does. */
export const exponent: Primitive = (vm, receiver) => {
  if (!isFloat(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  const value = vm.memory.floatValue(receiver);
  if (!Number.isFinite(value)) return fail(vm, PRIM_ERROR.inappropriate);
  return smallInteger(value === 0 ? -1 : decompose(value).exponent);
};

/** 54: timesTwoPower: a SmallInteger. */
export const timesTwoPower: Primitive = (vm, receiver, args) => {
  const power = argument(vm, args, 0);
  if (!isFloat(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  if (!isSmallInteger(power)) return fail(vm, PRIM_ERROR.badArgument);
  return newFloat(vm, scaleByPowerOfTwo(vm.memory.floatValue(receiver), power >> 1));
};

/** 55 to 59. */
export const squareRoot = unary(Math.sqrt);
export const sine = unary(Math.sin);
export const arcTangent = unary(Math.atan);
export const naturalLogarithm = unary(Math.log);
export const exponential = unary(Math.exp);

/** Functions primitiveFloatMath knows by name: of the receiver, or of receiver and argument. */
const FUNCTIONS = new Map<string, (value: number) => number>([
  ['sin', Math.sin],
  ['cos', Math.cos],
  ['tan', Math.tan],
  ['arcSin', Math.asin],
  ['arcCos', Math.acos],
  ['arcTan', Math.atan],
  ['sinh', Math.sinh],
  ['cosh', Math.cosh],
  ['tanh', Math.tanh],
  ['arSinh', Math.asinh],
  ['arCosh', Math.acosh],
  ['arTanh', Math.atanh],
  ['exp', Math.exp],
  ['ln', Math.log],
  ['log', Math.log10],
  ['log2', Math.log2],
  ['sqrt', Math.sqrt],
  ['cbrt', Math.cbrt],
  ['floor', Math.floor],
  ['ceiling', Math.ceil],
]);
const FUNCTIONS_OF_TWO = new Map<string, (a: number, b: number) => number>([
  ['arcTan:', Math.atan2],
  ['raisedTo:', Math.pow],
  ['hypot:', Math.hypot],
]);

/**
 * primitiveFloatMath(#name) or (#name:, number): a function of a Float, which is the receiver or an
 * argument before the name.
 */
export const floatMath: Primitive = (vm, receiver, args, count) => {
  if (count < 1 || count > 3) return fail(vm, PRIM_ERROR.badArgumentCount);
  const nameFirst = isSymbol(vm, argument(vm, args, 0));
  const name = argument(vm, args, nameFirst ? 0 : 1);
  const subject = nameFirst ? receiver : argument(vm, args, 0);
  const rest = count - (nameFirst ? 1 : 2);
  if (!isFloat(vm, subject)) return fail(vm, PRIM_ERROR.badReceiver);
  if (rest < 0 || !isSymbol(vm, name)) return fail(vm, PRIM_ERROR.badArgument);
  const value = vm.memory.floatValue(subject);
  const key = vm.memory.stringValue(name);
  if (rest === 0) {
    const answer = FUNCTIONS.get(key);
    return answer ? newFloat(vm, answer(value)) : fail(vm, PRIM_ERROR.notFound);
  }
  const answer = FUNCTIONS_OF_TWO.get(key);
  const arg = argument(vm, args, count - 1);
  if (answer === undefined) return fail(vm, PRIM_ERROR.notFound);
  if (!isFloatOperand(vm, arg)) return fail(vm, PRIM_ERROR.badArgument);
  return newFloat(vm, answer(value, operand(vm, arg)));
};

/**
 * primitiveFloatPrint(radix), to a Float, or primitiveFloatPrint(float, radix): the shortest text
 * that reads back as the same number.
 */
export const floatPrint: Primitive = ofOperands(2, (vm, value, radix) => {
  if (!isFloat(vm, value)) return fail(vm, PRIM_ERROR.badReceiver);
  if (!isSmallInteger(radix)) return fail(vm, PRIM_ERROR.badArgument);
  if (radix >> 1 < 2 || radix >> 1 > 36) return fail(vm, PRIM_ERROR.badArgument);
  const number = vm.memory.floatValue(value);
  const text = radix >> 1 === 10 ? printFloat(number) : printFloatRadix(number, radix >> 1);
  return newString(vm, text);
});

/** primitiveFloatParse(String): the Float written there in base ten, correctly rounded, or nil. */
export const floatParse: Primitive = ofOperands(1, (vm, string) => {
  if (!isString(vm, string)) return fail(vm, PRIM_ERROR.badArgument);
  const value = parseFloatText(vm.memory.stringValue(string));
  return value === undefined ? vm.memory.nil : newFloat(vm, value);
});
