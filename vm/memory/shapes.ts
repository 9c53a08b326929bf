/**
 * Shapes: one entry of the shape table for each layout the instances of a class have had. The table
 * is special object `shapeTable`, an Array of Shape objects by shape index; what hot code needs of
 * it is kept outside the heap in a ShapeCache and rebuilt from the table.
 */
import { assert } from '../base/assert.ts';
import {
  FORMAT,
  FORMAT_SHIFT,
  HASH_BITS,
  HASH_SHIFT,
  HEADER_WORDS,
  SHAPE_MASK,
  SHAPE_UNREADABLE,
  SLOTS_LARGE,
  SLOTS_SHIFT,
  UNREADABLE_CLASS_WORD,
} from '../objects/layout.ts';
import { BEHAVIOR, SHAPE, SHAPE_SLOTS, SPECIAL } from '../objects/well-known.ts';
import { afterForwarding, makeForwarder } from './become.ts';
import type { ObjectMemory, Oop } from './object-memory.ts';
import { forEachObject, hasPointerFormat } from './walk.ts';

/** By shape index: its class, the class word of new instances, the number of named slots. */
export interface ShapeCache {
  classes: Int32Array;
  classWords: Int32Array;
  fixed: Int32Array;
  /** Shape indices in use are below this. */
  count: number;
}

/** An empty cache. */
export function shapeCache(): ShapeCache {
  return {
    classes: new Int32Array(512),
    classWords: new Int32Array(512),
    fixed: new Int32Array(512),
    count: 0,
  };
}

/** Makes room for shape index `shape`. */
export function reserveShape(cache: ShapeCache, shape: number): void {
  if (shape < cache.classes.length) return;
  const size = Math.max(shape + 1, cache.classes.length * 2);
  for (const key of ['classes', 'classWords', 'fixed'] as const) {
    const grown = new Int32Array(size);
    grown.set(cache[key]);
    cache[key] = grown;
  }
}

/** Reads the whole shape table into the cache. */
export function loadShapes(memory: ObjectMemory): void {
  const cache = memory.shapes;
  reserveShape(cache, cache.count);
  cache.classes.fill(0);
  const table = memory.special(SPECIAL.shapeTable);
  for (let index = 0; index < cache.count; index++) {
    const shape = memory.follow(memory.fetch(table, index));
    if (shape !== memory.nil) loadShape(memory, index, shape);
  }
  // What cannot be read answers messages as any object does, until its process hears of it.
  cache.classes[SHAPE_UNREADABLE] = cache.classes[SHAPE.Object]!;
  cache.classWords[SHAPE_UNREADABLE] = UNREADABLE_CLASS_WORD;
}

function loadShape(memory: ObjectMemory, index: number, shape: Oop): void {
  const cache = memory.shapes;
  const classOop = memory.follow(memory.fetch(shape, SHAPE_SLOTS.class));
  const names = memory.follow(memory.fetch(shape, SHAPE_SLOTS.slotNames));
  const format = memory.fetch(shape, SHAPE_SLOTS.format) >> 1;
  cache.classes[index] = classOop;
  cache.classWords[index] = index | (format << FORMAT_SHIFT);
  cache.fixed[index] = names === memory.nil ? 0 : memory.slotCount(names);
}

/**
 * Writes the Shape object of `index` and the cache's entry; the class's own slots are untouched.
 */
export function defineShape(
  memory: ObjectMemory,
  index: number,
  { classOop, slotNames, format }: { classOop: Oop; slotNames: Oop; format: number },
): Oop {
  assert(index > 0 && index <= SHAPE_MASK, 'a shape index is out of range');
  assert(!memory.isYoung(classOop), 'a class is not in old space');
  const table = tableWithRoom(memory, index);
  let shape = memory.fetch(table, index);
  if (shape === memory.nil) {
    shape = memory.instantiateOld(SHAPE.InstanceShape, Object.keys(SHAPE_SLOTS).length);
    memory.store(table, index, shape);
  }
  memory.store(shape, SHAPE_SLOTS.class, classOop);
  memory.store(shape, SHAPE_SLOTS.slotNames, slotNames);
  memory.store(shape, SHAPE_SLOTS.index, (index << 1) | 1);
  memory.store(shape, SHAPE_SLOTS.format, (format << 1) | 1);
  reserveShape(memory.shapes, index);
  if (index >= memory.shapes.count) memory.shapes.count = index + 1;
  loadShape(memory, index, shape);
  return shape;
}

function tableWithRoom(memory: ObjectMemory, index: number): Oop {
  const table = memory.special(SPECIAL.shapeTable);
  const size = memory.slotCount(table);
  if (index < size) return table;
  const grown = memory.instantiateOld(SHAPE.Array, Math.max(index + 1, size * 2));
  assert(grown !== 0, 'there is no room for the shape table');
  for (let i = 0; i < size; i++) memory.store(grown, i, memory.fetch(table, i));
  memory.setSpecial(SPECIAL.shapeTable, grown);
  return grown;
}

