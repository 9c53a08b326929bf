/**
 * Text and bytes in and out of the heap, and the symbol table.
 *
 * The symbol table is special object `symbolTable`: an Array of buckets whose size is a power of
 * two, a bucket being nil or an Array of Symbols padded with nil. A Symbol's identity hash comes
 * from its text, so the same sources make the same image and dictionaries keyed by Symbols never
 * rehash. A cache outside the heap, text to oop, makes the second asking cheap; becomes empty it.
 */
import { assert } from '../base/assert.ts';
import { FORMAT, HASH_BITS, HEADER_WORDS } from '../objects/layout.ts';
import { SHAPE, SPECIAL } from '../objects/well-known.ts';
import type { ObjectMemory, Oop } from './object-memory.ts';

const CHUNK = 4096;
const SYMBOL_CACHE_MAX = 200_000;
const BUCKET_FIRST_SIZE = 4;

export type SymbolCache = Map<string, Oop>;

/** An empty symbol cache. */
export function newSymbolCache(): SymbolCache {
  return new Map();
}

/** The code points of a JavaScript string, and whether all fit one byte. */
function codePointsOf(text: string): { points: Uint32Array; wide: boolean } {
  const points = new Uint32Array(text.length);
  let count = 0;
  let wide = false;
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i)!;
    if (point > 0xffff) i++;
    if (point > 0xff) wide = true;
    points[count++] = point;
  }
  return { points: points.subarray(0, count), wide };
}

/** A String object of this text, in eden or (`old`) in old space; 0 when memory is out. */
export function newString(memory: ObjectMemory, text: string, old: boolean): Oop {
  return newText(memory, text, old, SHAPE.ByteString, SHAPE.WideString);
}

function newText(
  memory: ObjectMemory,
  text: string,
  old: boolean,
  byteShape: number,
  wideShape: number,
): Oop {
  const { points, wide } = codePointsOf(text);
  const size = points.length;
  const shape = wide ? wideShape : byteShape;
  const slots = wide ? size : (size + 3) >> 2;
  const odd = wide ? 0 : -size & 3;
  const oop = old
    ? memory.instantiateOld(shape, slots, -1, odd)
    : memory.instantiate(shape, slots, -1, odd);
  if (oop === 0) return 0;
  const first = oop + HEADER_WORDS;
  const H = memory.H;
  if (wide) for (let i = 0; i < size; i++) H[first + i] = points[i]!;
  else for (let i = 0; i < size; i++) H[first + (i >> 2)]! |= points[i]! << ((i & 3) << 3);
  return oop;
}

/** The text of a String or Symbol; what is no code point reads as U+FFFD. */
export function stringValue(memory: ObjectMemory, oop: Oop): string {
  const wide = memory.formatOf(oop) === FORMAT.words32;
  const size = wide ? memory.slotCount(oop) : memory.byteSize(oop);
  const first = oop + HEADER_WORDS;
  let text = '';
  for (let from = 0; from < size; from += CHUNK) {
    const chunk = new Array<number>(Math.min(CHUNK, size - from));
    for (let i = 0; i < chunk.length; i++) {
      const point = wide ? memory.H[first + from + i]! : memory.fetchByte(oop, from + i);
      chunk[i] = point >>> 0 <= 0x10ffff ? point : 0xfffd;
    }
    text += String.fromCodePoint(...chunk);
  }
  return text;
}

/** A copy of the body's bytes in use. */
export function fetchBytes(memory: ObjectMemory, oop: Oop): Uint8Array {
  return bodyBytes(memory, oop).slice();
}

/** Overwrites the first bytes of the body, marking its cards. */
export function storeBytes(memory: ObjectMemory, oop: Oop, bytes: Uint8Array): void {
  const body = bodyBytes(memory, oop);
  assert(bytes.length <= body.length, 'storeBytes was given more bytes than the object has');
  body.set(bytes);
  const first = oop + HEADER_WORDS;
  memory.markCards(first, first + ((bytes.length + 3) >> 2));
}

