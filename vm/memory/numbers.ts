/**
 * Numbers as objects: boxed floats, SmallIntegers and large integers. A large integer is sign and
 * magnitude, the magnitude's bytes least significant first, and never one that a SmallInteger
 * holds.
 */
import { assert } from '../base/assert.ts';
import {
  HEADER_WORDS,
  SHAPE_MASK,
  SMALL_INTEGER_MAX,
  SMALL_INTEGER_MIN,
} from '../objects/layout.ts';
import { SHAPE } from '../objects/well-known.ts';
import type { ObjectMemory, Oop } from './object-memory.ts';

const LARGE_NEGATIVE = SHAPE.LargeNegativeInteger;
const LARGE_POSITIVE = SHAPE.LargePositiveInteger;
const FLOAT = SHAPE.BoxedFloat64;

/** A new BoxedFloat64. */
export function newFloat(memory: ObjectMemory, value: number): Oop {
  const oop = memory.instantiate(FLOAT, 2);
  memory.F[(oop >> 1) + 1] = value;
  return oop;
}

/** The value of a BoxedFloat64, unchecked. */
export function floatValue(memory: ObjectMemory, oop: Oop): number {
  return memory.F[(oop >> 1) + 1]!;
}

/** The integer object for a value; a `number` must be integral. 0 when memory is out. */
export function newInteger(memory: ObjectMemory, value: bigint | number, old = false): Oop {
  if (typeof value === 'number') {
    if (value >= SMALL_INTEGER_MIN && value <= SMALL_INTEGER_MAX) {
      assert((value | 0) === value, 'newInteger was given a fraction');
      return (value << 1) | 1;
    }
    assert(Number.isInteger(value), 'newInteger was given no integer');
    return newLarge(memory, BigInt(value), old);
  }
  if (value >= BigInt(SMALL_INTEGER_MIN) && value <= BigInt(SMALL_INTEGER_MAX)) {
    return (Number(value) << 1) | 1;
  }
  return newLarge(memory, value, old);
}

/** The value of a SmallInteger as a number, of a large integer as a bigint; unchecked. */
export function integerValue(memory: ObjectMemory, oop: Oop): bigint | number {
  if ((oop & 1) !== 0) return oop >> 1;
  const magnitude = largeMagnitude(memory, oop);
  return (memory.H[oop]! & SHAPE_MASK) === LARGE_NEGATIVE ? -magnitude : magnitude;
}

function newLarge(memory: ObjectMemory, value: bigint, old: boolean): Oop {
  const shape = value < 0n ? LARGE_NEGATIVE : LARGE_POSITIVE;
  const digits = (value < 0n ? -value : value).toString(16);
  const bytes = (digits.length + 1) >> 1;
  const slots = (bytes + 3) >> 2;
  const oop = old
    ? memory.instantiateOld(shape, slots, -1, -bytes & 3)
    : memory.instantiate(shape, slots, -1, -bytes & 3);
  if (oop === 0) return 0;
  const H = memory.H;
  let end = digits.length;
  for (let at = oop + HEADER_WORDS; end > 0; at++, end -= 8) {
    H[at] = Number.parseInt(digits.slice(Math.max(0, end - 8), end), 16) | 0;
  }
  return oop;
}

function largeMagnitude(memory: ObjectMemory, oop: Oop): bigint {
  const { H } = memory;
  const slots = memory.slotCount(oop);
  const first = oop + HEADER_WORDS;
  if (slots === 1) return BigInt(H[first]! >>> 0);
  if (slots === 2) return (BigInt(H[first + 1]! >>> 0) << 32n) | BigInt(H[first]! >>> 0);
  if (slots === 0) return 0n;
  let digits = '';
  for (let at = first + slots - 1; at >= first; at--) {
    digits += (H[at]! >>> 0).toString(16).padStart(8, '0');
  }
  return BigInt(`0x${digits}`);
}
