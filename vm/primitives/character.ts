/**
 * Characters: fixed oops, one for each code point. Their properties come from the Unicode tables of
 * the JavaScript engine, so that they are always one consistent version of the standard.
 */

import { PRIM_ERROR, type Primitive } from '../interpreter/primitive-interface.ts';
import { CHAR0, CODE_POINT_COUNT } from '../objects/layout.ts';
import {
  fail,
  isCharacter,
  isSmallInteger,
  newString,
  ofOperands,
  smallInteger,
} from './checks.ts';

/** 170: the Character of a code point, the receiver or the argument. */
export const asCharacter: Primitive = ofOperands(1, (vm, value) => {
  if (!isSmallInteger(value)) return fail(vm, PRIM_ERROR.badArgument);
  const codePoint = value >> 1;
  if (codePoint < 0 || codePoint >= CODE_POINT_COUNT) return fail(vm, PRIM_ERROR.badArgument);
  return CHAR0 + 2 * codePoint;
});

/** 171: the code point of a Character; a SmallInteger is its own. */
export const asInteger: Primitive = (vm, receiver) => {
  if (isSmallInteger(receiver)) return receiver;
  if (!isCharacter(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  return smallInteger((receiver - CHAR0) >> 1);
};

/** From Character to Character by a mapping of text; the unmappable stay as they are. */
function caseMapping(map: (text: string) => string): Primitive {
  return ofOperands(1, (vm, character) => {
    if (!isCharacter(vm, character)) return fail(vm, PRIM_ERROR.badArgument);
    const text = String.fromCodePoint((character - CHAR0) >> 1);
    const mapped = map(text);
    const point = mapped.codePointAt(0)!;
    const isOne = mapped.length === (point > 0xffff ? 2 : 1);
    return isOne ? CHAR0 + 2 * point : character;
  });
}

/** primitiveUnicodeUpper(Character) and primitiveUnicodeLower(Character). */
export const toUpper = caseMapping((text) => text.toUpperCase());
export const toLower = caseMapping((text) => text.toLowerCase());

const CATEGORIES = [
  'Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po',
  'Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co',
]
  .join(' ')
  .split(' ')
  .map((name) => ({ name, pattern: new RegExp(`^\\p{${name}}$`, 'u') }));

/** primitiveUnicodeCategory(Character): the general category, 'Lu' for $A; 'Cn' when unassigned. */
export const unicodeCategory: Primitive = ofOperands(1, (vm, character) => {
  if (!isCharacter(vm, character)) return fail(vm, PRIM_ERROR.badArgument);
  return newString(vm, categoryOf((character - CHAR0) >> 1));
});

/** The Unicode general category of a code point. */
export function categoryOf(codePoint: number): string {
  const text = String.fromCodePoint(codePoint);
  return CATEGORIES.find(({ pattern }) => pattern.test(text))?.name ?? 'Cn';
}