/** A view on the body's bytes in use: for bulk work that ends before anything moves. */
export function bodyBytes(memory: ObjectMemory, oop: Oop): Uint8Array {
  const { buffer, byteOffset } = memory.H;
  return new Uint8Array(buffer, byteOffset + (oop + HEADER_WORDS) * 4, memory.byteSize(oop));
}

/** 22 bits of FNV-1a over the code points, never 0. */
export function symbolHash(text: string): number {
  let hash = 0x811c9dc5;
  for (const point of codePointsOf(text).points) hash = Math.imul(hash ^ point, 0x01000193);
  return ((hash ^ (hash >>> 22)) & HASH_BITS) | 1;
}

/** The one Symbol of this text, made in old space when it is new. */
export function internSymbol(memory: ObjectMemory, text: string): Oop {
  const cached = memory.symbols.get(text);
  if (cached !== undefined) return cached;
  const hash = symbolHash(text);
  let oop = findSymbol(memory, text, hash);
  if (oop === 0) {
    oop = newText(memory, text, true, SHAPE.ByteSymbol, SHAPE.WideSymbol);
    assert(oop !== 0, 'there is no room for a symbol');
    memory.setIdentityHash(oop, hash);
    addSymbol(memory, oop, hash);
  }
  if (memory.symbols.size >= SYMBOL_CACHE_MAX) memory.symbols.clear();
  memory.symbols.set(text, oop);
  return oop;
}

/** The Symbol of this text, or 0 when nobody has made it. */
export function findSymbol(memory: ObjectMemory, text: string, hash = symbolHash(text)): Oop {
  const table = memory.special(SPECIAL.symbolTable);
  const bucket = memory.fetch(table, bucketIndex(memory, table, hash));
  if (bucket === memory.nil) return 0;
  const size = memory.slotCount(bucket);
  for (let i = 0; i < size; i++) {
    const symbol = memory.follow(memory.fetch(bucket, i));
    if (symbol === memory.nil) return 0;
    if (memory.identityHash(symbol) === hash && stringValue(memory, symbol) === text) return symbol;
  }
  return 0;
}

/** The low bit of a hash is always 1, so it decides nothing. */
function bucketIndex(memory: ObjectMemory, table: Oop, hash: number): number {
  return (hash >>> 1) & (memory.slotCount(table) - 1);
}

function addSymbol(memory: ObjectMemory, symbol: Oop, hash: number): void {
  const table = memory.special(SPECIAL.symbolTable);
  const index = bucketIndex(memory, table, hash);
  const bucket = memory.fetch(table, index);
  const size = bucket === memory.nil ? 0 : memory.slotCount(bucket);
  if (size > 0 && memory.fetch(bucket, size - 1) === memory.nil) {
    let i = size - 1;
    while (i > 0 && memory.fetch(bucket, i - 1) === memory.nil) i--;
    memory.store(bucket, i, symbol);
    return;
  }
  const grown = memory.instantiateOld(SHAPE.Array, size === 0 ? BUCKET_FIRST_SIZE : size * 2);
  assert(grown !== 0, 'there is no room for the symbol table');
  for (let i = 0; i < size; i++) memory.store(grown, i, memory.fetch(bucket, i));
  memory.store(grown, size, symbol);
  memory.store(table, index, grown);
  if (size >= 16) growSymbolTable(memory);
}

/** Doubles the number of buckets until they are short again. */
function growSymbolTable(memory: ObjectMemory): void {
  const table = memory.special(SPECIAL.symbolTable);
  const size = memory.slotCount(table);
  const grown = memory.instantiateOld(SHAPE.Array, size * 4);
  if (grown === 0) return;
  memory.setSpecial(SPECIAL.symbolTable, grown);
  for (let i = 0; i < size; i++) {
    const bucket = memory.fetch(table, i);
    if (bucket === memory.nil) continue;
    for (let j = 0; j < memory.slotCount(bucket); j++) {
      const symbol = memory.fetch(bucket, j);
      if (symbol !== memory.nil) addSymbol(memory, symbol, memory.identityHash(symbol));
    }
  }
}
