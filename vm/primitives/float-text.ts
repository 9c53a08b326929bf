/**
 * Floats as text and back. The digits are the fewest that read back as the same number (what
 * JavaScript's own conversion finds); the notation is Smalltalk's: always a digit on both sides of
 * the point, exponents from a million up and below one ten-thousandth, and what has no digits as
 * the expression that answers it.
 *
 *   0.1   100000.0   1.0e6   1.0e100   0.0001   1.0e-5   -0.0   Float nan   Float infinity
 */

/** Where the decimal point may lie, counted from before the first digit, without an exponent. */
const POINT_MIN = -3;
const POINT_MAX = 6;

/** The shortest text that reads back as `value`, in base ten. */
export function printFloat(value: number): string {
  if (Number.isNaN(value)) return 'Float nan';
  if (value === Infinity) return 'Float infinity';
  if (value === -Infinity) return 'Float infinity negated';
  if (value < 0 || Object.is(value, -0)) return `-${printFloat(-value)}`;
  if (value === 0) return '0.0';
  const { digits, point } = shortestDigits(value);
  if (point < POINT_MIN || point > POINT_MAX) {
    return `${digits[0]}.${digits.slice(1) || '0'}e${point - 1}`;
  }
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`;
  const padded = digits.padEnd(point + 1, '0');
  return `${padded.slice(0, point)}.${padded.slice(point)}`;
}

/** value = 0.d1d2d3… × 10^point, for a positive finite value. */
function shortestDigits(value: number): { digits: string; point: number } {
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e');
  return { digits: mantissa.replace('.', ''), point: Number(exponent) + 1 };
}

/**
 * A finite float in another radix, without the radix before it, to as many digits as its 53 bits
 * are worth: 1.5 in radix 16 is `1.8`. A radix that is a power of two loses nothing.
 */
export function printFloatRadix(value: number, radix: number): string {
  if (radix === 10 || !Number.isFinite(value)) return printFloat(value);
  if (value < 0 || Object.is(value, -0)) return `-${printFloatRadix(-value, radix)}`;
  const text = value.toString(radix).toUpperCase();
  return text.includes('.') ? text : `${text}.0`;
}

const FLOAT_PATTERN = /^[+-]?\d+(\.\d+)?([eEdqDQ][+-]?\d+)?$/;

/** The float a text in base ten names, correctly rounded; undefined when it is anything else. */
export function parseFloatText(text: string): number | undefined {
  const trimmed = text.trim();
  switch (trimmed) {
    case 'Float nan':
      return Number.NaN;
    case 'Float infinity':
      return Infinity;
    case 'Float infinity negated':
      return -Infinity;
  }
  if (!FLOAT_PATTERN.test(trimmed)) return undefined;
  return Number(trimmed.replace(/[dqDQ]/, 'e'));
}

/** `value` × 2^power with a single rounding, even where the result is subnormal. */
export function scaleByPowerOfTwo(value: number, power: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const bounded = Math.max(-2200, Math.min(2200, power));
  const { significand, exponent } = decompose(value);
  const target = exponent + bounded;
  if (target > 1023) return value < 0 ? -Infinity : Infinity;
  if (target >= -1022) return significand * 2 ** target;
  // Subnormal: the last step alone rounds; 2^-1022 is exact and so is the first product.
  return target < -1080 ? value * 0 : significand * 2 ** (target + 1022) * 2 ** -1022;
}

/** value = significand × 2^exponent with 1 ≤ |significand| < 2, for a finite value but zero. */
export function decompose(value: number): { significand: number; exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const biased = (view.getUint16(0) >> 4) & 0x7ff;
  if (biased === 0) {
    const scaled = decompose(value * 2 ** 60);
    return { significand: scaled.significand, exponent: scaled.exponent - 60 };
  }
  view.setUint16(0, (view.getUint16(0) & 0x800f) | (1023 << 4));
  return { significand: view.getFloat64(0), exponent: biased - 1023 };
}
