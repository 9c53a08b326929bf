/**
 * Number literals: 12, 3.14, 16r1F, 2r1.1, 1e10, 2.5e-3, 3.14s2, 3s, 16r1.8e2.
 *
 * An exponent is a power of the radix (16r1e2 is 256), its letter is e, d or q. Digits above 9 are
 * capital letters. Whatever has neither a fraction nor a negative exponent is an exact Integer;
 * 100e-2 is 1, and 1e-2 is a Float. Floats are rounded once, from the exact value, to the nearest,
 * ties to even.
 */
import { CompileError } from './error.ts';
import type { Literal } from './method-spec.ts';

/**
 * Most digits of a literal, and the largest exponent: what one may type, not what one may compute.
 */
const DIGITS_MAX = 100_000;
const EXPONENT_MAX = 100_000;

interface Parts {
  radix: bigint;
  /** All digits as one integer; the last `fractionDigits` of them stand after the point. */
  mantissa: bigint;
  fractionDigits: number;
  exponent: number;
}

/**
 * Reads the number whose first digit is at `position`; `negative` when a minus sign precedes it.
 */
export function scanNumber(
  source: string,
  position: number,
  negative: boolean,
): { value: Literal; end: number } {
  const start = negative ? position - 1 : position;
  let at = position;
  let radix = 10;
  let sign = negative;
  let digits = digitsAt(source, at, 10);
  at += digits.length;
  const afterRadix = source[at + 1] === '-' ? at + 2 : at + 1;
  if (source[at] === 'r' && /[0-9A-Z]/.test(source[afterRadix] ?? '')) {
    radix = Number(digits);
    if (!(radix >= 2 && radix <= 36)) {
      throw error(source, start, `radix ${digits}`, 'a radix from 2 to 36');
    }
    if (afterRadix === at + 2) sign = !sign;
    digits = digitsAt(source, afterRadix, radix);
    at = afterRadix + digits.length;
    if (digits === '' || /[0-9A-Z]/.test(source[at] ?? '')) {
      throw error(source, at, `"${source[at] ?? ''}"`, `a digit of radix ${radix}`);
    }
  }
  let fraction = '';
  if (source[at] === '.') {
    fraction = digitsAt(source, at + 1, radix);
    if (fraction !== '') at += 1 + fraction.length;
  }
  if (digits.length + fraction.length > DIGITS_MAX) {
    throw limit(source, start, 'a number with too many digits', `at most ${DIGITS_MAX}`);
  }
  const mantissa = parseDigits(digits + fraction, radix) * (sign ? -1n : 1n);
  const isFloat = fraction !== '';
  const parts = { radix: BigInt(radix), mantissa, fractionDigits: fraction.length, exponent: 0 };
  const scale = /s([0-9]*)(?![\p{L}\p{Nd}_])/uy;
  scale.lastIndex = at;
  const scaleMatch = scale.exec(source);
  if (scaleMatch !== null) {
    const digitsAfter = scaleMatch[1] === '' ? fraction.length : Number(scaleMatch[1]);
    if (digitsAfter > DIGITS_MAX) throw limit(source, at, 'a scale too large', `${DIGITS_MAX}`);
    return { value: scaled(parts, digitsAfter), end: at + scaleMatch[0].length };
  }
  const exponent = /[edq](-?[0-9]+)/y;
  exponent.lastIndex = at;
  const exponentMatch = exponent.exec(source);
  if (exponentMatch !== null) {
    parts.exponent = Number(exponentMatch[1]);
    at += exponentMatch[0].length;
    if (Math.abs(parts.exponent) > EXPONENT_MAX) {
      throw limit(source, start, `exponent ${exponentMatch[1]}`, `at most ${EXPONENT_MAX}`);
    }
  }
  const value = isFloat ? float(parts, sign) : integerOrFloat(parts, sign);
  if (value.kind === 'float' && !Number.isFinite(value.value)) {
    throw limit(source, start, 'a Float beyond the largest', 'a smaller exponent');
  }
  return { value, end: at };
}

