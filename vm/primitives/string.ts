/**
 * Strings and Symbols: comparison, hash, search, interning, UTF-8. Text counts in code points
 * throughout, whether a String keeps them in bytes or words, and a Symbol counts as its text.
 *
 * The named primitives take their operands as arguments, or the receiver as the first of them.
 */

import {
  PRIM_ERROR,
  type Primitive,
  type PrimitiveContext,
} from '../interpreter/primitive-interface.ts';
import type { Oop } from '../memory/object-memory.ts';
import { CHAR0, FORMAT, HEADER_WORDS } from '../objects/layout.ts';
import { SHAPE } from '../objects/well-known.ts';
import {
  fail,
  formatBits,
  isBytes,
  isCharacter,
  isReadOnly,
  isSmallInteger,
  isString,
  made,
  newString,
  ofOperands,
  smallInteger,
} from './checks.ts';

/**
 * The units of a String as a view on the heap: code points, one byte or one word each. Valid until
 * the next allocation or store.
 */
export function units(vm: PrimitiveContext, oop: Oop): Uint8Array | Uint32Array {
  const { buffer, byteOffset } = vm.memory.H;
  const start = byteOffset + (oop + HEADER_WORDS) * 4;
  return formatBits(vm, oop) === FORMAT.words32
    ? new Uint32Array(buffer, start, vm.memory.slotCount(oop))
    : new Uint8Array(buffer, start, vm.memory.byteSize(oop));
}

/** Whether the oop can be read by `units`: a String, a Symbol, or an object of bytes. */
function hasUnits(vm: PrimitiveContext, oop: Oop): boolean {
  return isString(vm, oop) || isBytes(vm, oop);
}

/** Negative, zero or positive as `a` comes before, with or after `b`, by code point. */
function compareUnits(a: Uint8Array | Uint32Array, b: Uint8Array | Uint32Array): number {
  const size = Math.min(a.length, b.length);
  for (let i = 0; i < size; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}

/** 158 and primitiveStringCompare(a, b): -1, 0 or 1. */
export const stringCompare: Primitive = ofOperands(2, (vm, a, b) => {
  if (!hasUnits(vm, a)) return fail(vm, PRIM_ERROR.badReceiver);
  if (!hasUnits(vm, b)) return fail(vm, PRIM_ERROR.badArgument);
  return smallInteger(Math.sign(compareUnits(units(vm, a), units(vm, b))));
});

/** primitiveStringHash(String): 30 bits, the same for equal text in any representation. */
export const stringHash: Primitive = ofOperands(1, (vm, string) => {
  if (!hasUnits(vm, string)) return fail(vm, PRIM_ERROR.badArgument);
  return smallInteger(hashUnits(units(vm, string)));
});

/** FNV-1a over code points, folded to 29 bits: a SmallInteger that is not negative. */
export function hashUnits(points: Uint8Array | Uint32Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < points.length; i++) hash = Math.imul(hash ^ points[i]!, 0x01000193);
  return (hash ^ (hash >>> 29)) & 0x1fffffff;
}

/**
 * primitiveStringIndexOf(string, sub, start): 1-based index of `sub`, a String or a Character, at
 * or after start, or 0.
 */
export const stringIndexOf: Primitive = ofOperands(3, (vm, string, sub, start) => {
  if (!hasUnits(vm, string)) return fail(vm, PRIM_ERROR.badReceiver);
  const isOne = isCharacter(vm, sub);
  if (!isOne && !hasUnits(vm, sub)) return fail(vm, PRIM_ERROR.badArgument);
  if (!isSmallInteger(start)) return fail(vm, PRIM_ERROR.badArgument);
  const from = Math.max(0, (start >> 1) - 1);
  const text = units(vm, string);
  if (isOne) return smallInteger(text.indexOf((sub - CHAR0) >> 1, from) + 1);
  return smallInteger(indexOfUnits(text, units(vm, sub), from) + 1);
});

