/**
 * Walking: from block to block through eden, the survivors and old space. A block is an object with
 * its prefix, if it has one; a block's length follows from its header alone.
 */
import {
  EDEN_START,
  FORMAT,
  HEADER_WORDS,
  LARGE_PREFIX,
  OLD_START,
  PAGE_SHIFT,
  SHAPE_FORWARDER,
  SHAPE_MASK,
  SLOTS_BITS,
  SLOTS_LARGE,
  SLOTS_SHIFT,
  START_TABLE_START,
  SURVIVOR_A_START,
  SURVIVOR_B_START,
} from '../objects/layout.ts';
import { BEHAVIOR } from '../objects/well-known.ts';
import type { ObjectMemory, Oop } from './object-memory.ts';

/** The object of the block that starts at word `start`. */
export function oopOfBlock(H: Int32Array, start: number): Oop {
  return H[start] === LARGE_PREFIX ? start + 2 : start;
}

/** The word after the block of `oop`. */
export function blockEnd(H: Int32Array, oop: Oop): number {
  const small = (H[oop + 1]! >>> SLOTS_SHIFT) & SLOTS_BITS;
  const slots = small === SLOTS_LARGE ? H[oop - 1]! : small;
  return oop + HEADER_WORDS + (slots <= 2 ? 2 : (slots + 1) & ~1);
}

/** First word of the survivor half in use. */
export function survivorStart(memory: ObjectMemory): number {
  return memory.survivorHalf === 0 ? SURVIVOR_A_START : SURVIVOR_B_START;
}

/** The spaces in use as word ranges, as they are now. */
export function spaces(memory: ObjectMemory): [start: number, end: number][] {
  return [
    [EDEN_START, memory.edenNext],
    [survivorStart(memory), memory.survivorLimit],
    [OLD_START, memory.oldLimit],
  ];
}

/** Calls `visit` with every object, forwarders included; what `visit` makes is not visited. */
export function forEachObject(memory: ObjectMemory, visit: (oop: Oop) => void): void {
  const H = memory.H;
  for (const [start, end] of spaces(memory)) {
    for (let at = start; at < end; ) {
      const oop = oopOfBlock(H, at);
      at = blockEnd(H, oop);
      visit(oop);
    }
  }
}

/** All objects but forwarders; what is made meanwhile may be left out. */
export function* objects(memory: ObjectMemory): Generator<Oop> {
  const H = memory.H;
  for (const [start, end] of spaces(memory)) {
    for (let at = start; at < end; ) {
      const oop = oopOfBlock(H, at);
      at = blockEnd(H, oop);
      if ((H[oop]! & SHAPE_MASK) !== SHAPE_FORWARDER) yield oop;
    }
  }
}

/** All instances of a class, of whatever shape; none for SmallInteger and Character. */
export function allInstances(memory: ObjectMemory, classOop: Oop): Oop[] {
  const wanted = new Uint8Array(memory.shapes.count);
  for (let shape = 0; shape < wanted.length; shape++) {
    if (memory.shapes.classes[shape] === classOop) wanted[shape] = 1;
  }
  const found: Oop[] = [];
  if ((memory.fetch(classOop, BEHAVIOR.shape) & 1) === 0) return found;
  forEachObject(memory, (oop) => {
    if (wanted[memory.H[oop]! & SHAPE_MASK] === 1) found.push(oop);
  });
  return found;
}

/** Whether the body is all oops (compiled code is not, in its second part). */
export function hasPointerFormat(memory: ObjectMemory, oop: Oop): boolean {
  return memory.formatOf(oop) < FORMAT.words64;
}

/** How many words at the front of the body are oops. */
export function pointerSlots(memory: ObjectMemory, oop: Oop): number {
  const format = memory.formatOf(oop);
  if (format === FORMAT.forwarder) return 1;
  if (format < FORMAT.words64) return memory.slotCount(oop);
  if (format !== FORMAT.compiledCode) return 0;
  return 1 + ((memory.fetch(oop, 0) >> 1) & 0x7fff);
}

/**
 * The first block of old space that ends after the first word of `page`: the one covering that
 * word, or the page's first. 0 when the page holds nothing.
 */
export function firstBlockTouching(H: Int32Array, page: number): number {
  const pageStart = page << PAGE_SHIFT;
  const entry = H[START_TABLE_START + page]!;
  if (entry === pageStart || entry === 0) return entry;
  let before = entry < 0 ? page + entry : page - 1;
  let at = before < OLD_START >> PAGE_SHIFT ? 0 : H[START_TABLE_START + before]!;
  if (at < 0) {
    before += at;
    at = H[START_TABLE_START + before]!;
  }
  if (at === 0) return entry;
  while (true) {
    const end = blockEnd(H, oopOfBlock(H, at));
    if (end > pageStart) return at;
    at = end;
  }
}
