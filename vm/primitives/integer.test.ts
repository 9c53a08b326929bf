/**
 * Integer primitives against JavaScript's own BigInt arithmetic, at every edge of representation.
 */
import { describe, expect, test } from 'vitest';
import { Fixture, fails } from '../../test/machine/primitive-fixture.ts';
import { PRIM_ERROR } from '../interpreter/primitive-interface.ts';
import { SMALL_INTEGER_MAX, SMALL_INTEGER_MIN } from '../objects/layout.ts';
import { floorSquareRoot, parseInteger } from './integer.ts';

const vm = new Fixture();
const BAD_ARGUMENT = fails(PRIM_ERROR.badArgument);

const EDGES: bigint[] = [
  0n,
  1n,
  2n,
  7n,
  255n,
  BigInt(SMALL_INTEGER_MAX),
  BigInt(SMALL_INTEGER_MAX) + 1n,
  BigInt(SMALL_INTEGER_MIN),
  BigInt(SMALL_INTEGER_MIN) - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 64n,
  10n ** 40n + 7n,
].flatMap((value) => [value, -value]);

function floorMod(a: bigint, b: bigint): bigint {
  return ((a % b) + b) % b;
}

/** Normalized: what fits a SmallInteger is a number. */
function normal(value: bigint): number | bigint {
  return value >= SMALL_INTEGER_MIN && value <= SMALL_INTEGER_MAX ? Number(value) : value;
}

type Model = (a: bigint, b: bigint) => bigint | boolean | undefined;
const MODELS: [numbers: number[], name: string, model: Model][] = [
  [[1, 21], '+', (a, b) => a + b],
  [[2, 22], '-', (a, b) => a - b],
  [[3, 23], '<', (a, b) => a < b],
  [[4, 24], '>', (a, b) => a > b],
  [[5, 25], '<=', (a, b) => a <= b],
  [[6, 26], '>=', (a, b) => a >= b],
  [[7, 27], '=', (a, b) => a === b],
  [[8, 28], '~=', (a, b) => a !== b],
  [[9, 29], '*', (a, b) => a * b],
  [[10, 30], '/', (a, b) => (b !== 0n && a % b === 0n ? a / b : undefined)],
  [
    [11, 31],
    '\\\\',
    (a, b) => (b === 0n ? undefined : b > 0n ? floorMod(a, b) : -floorMod(-a, -b)),
  ],
  [
    [12, 32],
    '//',
    (a, b) => (b === 0n ? undefined : (a - (b > 0n ? floorMod(a, b) : -floorMod(-a, -b))) / b),
  ],
  [[13, 33], 'quo:', (a, b) => (b === 0n ? undefined : a / b)],
  [[20], 'rem:', (a, b) => (b === 0n ? undefined : a % b)],
  [[14, 34], 'bitAnd:', (a, b) => a & b],
  [[15, 35], 'bitOr:', (a, b) => a | b],
  [[16, 36], 'bitXor:', (a, b) => a ^ b],
];

describe('Integer arithmetic', () => {
  test.each(MODELS)('%j %s agrees with BigInt at every edge', (numbers, _name, model) => {
    for (const number of numbers) {
      for (const a of EDGES) {
        for (const b of EDGES) {
          const wanted = model(a, b);
          const found = vm.answer(number, a, b);
          if (wanted === undefined) expect(found, `${a} ${b}`).toHaveProperty('fails');
          else
            expect(found, `${a} ${b}`).toBe(typeof wanted === 'bigint' ? normal(wanted) : wanted);
        }
      }
    }
  });

  test.each(MODELS)('%j %s refuses what is no integer', (numbers, _name) => {
    for (const number of numbers) {
      for (const operand of ['3', null, 0.5, '#a', true, [1], vm.character('3')]) {
        expect(vm.answer(number, 3, operand)).toEqual(BAD_ARGUMENT);
        expect(vm.answer(number, 2n ** 40n, operand)).toEqual(BAD_ARGUMENT);
        expect(vm.answer(number, operand, 3)).toEqual(fails(PRIM_ERROR.badReceiver));
      }
    }
  });

  test('bitShift: agrees with BigInt', () => {
    for (const value of EDGES) {
      for (const bits of [
        0, 1, 2, 20, 21, 29, 30, 31, 32, 33, 64, 100, -1, -2, -31, -32, -33, -200,
      ]) {
        const wanted = bits >= 0 ? value << BigInt(bits) : value >> BigInt(-bits);
        expect(vm.answer(17, value, bits), `${value} ${bits}`).toBe(normal(wanted));
        expect(vm.answer(37, value, bits), `${value} ${bits}`).toBe(normal(wanted));
      }
    }
    expect(vm.answer(17, -5, -(2n ** 40n))).toBe(-1);
    expect(vm.answer(17, 5, -(2n ** 40n))).toBe(0);
    expect(vm.answer(17, 0, 2n ** 40n)).toBe(0);
    expect(vm.answer(17, 5, '3')).toEqual(BAD_ARGUMENT);
  });

  test('results beyond the bound are refused, not attempted', () => {
    const limit = fails(PRIM_ERROR.limitExceeded);
    expect(vm.answer(17, 1, 1_000_000_000)).toEqual(limit);
    expect(vm.answer(17, 1, 2n ** 40n)).toEqual(limit);
    expect(vm.answer('primitiveIntegerRaisedTo', 10, 1_000_000_000)).toEqual(limit);
    expect(vm.answer('primitiveIntegerRaisedTo', 1, 1_000_000_000)).toBe(1);
    expect(vm.answer('primitiveIntegerRaisedTo', -1, 1_000_000_001)).toBe(-1);
    const huge = 2n ** 20_000_000n;
    expect(vm.answer(9, huge, huge)).toEqual(limit);
  });

  test('@ makes a Point', () => {
    expect(vm.answer(18, 3, 4)).toEqual([3, 4]);
    expect(vm.answer(18, null, 4)).toEqual(fails(PRIM_ERROR.badReceiver));
  });

  test('hashMultiply is the 28-bit scramble', () => {
    for (const value of [0n, 1n, -1n, 123456n, 2n ** 31n, 2n ** 100n + 5n]) {
      const wanted = Number(BigInt.asUintN(28, value * 1664525n));
      expect(vm.answer(159, value)).toBe(wanted);
    }
    expect(vm.answer(159, 'a')).toEqual(fails(PRIM_ERROR.badReceiver));
  });
});

