/** Float primitives: IEEE 754's corners, and text that reads back. */
import { describe, expect, test } from 'vitest';
import { Fixture, fails } from '../../test/machine/primitive-fixture.ts';
import { PRIM_ERROR } from '../interpreter/primitive-interface.ts';
import { FORMAT } from '../objects/layout.ts';
import { SHAPE } from '../objects/well-known.ts';
import { decompose, parseFloatText, printFloat, scaleByPowerOfTwo } from './float-text.ts';

const vm = new Fixture();
const f = (value: number) => vm.float(value);
const BAD_RECEIVER = fails(PRIM_ERROR.badReceiver);
const BAD_ARGUMENT = fails(PRIM_ERROR.badArgument);
const NUMBERS = [0, -0, 1, -1.5, 0.1, 1e100, 5e-324, 2 ** 53, Infinity, -Infinity, Number.NaN];

describe('Float arithmetic', () => {
  test.each([
    [41, (a: number, b: number) => a + b],
    [42, (a: number, b: number) => a - b],
    [49, (a: number, b: number) => a * b],
    [43, (a: number, b: number) => a < b],
    [44, (a: number, b: number) => a > b],
    [45, (a: number, b: number) => a <= b],
    [46, (a: number, b: number) => a >= b],
    [47, (a: number, b: number) => a === b],
    [48, (a: number, b: number) => a !== b],
  ] as const)('%i is what IEEE 754 says', (number, model) => {
    for (const a of NUMBERS) {
      for (const b of NUMBERS) expect(vm.answer(number, f(a), f(b))).toBe(model(a, b));
      expect(vm.answer(number, f(a), 3)).toBe(model(a, 3));
    }
    expect(vm.answer(number, f(1), 2n ** 40n)).toEqual(BAD_ARGUMENT);
    expect(vm.answer(number, f(1), '1')).toEqual(BAD_ARGUMENT);
    expect(vm.answer(number, 1, f(1))).toEqual(BAD_RECEIVER);
  });

  test('/ fails for a zero divisor', () => {
    expect(vm.answer(50, f(1), f(4))).toBe(0.25);
    expect(vm.answer(50, f(1), 4)).toBe(0.25);
    for (const zero of [f(0), f(-0), 0]) expect(vm.answer(50, f(1), zero)).toEqual(BAD_ARGUMENT);
  });

  test('asFloat rounds large integers correctly', () => {
    expect(vm.answer(40, 3)).toBe(3);
    expect(vm.answer(40, 2n ** 53n + 1n)).toBe(2 ** 53);
    expect(vm.answer(40, 10n ** 400n)).toBe(Infinity);
    expect(vm.answer(40, 'x')).toEqual(BAD_RECEIVER);
  });

  test('truncated is exact at any size and fails without an integer part', () => {
    for (const number of [51, 'primitiveFloatTruncatedExact']) {
      expect(vm.answer(number, f(-3.9))).toBe(-3);
      expect(vm.answer(number, f(-0.5))).toBe(0);
      expect(vm.answer(number, f(2 ** 31))).toBe(2n ** 31n);
      expect(vm.answer(number, f(1e100))).toBe(BigInt(1e100));
      for (const value of [Number.NaN, Infinity, -Infinity]) {
        expect(vm.answer(number, f(value))).toEqual(fails(PRIM_ERROR.inappropriate));
      }
      expect(vm.answer(number, 3)).toEqual(BAD_RECEIVER);
    }
  });

  test('fractionPart, exponent, timesTwoPower:', () => {
    expect(vm.answer(52, f(-3.75))).toBe(-0.75);
    expect(vm.answer(53, f(1))).toBe(0);
    expect(vm.answer(53, f(0.75))).toBe(-1);
    expect(vm.answer(53, f(-1024))).toBe(10);
    expect(vm.answer(53, f(5e-324))).toBe(-1074);
    expect(vm.answer(53, f(0))).toBe(-1);
    expect(vm.answer(53, f(Infinity))).toEqual(fails(PRIM_ERROR.inappropriate));
    expect(vm.answer(54, f(3), 4)).toBe(48);
    expect(vm.answer(54, f(1), -1074)).toBe(5e-324);
    expect(vm.answer(54, f(1), -1075)).toBe(0);
    expect(vm.answer(54, f(1.5), -1074)).toBe(1e-323);
    expect(vm.answer(54, f(1), 2000)).toBe(Infinity);
    expect(vm.answer(54, f(5e-324), 1074)).toBe(1);
    expect(vm.answer(54, f(1), f(2))).toEqual(BAD_ARGUMENT);
  });

  test('scaling rounds once, also among subnormals', () => {
    // Just above half of the smallest subnormal: rounding twice would lose what is above.
    expect(scaleByPowerOfTwo(1 + 2 ** -52, -1075)).toBe(5e-324);
    expect(scaleByPowerOfTwo(-1.75, -1074)).toBe(-1e-323);
    expect(scaleByPowerOfTwo(2 ** 1000, -2074)).toBe(5e-324);
    expect(decompose(5e-324)).toEqual({ significand: 1, exponent: -1074 });
  });

  test('elementary functions', () => {
    expect(vm.answer(55, f(2))).toBe(Math.SQRT2);
    expect(vm.answer(55, f(-1))).toBe(Number.NaN);
    expect(vm.answer(56, f(1))).toBe(Math.sin(1));
    expect(vm.answer(57, f(1))).toBe(Math.PI / 4);
    expect(vm.answer(58, f(Math.E))).toBe(1);
    expect(vm.answer(59, f(0))).toBe(1);
    expect(vm.answer(55, 4)).toEqual(BAD_RECEIVER);
    expect(vm.answer('primitiveFloatMath', f(100), '#log')).toBe(2);
    expect(vm.answer('primitiveFloatMath', null, f(8), '#log2')).toBe(3);
    expect(vm.answer('primitiveFloatMath', f(1), '#arcTan:', f(-1))).toBe(Math.atan2(1, -1));
    expect(vm.answer('primitiveFloatMath', f(2), '#raisedTo:', 10)).toBe(1024);
    expect(vm.answer('primitiveFloatMath', f(2), '#nothing')).toEqual(fails(PRIM_ERROR.notFound));
    expect(vm.answer('primitiveFloatMath', f(2), '#arcTan:', 'x')).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveFloatMath', 2, '#sin')).toEqual(BAD_RECEIVER);
  });

  test('halves are unsigned and can be stored', () => {
    expect(vm.answer(38, f(1), 1)).toBe(0x3ff00000);
    expect(vm.answer(38, f(-0), 1)).toBe(2n ** 31n);
    expect(vm.answer(38, f(1), 2)).toBe(0);
    expect(vm.answer(38, f(1), 3)).toEqual(fails(PRIM_ERROR.badIndex));
    expect(vm.answer(38, [1], 1)).toEqual(BAD_RECEIVER);
    const target = f(1);
    vm.call(39, target, 1, 0x40000000n);
    expect(vm.value(target.oop)).toBe(2);
    expect(vm.answer(39, target, 1, -1)).toEqual(BAD_ARGUMENT);
    expect(vm.answer(39, target, 1, 2n ** 32n)).toEqual(BAD_ARGUMENT);
  });
});

