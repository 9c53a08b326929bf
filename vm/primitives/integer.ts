/**
 * Integers: SmallIntegers (primitives 1–18) and integers of any size (20–37) alike. The numbers of
 * the two rows share their code: a primitive takes any two Integers, works on JS numbers as long as
 * both and the result are exact there, and on BigInts beyond; results are normalized, so that an
 * integer has one representation. With any other argument it fails and the library coerces.
 *
 * Results are bounded (RESULT_BITS_MAX): a shift by a billion is an error in the process that
 * asked, not the end of the virtual machine.
 */

import {
  PRIM_ERROR,
  type Primitive,
  type PrimitiveContext,
} from '../interpreter/primitive-interface.ts';
import type { Oop } from '../memory/object-memory.ts';
import { SHAPE } from '../objects/well-known.ts';
import {
  argument,
  booleanOop,
  fail,
  isInteger,
  isLargeInteger,
  isSmallInteger,
  isString,
  made,
  newInteger,
  newString,
  ofOperands,
  smallInteger,
} from './checks.ts';

/** Results with more bits than this fail with limitExceeded: 4 MiB, ten million decimal digits. */
export const RESULT_BITS_MAX = 32 * 1024 * 1024;

/** The value of an integer oop as a BigInt. */
export function bigIntegerValue(vm: PrimitiveContext, oop: Oop): bigint {
  return (oop & 1) === 1 ? BigInt(oop >> 1) : BigInt(vm.memory.integerValue(oop));
}

/** Upper bound of the number of bits of an integer oop's magnitude. */
function bitBound(vm: PrimitiveContext, oop: Oop): number {
  return (oop & 1) === 1 ? 31 : vm.memory.byteSize(oop) * 8;
}