describe('Integer text', () => {
  test('prints and parses in every radix', () => {
    for (const value of EDGES) {
      for (let radix = 2; radix <= 36; radix++) {
        const text = value.toString(radix).toUpperCase();
        expect(vm.answer('primitiveIntegerPrint', value, radix)).toBe(text);
        expect(vm.answer('primitiveIntegerParse', null, text, radix)).toBe(normal(value));
        expect(vm.answer('primitiveIntegerParse', text.toLowerCase(), radix)).toBe(normal(value));
      }
    }
  });

  test('refuses other radices and answers nil for other text', () => {
    expect(vm.answer('primitiveIntegerPrint', 3, 1)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveIntegerPrint', 3, 37)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveIntegerPrint', 3, 'x')).toEqual(BAD_ARGUMENT);
    for (const text of ['', '-', '12a', '--1', '1 ', '8', '0x10']) {
      expect(vm.answer('primitiveIntegerParse', text, 8)).toBe(null);
    }
    expect(vm.answer('primitiveIntegerParse', 'zz', 37)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveIntegerParse', 12, 10)).toEqual(BAD_ARGUMENT);
  });

  test('parses long digits of a radix without a JavaScript prefix', () => {
    const value = 7n ** 3000n;
    expect(parseInteger(value.toString(7), 7)).toBe(value);
    expect(parseInteger(value.toString(36), 36)).toBe(value);
  });
});

describe('Integer functions', () => {
  test('square root is the floor of the root', () => {
    for (const root of [0n, 1n, 2n, 3n, 1n << 25n, (1n << 26n) - 1n, 10n ** 30n, 3n ** 200n]) {
      for (const delta of [-1n, 0n, 1n]) {
        const square = root * root + delta;
        if (square < 0n) continue;
        const found = floorSquareRoot(square);
        expect(found * found <= square && (found + 1n) * (found + 1n) > square).toBe(true);
      }
    }
    expect(vm.answer('primitiveIntegerSqrt', 10n ** 40n)).toBe(10n ** 20n);
    expect(vm.answer('primitiveIntegerSqrt', 99)).toBe(9);
    expect(vm.answer('primitiveIntegerSqrt', -1)).toEqual(fails(PRIM_ERROR.badReceiver));
  });

  test('gcd is never negative and 0 only for 0 and 0', () => {
    expect(vm.answer('primitiveIntegerGcd', 12, -18)).toBe(6);
    expect(vm.answer('primitiveIntegerGcd', 0, 0)).toBe(0);
    expect(vm.answer('primitiveIntegerGcd', 0, -5)).toBe(5);
    expect(vm.answer('primitiveIntegerGcd', 6n * 10n ** 30n, 9n * 10n ** 20n)).toBe(
      3n * 10n ** 20n,
    );
    expect(vm.answer('primitiveIntegerGcd', SMALL_INTEGER_MIN, 0)).toBe(2n ** 30n);
    expect(vm.answer('primitiveIntegerGcd', 4, 0.5)).toEqual(BAD_ARGUMENT);
  });

  test('raisedTo: takes exponents that are not negative', () => {
    expect(vm.answer('primitiveIntegerRaisedTo', -3, 5)).toBe(-243);
    expect(vm.answer('primitiveIntegerRaisedTo', 2, 100)).toBe(2n ** 100n);
    expect(vm.answer('primitiveIntegerRaisedTo', 0, 0)).toBe(1);
    expect(vm.answer('primitiveIntegerRaisedTo', 2, -1)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveIntegerRaisedTo', 2)).toEqual(fails(PRIM_ERROR.badArgumentCount));
  });
});
