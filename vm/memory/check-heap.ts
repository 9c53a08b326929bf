/**
 * The integrity checker: walks everything and reads every slot. For tests, and for `verify` on a
 * generation; it answers sentences instead of stopping at the first fault.
 *
 * Checked: blocks lie end to end and fill their space; headers are sane; the start table says where
 * blocks start; every reference is a SmallInteger, a Character or the first word of an object; an
 * old page that refers to a young object has its scavenger card set; the shape cache equals the
 * table.
 */
import {
  CARD_SCAVENGE,
  CHAR_END,
  CHAR0,
  FORMAT,
  HEADER_WORDS,
  LARGE_PREFIX,
  OLD_START,
  PAGE_SHIFT,
  SHAPE_FORWARDER,
  SHAPE_MASK,
  SLOTS_LARGE,
  START_TABLE_START,
} from '../objects/layout.ts';
import { SHAPE_SLOTS, SPECIAL } from '../objects/well-known.ts';
import type { ObjectMemory, Oop } from './object-memory.ts';
import { blockEnd, firstBlockTouching, oopOfBlock, pointerSlots, spaces } from './walk.ts';

const REPORT_MAX = 50;

/** See ObjectMemory.checkHeap. */
export function checkHeap(memory: ObjectMemory): string[] {
  const checker = new Checker(memory);
  checker.run();
  return checker.faults;
}

class Checker {
  readonly faults: string[] = [];
  readonly #memory: ObjectMemory;
  /** For each space, one bit per even word: an object is there. */
  readonly #starts: { start: number; end: number; bits: Uint32Array }[] = [];

  constructor(memory: ObjectMemory) {
    this.#memory = memory;
  }

  run(): void {
    for (const [start, end] of spaces(this.#memory)) this.#walk(start, end);
    if (this.faults.length > 0) return;
    this.#checkStartTable();
    this.#checkReferences();
    this.#checkShapes();
  }

  #fault(text: string): void {
    if (this.faults.length < REPORT_MAX) this.faults.push(text);
  }

  #walk(start: number, end: number): void {
    const { H } = this.#memory;
    const bits = new Uint32Array(((end - start) >> 6) + 1);
    this.#starts.push({ start, end, bits });
    let at = start;
    while (at < end) {
      const oop = oopOfBlock(H, at);
      if (!this.#checkHeader(oop, at)) return;
      const offset = (oop - start) >> 1;
      bits[offset >> 5]! |= 1 << (offset & 31);
      at = blockEnd(H, oop);
    }
    if (at !== end) this.#fault(`the space from ${start} ends at ${end}, its last object at ${at}`);
  }

  #checkHeader(oop: Oop, block: number): boolean {
    const memory = this.#memory;
    const word = memory.H[oop]!;
    const large = ((memory.H[oop + 1]! >>> 2) & 0xff) === SLOTS_LARGE;
    const shape = word & SHAPE_MASK;
    const known = shape === SHAPE_FORWARDER || memory.shapes.classes[shape] !== 0;
    if ((oop & 1) !== 0 || word >>> 29 !== 0 || !known || shape >= memory.shapes.count) {
      this.#fault(`word ${oop} is no class word: ${word}`);
      return false;
    }
    if (large !== oop > block || (large && memory.H[oop - 2] !== LARGE_PREFIX)) {
      this.#fault(`the object at ${oop} has ${large ? 'no' : 'a needless'} prefix`);
      return false;
    }
    if (large && memory.slotCount(oop) < SLOTS_LARGE) {
      this.#fault(`the object at ${oop} has a prefix for ${memory.slotCount(oop)} slots`);
    }
    if ((memory.formatOf(oop) === FORMAT.forwarder) !== (shape === SHAPE_FORWARDER)) {
      this.#fault(`the object at ${oop} is half a forwarder`);
    }
    if (pointerSlots(memory, oop) > Math.max(memory.slotCount(oop), 1)) {
      this.#fault(`the code at ${oop} has more literals than slots`);
    }
    return true;
  }

  #checkStartTable(): void {
    const { H, oldLimit } = this.#memory;
    const last = (oldLimit - 1) >> PAGE_SHIFT;
    let at = OLD_START;
    for (let page = OLD_START >> PAGE_SHIFT; page <= last; page++) {
      const pageStart = page << PAGE_SHIFT;
      let previous = at;
      while (at < pageStart) {
        previous = at;
        at = blockEnd(H, oopOfBlock(H, at));
      }
      const entry = H[START_TABLE_START + page]!;
      const inPage = at >> PAGE_SHIFT === page && at < oldLimit;
      const wanted = inPage ? at : (previous >> PAGE_SHIFT) - page;
      if (entry !== wanted) this.#fault(`page ${page} starts at ${entry}, wanted ${wanted}`);
      const touching = at === pageStart ? at : previous;
      if (firstBlockTouching(H, page) !== touching) {
        this.#fault(`page ${page} is touched first by ${firstBlockTouching(H, page)}`);
      }
      if (!inPage) at = previous;
    }
  }

  #checkReferences(): void {
    for (const { start, bits } of this.#starts) {
      for (let word = 0; word < bits.length; word++) {
        if (bits[word] === 0) continue;
        for (let bit = 0; bit < 32; bit++) {
          if ((bits[word]! & (1 << bit)) !== 0) this.#checkSlots(start + ((word << 5) + bit) * 2);
        }
      }
    }
  }

  #checkSlots(oop: Oop): void {
    const memory = this.#memory;
    const count = pointerSlots(memory, oop);
    for (let i = 0; i < count; i++) {
      const value = memory.fetch(oop, i);
      if ((value & 1) !== 0) continue;
      if (!this.#isObject(value)) this.#fault(`slot ${i} of ${oop} refers to ${value}, no object`);
      const page = (oop + HEADER_WORDS + i) >> PAGE_SHIFT;
      const remembered = (memory.cards[page]! & CARD_SCAVENGE) !== 0;
      if (oop >= OLD_START && memory.isYoung(value) && !remembered) {
        this.#fault(`slot ${i} of ${oop} refers to young ${value}, its card is clear`);
      }
    }
  }

  #isObject(oop: Oop): boolean {
    if (oop >= CHAR0 && oop < CHAR_END) return true;
    for (const { start, end, bits } of this.#starts) {
      if (oop < start || oop >= end) continue;
      const offset = (oop - start) >> 1;
      return (bits[offset >> 5]! & (1 << (offset & 31))) !== 0;
    }
    return false;
  }

  #checkShapes(): void {
    const memory = this.#memory;
    const table = memory.special(SPECIAL.shapeTable);
    for (let index = 0; index < memory.shapes.count; index++) {
      const shape = memory.fetch(table, index);
      if (shape === memory.nil) continue;
      const classOop = memory.fetch(shape, SHAPE_SLOTS.class);
      if (memory.shapes.classes[index] !== classOop) {
        this.#fault(`shape ${index} is of class ${classOop}, its cache says otherwise`);
      }
      if (memory.fetch(shape, SHAPE_SLOTS.index) >> 1 !== index) {
        this.#fault(`shape ${index} says it is another`);
      }
    }
  }
}