function digitsAt(source: string, position: number, radix: number): string {
  let end = position;
  while (digitValue(source.charCodeAt(end)) < radix) end += 1;
  return source.slice(position, end);
}

function digitValue(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 65 && code <= 90) return code - 55;
  return 99;
}

/** Halves long digit strings, so that many digits cost multiplications of balanced size. */
function parseDigits(digits: string, radix: number): bigint {
  if (radix === 10) return BigInt(digits);
  if (digits.length <= 8) {
    let value = 0;
    for (let i = 0; i < digits.length; i++)
      value = value * radix + digitValue(digits.charCodeAt(i));
    return BigInt(value);
  }
  const lowDigits = digits.length >> 1;
  const high = parseDigits(digits.slice(0, -lowDigits), radix);
  return high * BigInt(radix) ** BigInt(lowDigits) + parseDigits(digits.slice(-lowDigits), radix);
}

function scaled(parts: Parts, scale: number): Literal {
  const power = parts.radix ** BigInt(parts.fractionDigits);
  const divisor = greatestCommonDivisor(parts.mantissa, power);
  return {
    kind: 'scaled',
    numerator: parts.mantissa / divisor,
    denominator: power / divisor,
    scale,
  };
}

function integerOrFloat(parts: Parts, negative: boolean): Literal {
  const power = parts.radix ** BigInt(Math.abs(parts.exponent));
  if (parts.exponent >= 0) return { kind: 'integer', value: parts.mantissa * power };
  if (parts.mantissa % power === 0n) return { kind: 'integer', value: parts.mantissa / power };
  return float(parts, negative);
}

function float(parts: Parts, negative: boolean): Literal {
  const shift = parts.exponent - parts.fractionDigits;
  const magnitude = parts.mantissa < 0n ? -parts.mantissa : parts.mantissa;
  const power = parts.radix ** BigInt(Math.abs(shift));
  const value = shift >= 0 ? ratioToFloat(magnitude * power, 1n) : ratioToFloat(magnitude, power);
  return { kind: 'float', value: negative ? -value : value };
}

/** The Float nearest to numerator / denominator, both positive or zero; ties to even. */
export function ratioToFloat(numerator: bigint, denominator: bigint): number {
  if (numerator === 0n) return 0;
  // A quotient of 60 bits or more whose lowest bit is sticky is rounded right by Number(). Below
  // 2^-1022 fewer bits are kept: there the quotient counts quarters of the smallest Float and is
  // rounded here.
  const estimate = bitLength(numerator) - bitLength(denominator);
  const shift = Math.max(estimate - 65, -1076);
  if (shift > 1024) return Number.POSITIVE_INFINITY;
  const top = shift >= 0 ? numerator : numerator << BigInt(-shift);
  const bottom = shift >= 0 ? denominator << BigInt(shift) : denominator;
  const quotient = top / bottom;
  const sticky = quotient * bottom === top ? quotient : quotient | 1n;
  if (shift === -1076 && quotient < 1n << 54n)
    return Number(roundQuarter(sticky)) * Number.MIN_VALUE;
  return scaleByPowerOfTwo(Number(sticky), shift);
}

function roundQuarter(quarters: bigint): bigint {
  const whole = quarters >> 2n;
  const rest = quarters & 3n;
  const up = rest === 3n || (rest === 2n && (whole & 1n) === 1n);
  return up ? whole + 1n : whole;
}

function scaleByPowerOfTwo(value: number, power: number): number {
  let result = value;
  let rest = power;
  for (; rest > 1000; rest -= 1000) result *= 2 ** 1000;
  for (; rest < -1000; rest += 1000) result *= 2 ** -1000;
  return result * 2 ** rest;
}

function bitLength(value: bigint): number {
  return value.toString(16).length * 4;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x === 0n ? 1n : x;
}

function error(source: string, position: number, found: string, wanted: string): CompileError {
  return new CompileError('COMPILE_SYNTAX', source, { position, found, wanted });
}

function limit(source: string, position: number, found: string, wanted: string): CompileError {
  return new CompileError('COMPILE_LIMIT', source, { position, found, wanted });
}