describe('Float text', () => {
  test.each([
    [0.1, '0.1'],
    [1, '1.0'],
    [-0, '-0.0'],
    [100000, '100000.0'],
    [123456.789, '123456.789'],
    [999999.5, '999999.5'],
    [1e6, '1.0e6'],
    [1234567.5, '1.2345675e6'],
    [1e15, '1.0e15'],
    [1e100, '1.0e100'],
    [-2.5e-10, '-2.5e-10'],
    [0.001, '0.001'],
    [0.0001, '0.0001'],
    [0.00012345, '0.00012345'],
    [0.00001, '1.0e-5'],
    [1 / 3, '0.3333333333333333'],
    [5e-324, '5.0e-324'],
    [1.7976931348623157e308, '1.7976931348623157e308'],
    [Number.NaN, 'Float nan'],
    [Infinity, 'Float infinity'],
    [-Infinity, 'Float infinity negated'],
  ])('%d prints as %s', (value, text) => {
    expect(printFloat(value)).toBe(text);
    expect(vm.answer('primitiveFloatPrint', f(value), 10)).toBe(text);
    expect(vm.answer('primitiveFloatPrint', null, f(value), 10)).toBe(text);
    expect(parseFloatText(text)).toBe(value);
    expect(vm.answer('primitiveFloatParse', text)).toBe(value);
  });

  test('random bit patterns read back', () => {
    const view = new DataView(new ArrayBuffer(8));
    let state = 12345;
    for (let i = 0; i < 5000; i++) {
      for (const half of [0, 4]) {
        state = (Math.imul(state, 1103515245) + 12345) | 0;
        view.setInt32(half, state ^ (state >>> 13));
      }
      const value = view.getFloat64(0);
      expect(parseFloatText(printFloat(value))).toBe(value);
    }
  });

  test('refuses what is no float', () => {
    for (const text of ['', '1.', '.5', 'e5', '1e', '0x10', '1,5', 'Infinity']) {
      expect(vm.answer('primitiveFloatParse', text)).toBe(null);
    }
    expect(vm.answer('primitiveFloatParse', ' 12 ')).toBe(12);
    expect(vm.answer('primitiveFloatParse', 3)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveFloatPrint', f(1), 1)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveFloatPrint', 1, 10)).toEqual(BAD_RECEIVER);
    expect(vm.answer('primitiveFloatPrint', f(255.5), 16)).toBe('FF.8');
  });

  test('new answers zero', () => {
    const oop = vm.classAt(SHAPE.BoxedFloat64, FORMAT.words64);
    expect(vm.answer(70, { oop })).toBe(0);
    expect(vm.answer(71, { oop }, 4)).toEqual(BAD_ARGUMENT);
  });
});