/** 0-based index of `sub` in `text` at or after `from`; -1 when absent or when `sub` is empty. */
function indexOfUnits(
  text: Uint8Array | Uint32Array,
  sub: Uint8Array | Uint32Array,
  from: number,
): number {
  if (sub.length === 0) return -1;
  const first = sub[0]!;
  const last = text.length - sub.length;
  for (let at = text.indexOf(first, from); at >= 0 && at <= last; ) {
    let matched = 1;
    while (matched < sub.length && text[at + matched] === sub[matched]) matched++;
    if (matched === sub.length) return at;
    at = text.indexOf(first, at + 1);
  }
  return -1;
}

/** primitiveSymbolIntern(String): the one Symbol of this text. */
export const symbolIntern: Primitive = ofOperands(1, (vm, string) => {
  if (!isString(vm, string)) return fail(vm, PRIM_ERROR.badArgument);
  return vm.memory.internSymbol(vm.memory.stringValue(string));
});

/** primitiveUtf8Encode(String): a ByteArray; fails on what is no text (lone surrogates). */
export const utf8Encode: Primitive = ofOperands(1, (vm, string) => {
  if (!isString(vm, string)) return fail(vm, PRIM_ERROR.badArgument);
  const text = vm.memory.stringValue(string);
  if (!text.isWellFormed()) return fail(vm, PRIM_ERROR.inappropriate);
  return newByteArray(vm, new TextEncoder().encode(text));
});

/** primitiveUtf8Decode(ByteArray or ByteString): a String; fails when the bytes are not UTF-8. */
export const utf8Decode: Primitive = ofOperands(1, (vm, bytes) => {
  if (!isBytes(vm, bytes)) return fail(vm, PRIM_ERROR.badArgument);
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return newString(vm, decoder.decode(vm.memory.fetchBytes(bytes)));
  } catch {
    return fail(vm, PRIM_ERROR.inappropriate);
  }
});

const MAPPINGS: readonly ((text: string) => string)[] = [
  (text) => text.normalize('NFC'),
  (text) => text.normalize('NFD'),
  (text) => text.normalize('NFKC'),
  (text) => text.normalize('NFKD'),
  (text) => text.toUpperCase(),
  (text) => text.toLowerCase(),
  (text) => text.toUpperCase().toLowerCase(),
];

/**
 * primitiveUnicodeMap(String, which): the text in another form of Unicode; 1 NFC, 2 NFD, 3 NFKC,
 * 4 NFKD, 5 upper case, 6 lower case, 7 for comparison regardless of case. The mappings are the
 * full ones, special casing included, so the size may change.
 */
export const unicodeMap: Primitive = ofOperands(2, (vm, string, which) => {
  if (!isString(vm, string)) return fail(vm, PRIM_ERROR.badReceiver);
  const map = isSmallInteger(which) ? MAPPINGS[(which >> 1) - 1] : undefined;
  if (map === undefined) return fail(vm, PRIM_ERROR.badArgument);
  return newString(vm, map(vm.memory.stringValue(string)));
});

/** primitiveReplaceBytes(string, ByteArray): takes over the bytes as code points 0 to 255. */
export const replaceBytes: Primitive = ofOperands(2, (vm, string, bytes) => {
  if (!isBytes(vm, string)) return fail(vm, PRIM_ERROR.badReceiver);
  if (!isBytes(vm, bytes)) return fail(vm, PRIM_ERROR.badArgument);
  if (isReadOnly(vm, string)) return fail(vm, PRIM_ERROR.noModification);
  const size = vm.memory.byteSize(string);
  if (vm.memory.byteSize(bytes) < size) return fail(vm, PRIM_ERROR.badArgument);
  vm.memory.storeBytes(string, vm.memory.fetchBytes(bytes).subarray(0, size));
  return string;
});

/** A new ByteArray of these bytes; fails when there is no room. */
export function newByteArray(vm: PrimitiveContext, bytes: Uint8Array): Oop {
  const size = bytes.length;
  const oop = made(vm, vm.memory.instantiate(SHAPE.ByteArray, (size + 3) >> 2, -1, -size & 3));
  if (oop !== 0) vm.memory.storeBytes(oop, bytes);
  return oop;
}
