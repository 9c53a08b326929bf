/** Number literals: exact, rounded once, refused in words. */
import { describe, expect, test } from 'vitest';
import { Random, randomFloat } from '../../test/machine/random-source.ts';
import { CompileError } from './error.ts';
import { ratioToFloat, scanNumber } from './number.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

function read(source: string): unknown {
  const negative = source.startsWith('-');
  const { value, end } = scanNumber(source, negative ? 1 : 0, negative);
  const rest = source.slice(end);
  if (value.kind === 'integer') return `${value.value}${rest}`;
  if (value.kind === 'float') return value.value;
  if (value.kind !== 'scaled') throw new Error('not a number');
  return `${value.numerator}/${value.denominator}s${value.scale}${rest}`;
}

describe('scanNumber()', () => {
  test.each([
    ['0', '0'],
    ['16r1F', '31'],
    ['-16rFF', '-255'],
    ['16r-FF', '-255'],
    ['36rZZ', '1295'],
    ['2r1e10', '1024'],
    ['1e10', '10000000000'],
    ['100e-2', '1'],
    ['1e-2', 0.01],
    ['16r1.8e2', 384],
    ['16r1e2', '256'],
    ['2.5e-3', 0.0025],
    ['1.5d2', 150],
    ['1.5q2', 150],
    ['-0.0', -0],
    ['3.14s2', '157/50s2'],
    ['3.14s', '157/50s2'],
    ['3s', '3/1s0'],
    ['3s2', '3/1s2'],
    ['-0.5s1', '-1/2s1'],
    ['3sin', '3sin'],
    ['3s2x', '3s2x'],
    ['3.foo', '3.foo'],
    ['3e', '3e'],
    ['12r', '12r'],
    ['1.0e-400', 0],
    ['4.9e-324', Number.MIN_VALUE],
    ['2.4703282292062327e-324', 0],
    ['2.4703282292062328e-324', Number.MIN_VALUE],
    ['9007199254740993.0', 9007199254740992],
    ['9007199254740993.00000000000000000001', 9007199254740994],
    ['1.7976931348623157e308', Number.MAX_VALUE],
  ])('reads %s as %s', (source, expected) => {
    expect(read(source)).toBe(expected);
  });

  test.each(['1.8e308', '2r2', '1r1', '16rG', '1e100001', '9'.repeat(100_001)])(
    'refuses %s',
    (source) => {
      expect(() => read(source)).toThrow(CompileError);
    },
  );

  test(`rounds as JavaScript does (SEED=${seed})`, () => {
    const random = new Random(seed);
    for (let run = 0; run < 5000; run++) {
      const value = Math.abs(randomFloat(random));
      const digits = random.pick([1, 5, 17, 20, 40]);
      const text = value.toExponential(Math.min(digits, 100)).replace('+', '');
      const source = text.includes('.') ? text : text.replace('e', '.0e');
      expect(read(source), source).toBe(Number(source));
    }
  });
});

describe('ratioToFloat()', () => {
  test('rounds ties to even, in the subnormal range too', () => {
    const unit = 2n ** 1074n;
    expect(ratioToFloat(1n, 2n * unit)).toBe(0);
    expect(ratioToFloat(3n, 2n * unit)).toBe(2 * Number.MIN_VALUE);
    expect(ratioToFloat(2n ** 53n + 1n, 1n)).toBe(2 ** 53);
    expect(ratioToFloat(2n ** 53n + 3n, 1n)).toBe(2 ** 53 + 4);
    expect(ratioToFloat(2n ** 1024n, 1n)).toBe(Number.POSITIVE_INFINITY);
  });
});