/** Fails unless both are integers; sets the reason. */
function checkIntegers(vm: PrimitiveContext, receiver: Oop, arg: Oop): boolean {
  if (!isInteger(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver) !== 0;
  if (!isInteger(vm, arg)) return fail(vm, PRIM_ERROR.badArgument) !== 0;
  return true;
}

/** 1, 21: + */
export const add: Primitive = (vm, receiver, args) => {
  const arg = argument(vm, args, 0);
  if ((receiver & arg & 1) === 1) return newInteger(vm, (receiver >> 1) + (arg >> 1));
  if (!checkIntegers(vm, receiver, arg)) return 0;
  return newInteger(vm, bigIntegerValue(vm, receiver) + bigIntegerValue(vm, arg));
};

/** 2, 22: - */
export const subtract: Primitive = (vm, receiver, args) => {
  const arg = argument(vm, args, 0);
  if ((receiver & arg & 1) === 1) return newInteger(vm, (receiver >> 1) - (arg >> 1));
  if (!checkIntegers(vm, receiver, arg)) return 0;
  return newInteger(vm, bigIntegerValue(vm, receiver) - bigIntegerValue(vm, arg));
};

type Comparison = (a: number | bigint, b: number | bigint) => boolean;

function comparison(compare: Comparison): Primitive {
  return (vm, receiver, args) => {
    const arg = argument(vm, args, 0);
    if ((receiver & arg & 1) === 1) return booleanOop(vm, compare(receiver >> 1, arg >> 1));
    if (!checkIntegers(vm, receiver, arg)) return 0;
    return booleanOop(vm, compare(bigIntegerValue(vm, receiver), bigIntegerValue(vm, arg)));
  };
}

/** 3, 23: < */
export const lessThan = comparison((a, b) => a < b);
/** 4, 24: > */
export const greaterThan = comparison((a, b) => a > b);
/** 5, 25: <= */
export const lessOrEqual = comparison((a, b) => a <= b);
/** 6, 26: >= */
export const greaterOrEqual = comparison((a, b) => a >= b);
/** 7, 27: = */
export const equal = comparison((a, b) => a === b);
/** 8, 28: ~= */
export const notEqual = comparison((a, b) => a !== b);

/** 9, 29: * */
export const multiply: Primitive = (vm, receiver, args) => {
  const arg = argument(vm, args, 0);
  if ((receiver & arg & 1) === 1) {
    const product = (receiver >> 1) * (arg >> 1);
    if (Number.isSafeInteger(product)) return newInteger(vm, product);
  }
  if (!checkIntegers(vm, receiver, arg)) return 0;
  if (bitBound(vm, receiver) + bitBound(vm, arg) > RESULT_BITS_MAX) {
    return fail(vm, PRIM_ERROR.limitExceeded);
  }
  return newInteger(vm, bigIntegerValue(vm, receiver) * bigIntegerValue(vm, arg));
};

type Division = (a: bigint, b: bigint) => bigint | undefined;

/** A division of two integers; fails on a zero divisor and where `divide` has no answer. */
function division(divide: Division): Primitive {
  return (vm, receiver, args) => {
    const arg = argument(vm, args, 0);
    if (!checkIntegers(vm, receiver, arg)) return 0;
    if (arg === 1) return fail(vm, PRIM_ERROR.badArgument); // the SmallInteger 0
    const result = divide(bigIntegerValue(vm, receiver), bigIntegerValue(vm, arg));
    return result === undefined ? fail(vm, PRIM_ERROR.inappropriate) : newInteger(vm, result);
  };
}

/** A division of two SmallIntegers by `divide`, of anything else by `otherwise`. */
function smallDivision(divide: (a: number, b: number) => number, otherwise: Primitive): Primitive {
  return (vm, receiver, args, count) => {
    const arg = argument(vm, args, 0);
    if ((receiver & arg & 1) === 0 || arg === 1) return otherwise(vm, receiver, args, count);
    const result = divide(receiver >> 1, arg >> 1);
    if (!Number.isInteger(result)) return fail(vm, PRIM_ERROR.inappropriate);
    return newInteger(vm, result);
  };
}

/** 10, 30: / answers only when nothing is left over; the library makes Fractions of the rest. */
export const divide = smallDivision(
  (a, b) => a / b,
  division((a, b) => (a % b === 0n ? a / b : undefined)),
);
/** 11, 31: \\, the remainder of //: it has the sign of the divisor. */
export const modulo = smallDivision(
  (a, b) => a - Math.floor(a / b) * b,
  division((a, b) => {
    const rest = a % b;
    return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
  }),
);
/** 12, 32: //, rounding toward negative infinity. */
export const floorDivide = smallDivision(
  (a, b) => Math.floor(a / b),
  division((a, b) => {
    const quotient = a / b;
    return quotient * b !== a && a < 0n !== b < 0n ? quotient - 1n : quotient;
  }),
);
/** 13, 33: quo:, rounding toward zero. */
export const quotient = smallDivision(
  (a, b) => Math.trunc(a / b),
  division((a, b) => a / b),
);
/** 20: rem:, with the sign of the receiver. */
export const remainder = smallDivision(
  (a, b) => a % b,
  division((a, b) => a % b),
);

type BitOperation = (a: bigint, b: bigint) => bigint;

function bitOperation(small: (a: number, b: number) => number, large: BitOperation): Primitive {
  return (vm, receiver, args) => {
    const arg = argument(vm, args, 0);
    if ((receiver & arg & 1) === 1) return smallInteger(small(receiver >> 1, arg >> 1));
    if (!checkIntegers(vm, receiver, arg)) return 0;
    return newInteger(vm, large(bigIntegerValue(vm, receiver), bigIntegerValue(vm, arg)));
  };
}

/** 14, 34: bitAnd: on two's complement of unlimited width. */
export const bitAnd = bitOperation(
  (a, b) => a & b,
  (a, b) => a & b,
);
/** 15, 35: bitOr: */
export const bitOr = bitOperation(
  (a, b) => a | b,
  (a, b) => a | b,
);
/** 16, 36: bitXor: */
export const bitXor = bitOperation(
  (a, b) => a ^ b,
  (a, b) => a ^ b,
);

/** 17, 37: bitShift: left by a positive, arithmetically right by a negative number of bits. */
export const bitShift: Primitive = (vm, receiver, args) => {
  const arg = argument(vm, args, 0);
  if (!checkIntegers(vm, receiver, arg)) return 0;
  if (receiver === 1) return receiver;
  if (!isSmallInteger(arg)) {
    const left = bigIntegerValue(vm, arg) > 0n;
    if (left) return fail(vm, PRIM_ERROR.limitExceeded);
    return smallInteger(bigIntegerValue(vm, receiver) < 0n ? -1 : 0);
  }
  const bits = arg >> 1;
  if (isSmallInteger(receiver)) {
    if (bits <= 0) return smallInteger((receiver >> 1) >> Math.min(-bits, 31));
    if (bits <= 20) return newInteger(vm, (receiver >> 1) * 2 ** bits);
  }
  if (bits > 0 && bitBound(vm, receiver) + bits > RESULT_BITS_MAX) {
    return fail(vm, PRIM_ERROR.limitExceeded);
  }
  const value = bigIntegerValue(vm, receiver);
  return newInteger(vm, bits >= 0 ? value << BigInt(bits) : value >> BigInt(-bits));
};

/** 18: @ makes a Point of the receiver and any Number; the library has the other cases. */
export const makePoint: Primitive = (vm, receiver, args) => {
  const arg = argument(vm, args, 0);
  if (!isInteger(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  const point = made(vm, vm.memory.instantiate(SHAPE.Point, 2));
  if (point === 0) return 0;
  vm.memory.store(point, 0, receiver);
  vm.memory.store(point, 1, arg);
  return point;
};

/** 159: hashMultiply, the 28-bit hash scramble of Squeak: (self * 1664525) bitAnd: 16r0FFFFFFF. */
export const hashMultiply: Primitive = (vm, receiver) => {
  if (!isInteger(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  const low = isSmallInteger(receiver)
    ? receiver >> 1
    : Number(BigInt.asUintN(32, bigIntegerValue(vm, receiver)));
  return smallInteger(Math.imul(low | 0, 1664525) & 0x0fffffff);
};

/** primitiveIntegerPrint(radix): the digits of the receiver, upper case, without a radix prefix. */
export const integerPrint: Primitive = ofOperands(2, (vm, receiver, radix) => {
  if (!isInteger(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  if (!isSmallInteger(radix)) return fail(vm, PRIM_ERROR.badArgument);
  if (radix >> 1 < 2 || radix >> 1 > 36) return fail(vm, PRIM_ERROR.badArgument);
  const value = isSmallInteger(receiver) ? receiver >> 1 : bigIntegerValue(vm, receiver);
  return newString(vm, value.toString(radix >> 1).toUpperCase());
});

/**
 * primitiveIntegerParse(String, radix): the integer whose digits (after an optional minus sign) are
 * the whole string. Answers nil when it is anything else.
 */
export const integerParse: Primitive = ofOperands(2, (vm, string, radix) => {
  if (!isString(vm, string) || !isSmallInteger(radix)) return fail(vm, PRIM_ERROR.badArgument);
  if (radix >> 1 < 2 || radix >> 1 > 36) return fail(vm, PRIM_ERROR.badArgument);
  if (vm.memory.byteSize(string) * 8 > RESULT_BITS_MAX) return fail(vm, PRIM_ERROR.limitExceeded);
  const value = parseInteger(vm.memory.stringValue(string), radix >> 1);
  return value === undefined ? vm.memory.nil : newInteger(vm, value);
});

/** The integer written by `text` in `radix` (2 to 36), or undefined. */
export function parseInteger(text: string, radix: number): bigint | undefined {
  const negative = text.startsWith('-');
  const digits = negative ? text.slice(1) : text;
  if (digits === '' || !digitsPattern(radix).test(digits)) return undefined;
  const prefix = { 2: '0b', 8: '0o', 10: '', 16: '0x' }[radix];
  const magnitude =
    prefix === undefined ? parseDigits(digits, BigInt(radix)) : BigInt(prefix + digits);
  return negative ? -magnitude : magnitude;
}

function digitsPattern(radix: number): RegExp {
  if (radix <= 10) return new RegExp(`^[0-${radix - 1}]+$`);
  return new RegExp(`^[0-9A-${String.fromCharCode(64 + radix - 10)}]+$`, 'i');
}

/** Halving keeps the multiplications balanced: a million digits take seconds, not hours. */
function parseDigits(digits: string, radix: bigint): bigint {
  if (digits.length <= 10) return BigInt(Number.parseInt(digits, Number(radix)));
  const low = digits.length >> 1;
  const head = parseDigits(digits.slice(0, digits.length - low), radix);
  return head * radix ** BigInt(low) + parseDigits(digits.slice(digits.length - low), radix);
}

/** primitiveIntegerSqrt: the largest integer whose square is not above the receiver. */
export const integerSqrt: Primitive = ofOperands(1, (vm, receiver) => {
  if (!isInteger(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  const value = bigIntegerValue(vm, receiver);
  if (value < 0n) return fail(vm, PRIM_ERROR.badReceiver);
  return newInteger(vm, floorSquareRoot(value));
});

/** The largest integer whose square is at most `value` (not negative): Newton from above. */
export function floorSquareRoot(value: bigint): bigint {
  if (value < 2n ** 50n) return BigInt(Math.floor(Math.sqrt(Number(value))));
  let root = 1n << BigInt((value.toString(16).length * 4 + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** primitiveIntegerGcd(other): the greatest common divisor, never negative. */
export const integerGcd: Primitive = ofOperands(2, (vm, receiver, arg) => {
  if (!checkIntegers(vm, receiver, arg)) return 0;
  if ((receiver & arg & 1) === 1) return newInteger(vm, smallGcd(receiver >> 1, arg >> 1));
  return newInteger(vm, bigGcd(bigIntegerValue(vm, receiver), bigIntegerValue(vm, arg)));
});

function smallGcd(a: number, b: number): number {
  let [x, y] = [Math.abs(a), Math.abs(b)];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

function bigGcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

/** primitiveIntegerRaisedTo(exponent): the receiver to a power that is not negative. */
export const integerRaisedTo: Primitive = ofOperands(2, (vm, receiver, arg) => {
  if (!checkIntegers(vm, receiver, arg)) return 0;
  if (!isSmallInteger(arg)) return fail(vm, PRIM_ERROR.limitExceeded);
  if (arg >> 1 < 0) return fail(vm, PRIM_ERROR.badArgument);
  const magnitude = isLargeInteger(vm, receiver)
    ? bitBound(vm, receiver)
    : 32 - Math.clz32(Math.abs(receiver >> 1));
  if (magnitude > 1 && magnitude * (arg >> 1) > RESULT_BITS_MAX) {
    return fail(vm, PRIM_ERROR.limitExceeded);
  }
  return newInteger(vm, bigIntegerValue(vm, receiver) ** BigInt(arg >> 1));
});