/** A new shape of `classOop`, made its current one; the former one's successor is the new. */
export function newShape(
  memory: ObjectMemory,
  classOop: Oop,
  slotNames: Oop,
  format: number,
): number {
  const index = memory.shapes.count;
  const shape = defineShape(memory, index, { classOop, slotNames, format });
  const former = memory.fetch(classOop, BEHAVIOR.shape);
  if ((former & 1) !== 0) {
    const table = memory.special(SPECIAL.shapeTable);
    const formerShape = memory.follow(memory.fetch(table, former >> 1));
    if (formerShape !== memory.nil) memory.store(formerShape, SHAPE_SLOTS.successor, shape);
  }
  memory.store(classOop, BEHAVIOR.shape, (index << 1) | 1);
  return index;
}

/**
 * Gives all instances of `oldShape` the layout of `shape`: in place where the block stays as long,
 * else as a new object in old space with a forwarder left behind. Slot i of the new object is old
 * slot `slotMap[i]`, or nil for -1; indexed slots follow. Answers how many there were.
 */
export function migrateInstances(
  memory: ObjectMemory,
  oldShape: number,
  shape: number,
  slotMap: Int32Array,
): number {
  const instances: Oop[] = [];
  forEachObject(memory, (oop) => {
    if ((memory.H[oop]! & SHAPE_MASK) === oldShape) instances.push(oop);
  });
  let forwarded = false;
  for (const oop of instances) {
    if (!hasPointerFormat(memory, oop)) rename(memory, oop, shape);
    else if (migrate(memory, oop, shape, slotMap)) forwarded = true;
  }
  if (forwarded) afterForwarding(memory);
  else for (const forget of memory.onBecome) forget();
  return instances.length;
}

/** An object of bytes or words: only its shape index changes. */
function rename(memory: ObjectMemory, oop: Oop, shape: number): void {
  memory.H[oop] = (memory.H[oop]! & ~SHAPE_MASK) | shape;
  memory.markCards(oop, oop + 1);
}

/** Answers whether a forwarder was left behind. */
function migrate(memory: ObjectMemory, oop: Oop, shape: number, slotMap: Int32Array): boolean {
  const oldFixed = memory.shapes.fixed[memory.shapeOf(oop)]!;
  const format = (memory.shapes.classWords[shape]! >>> FORMAT_SHIFT) & 0x1f;
  const oldSlots = memory.slotCount(oop);
  const indexed = format === FORMAT.empty || format === FORMAT.fixed ? 0 : oldSlots - oldFixed;
  const slots = slotMap.length + indexed;
  const values: Oop[] = [];
  for (const from of slotMap) values.push(from < 0 ? memory.nil : memory.fetch(oop, from));
  for (let i = 0; i < indexed; i++) values.push(memory.fetch(oop, oldFixed + i));

  const inPlace =
    bodyWords(slots) === bodyWords(oldSlots) && slots >= SLOTS_LARGE === oldSlots >= SLOTS_LARGE;
  let target = oop;
  if (inPlace) {
    resizeInPlace(memory, oop, shape, slots);
  } else {
    const hash = (memory.H[oop + 1]! >>> HASH_SHIFT) & HASH_BITS;
    target = memory.instantiateOld(shape, slots);
    assert(target !== 0, 'there is no room to migrate instances');
    if (hash !== 0) memory.setIdentityHash(target, hash);
  }
  for (let i = 0; i < slots; i++) memory.store(target, i, values[i]!);
  if (!inPlace) makeForwarder(memory, oop, target);
  return !inPlace;
}

function resizeInPlace(memory: ObjectMemory, oop: Oop, shape: number, slots: number): void {
  const H = memory.H;
  const flags = H[oop]! & ~(SHAPE_MASK | (0x1f << FORMAT_SHIFT));
  H[oop] = flags | memory.shapes.classWords[shape]!;
  if (slots >= SLOTS_LARGE) H[oop - 1] = slots;
  else H[oop + 1] = (H[oop + 1]! & ~(0xff << SLOTS_SHIFT)) | (slots << SLOTS_SHIFT);
  const end = oop + HEADER_WORDS + bodyWords(slots);
  for (let at = oop + HEADER_WORDS + slots; at < end; at++) H[at] = memory.nil;
  memory.markCards(oop - (slots >= SLOTS_LARGE ? 1 : 0), end);
}

/** Words a body of `slots` takes. */
export function bodyWords(slots: number): number {
  return slots <= 2 ? 2 : (slots + 1) & ~1;
}
