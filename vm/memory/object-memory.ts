/**
 * The object memory: where objects are, how they are read, written and made. It works on one
 * Int32Array (layout in vm/objects/layout.ts) and a card table beside it, and knows neither pager
 * nor journal. One thread uses it.
 *
 * Invariants
 *   1. Allocation never moves an object. Only `scavenge` and becomes do, at a safepoint at which no
 *      Smalltalk activation is on the JavaScript stack.
 *   2. Every store into a body marks the card of the slot written (CARD_BOTH). Hot code that writes
 *      `H[i] = v` itself does `cards[i >> PAGE_SHIFT] = CARD_BOTH` with it.
 *   3. Eden and its reserve can be walked: objects lie end to end, each with a complete header.
 *   4. Old space can be walked from the start table entry of any page.
 *   5. What is kept outside the heap (shape caches, symbol cache) can be rebuilt from it by `attach`.
 *
 * What is rare lives in files of its own (scavenger, becomes, shapes, walking, checking) as
 * functions over an ObjectMemory; this class is their door.
 */
import { assert } from '../base/assert.ts';
import { debug } from '../base/debug.ts';
import {
  BODY_WORDS_MIN,
  CARD_BOTH,
  CONTROL,
  EDEN_LIMIT,
  EDEN_RESERVE_LIMIT,
  EDEN_START,
  FORMAT,
  FORMAT_BITS,
  FORMAT_SHIFT,
  HASH_BITS,
  HASH_SHIFT,
  HEADER_WORDS,
  INTERRUPT,
  LARGE_PREFIX,
  ODD_BITS,
  OLD_START,
  PAGE_SHIFT,
  PAGE_WORDS,
  ROOT,
  ROOT_START,
  SHAPE_CHARACTER,
  SHAPE_FORWARDER,
  SHAPE_MASK,
  SHAPE_SMALL_INTEGER,
  SLOTS_BITS,
  SLOTS_LARGE,
  SLOTS_SHIFT,
  START_TABLE_START,
  SURVIVOR_A_START,
  SURVIVOR_END,
} from '../objects/layout.ts';
import { BEHAVIOR, SHAPE } from '../objects/well-known.ts';
import { become, becomeForward } from './become.ts';
import { checkHeap } from './check-heap.ts';
import {
  clearCheckpointCards,
  dirtyPageCount,
  dirtyPages,
  firstBlocks,
  prepareCheckpoint,
  setCheckpointCards,
  takeDirtyPages,
} from './checkpoint-pages.ts';
import { attachHeap, initializeHeap } from './heap-start.ts';
import { MemoryError } from './memory-error.ts';
import { floatValue, integerValue, newFloat, newInteger } from './numbers.ts';
import { scavenge } from './scavenger.ts';
import { migrateInstances, newShape, type ShapeCache, shapeCache } from './shapes.ts';
import {
  fetchBytes,
  internSymbol,
  newString,
  newSymbolCache,
  type SymbolCache,
  storeBytes,
  stringValue,
} from './strings.ts';
import { allInstances, objects } from './walk.ts';

/** An int32: a SmallInteger when odd, else the word index of an object; 0 is never one. */
export type Oop = number;

/** Answers where the object `oop` is now; what a scavenge hands to each of `extraRoots`. */
export type Visit = (oop: Oop) => Oop;

export interface ObjectMemoryOptions {
  /** The region's low view; at least up to the start of old space and some. */
  heap: Int32Array;
  /** One byte for each page of `heap`. */
  cards: Uint8Array;
  /** Words of eden in use before a scavenge is asked for; tests make it small. */
  edenWords?: number;
  /** Words old space may grow to; the rest of the region when left out. */
  oldWordsMax?: number;
}

/** Objects of more words than this are made in old space at once. */
const YOUNG_BODY_WORDS_MAX = (256 * 1024) / 4;
/** Old space a scavenge may need: all of eden with its reserve, and a survivor half. */
const SCAVENGE_HEADROOM_WORDS = SURVIVOR_END - EDEN_START;

export class ObjectMemory {
  readonly H: Int32Array;
  /** The same bytes as float64s: the value of a BoxedFloat64 is at `F[(oop >> 1) + 1]`. */
  readonly F: Float64Array;
  readonly cards: Uint8Array;
  /** The same bytes, four cards a word. */
  readonly cardWords: Int32Array;

  nil: Oop = 0;
  true: Oop = 0;
  false: Oop = 0;
  /** The specialObjectsArray. */
  specials: Oop = 0;

  edenNext = EDEN_START;
  /** Old space may not grow beyond this word. */
  oldEnd: number;
  /** After a scavenge that leaves old space beyond this word, space is low: see takeLowSpace. */
  #lowSpaceAt: number;
  /** Allocation beyond this asks for a scavenge. */
  edenLimit: number;
  /** 0: half A holds the survivors, 1: half B. */
  survivorHalf = 0;
  survivorLimit = SURVIVOR_A_START;
  oldLimit = OLD_START;
  hashSeed = 0;

  /** What each shape index means; arrays inside are replaced when they grow: do not keep them. */
  readonly shapes: ShapeCache = shapeCache();
  readonly symbols: SymbolCache = newSymbolCache();
  /** A forwarder was made since the last scavenge: that scavenge looks at old referents too. */
  forwardersMade = false;
  scavengeCount = 0;
  tenuredWords = 0;

  /** Called by each scavenge with the visitor for oops kept outside the heap. */
  readonly extraRoots: ((visit: Visit) => void)[] = [];
  /** Called after a become or migration: whatever was derived from objects is to be forgotten. */
  readonly onBecome: (() => void)[] = [];

  constructor(options: ObjectMemoryOptions) {
    const { heap, cards, edenWords = EDEN_LIMIT - EDEN_START } = options;
    assert(heap.length > OLD_START, 'the region ends before old space starts');
    assert(cards.length >= heap.length / PAGE_WORDS, 'there are fewer cards than pages');
    assert(edenWords > 0 && edenWords <= EDEN_LIMIT - EDEN_START, 'eden has no such size');
    this.H = heap;
    this.F = new Float64Array(heap.buffer, heap.byteOffset, heap.length / 2);
    this.cards = cards;
    this.cardWords = new Int32Array(cards.buffer, cards.byteOffset, cards.length >> 2);
    this.edenLimit = EDEN_START + edenWords;
    this.oldEnd = 0;
    this.#lowSpaceAt = 0;
    this.limitOldSpace(options.oldWordsMax ?? heap.length);
  }

  /** Lets old space grow to `words`, as far as the region reaches. */
  limitOldSpace(words: number): void {
    this.oldEnd = Math.min(this.H.length, OLD_START + words);
    const spare = Math.max(1.25 * SCAVENGE_HEADROOM_WORDS, (this.oldEnd - OLD_START) / 16);
    this.#lowSpaceAt = this.oldEnd - spare;
  }

  /** Starts on a heap that has a root page. */
  attach(): void {
    attachHeap(this);
  }

  /** Makes an empty heap: nil, true, false, the special objects, shapes without classes. */
  initializeEmpty(): void {
    initializeHeap(this);
  }

  // --- reading -----------------------------------------------------------------------------------

  special(index: number): Oop {
    return this.H[this.specials + HEADER_WORDS + index]!;
  }

  setSpecial(index: number, oop: Oop): void {
    this.store(this.specials, index, oop);
  }

  /** The class of any oop; of a forwarder's target when `oop` is a forwarder. */
  classOf(oop: Oop): Oop {
    if ((oop & 1) !== 0) return this.shapes.classes[SHAPE_SMALL_INTEGER]!;
    const shape = this.H[oop]! & SHAPE_MASK;
    if (shape === SHAPE_FORWARDER) return this.classOf(this.follow(oop));
    return this.shapes.classes[shape]!;
  }

  /** The shape index of any oop. */
  shapeOf(oop: Oop): number {
    return (oop & 1) !== 0 ? SHAPE_SMALL_INTEGER : this.H[oop]! & SHAPE_MASK;
  }

  classOfShape(shape: number): Oop {
    return this.shapes.classes[shape]!;
  }

  /** The class word of new instances of `shape`. */
  classWord(shape: number): number {
    return this.shapes.classWords[shape]!;
  }

  /** The format (FORMAT) of an object; not for SmallIntegers. */
  formatOf(oop: Oop): number {
    return (this.H[oop]! >>> FORMAT_SHIFT) & FORMAT_BITS;
  }

  isForwarder(oop: Oop): boolean {
    return (oop & 1) === 0 && (this.H[oop]! & SHAPE_MASK) === SHAPE_FORWARDER;
  }

  /** The object to use for `oop`: itself, or the end of its chain of forwarders. */
  follow(oop: Oop): Oop {
    let target = oop;
    while ((target & 1) === 0 && (this.H[target]! & SHAPE_MASK) === SHAPE_FORWARDER) {
      target = this.H[target + HEADER_WORDS]!;
    }
    return target;
  }

  /** Whether the whole body is oops. */
  isPointers(oop: Oop): boolean {
    return (oop & 1) === 0 && this.formatOf(oop) < FORMAT.forwarder;
  }

  /** Words of the body in use. */
  slotCount(oop: Oop): number {
    const slots = (this.H[oop + 1]! >>> SLOTS_SHIFT) & SLOTS_BITS;
    return slots === SLOTS_LARGE ? this.H[oop - 1]! : slots;
  }

  /** Unused bytes of the last word of the body. */
  oddBytes(oop: Oop): number {
    return this.H[oop + 1]! & ODD_BITS;
  }

  /** Bytes of the body in use, whatever the format. */
  byteSize(oop: Oop): number {
    return this.slotCount(oop) * 4 - this.oddBytes(oop);
  }

  /** Named slots of the instances of the object's shape. */
  fixedSlots(oop: Oop): number {
    return this.shapes.fixed[this.shapeOf(oop)]!;
  }

  /** Number of indexed elements, in the units of the object's format; 0 for compiled code. */
  indexedSize(oop: Oop): number {
    switch (this.formatOf(oop)) {
      case FORMAT.variable:
      case FORMAT.fixedVariable:
      case FORMAT.weak:
      case FORMAT.ephemeron:
        return this.slotCount(oop) - this.fixedSlots(oop);
      case FORMAT.words64:
        return this.slotCount(oop) >> 1;
      case FORMAT.words32:
        return this.slotCount(oop);
      case FORMAT.words16:
        return this.byteSize(oop) >> 1;
      case FORMAT.bytes:
        return this.byteSize(oop);
      default:
        return 0;
    }
  }

  /** Slot `index` (0-based) of the body, unchecked. */
  fetch(oop: Oop, index: number): Oop {
    return this.H[oop + HEADER_WORDS + index]!;
  }

  /** Writes slot `index` (0-based) of the body, unchecked. */
  store(oop: Oop, index: number, value: Oop): void {
    const at = oop + HEADER_WORDS + index;
    this.H[at] = value;
    this.cards[at >> PAGE_SHIFT] = CARD_BOTH;
  }

  /** Byte `index` (0-based) of the body, unchecked. */
  fetchByte(oop: Oop, index: number): number {
    return (this.H[oop + HEADER_WORDS + (index >> 2)]! >>> ((index & 3) << 3)) & 0xff;
  }

  storeByte(oop: Oop, index: number, byte: number): void {
    const at = oop + HEADER_WORDS + (index >> 2);
    const shift = (index & 3) << 3;
    this.H[at] = (this.H[at]! & ~(0xff << shift)) | ((byte & 0xff) << shift);
    this.cards[at >> PAGE_SHIFT] = CARD_BOTH;
  }

  /** Marks the cards of words `from` up to `to` (exclusive): for bulk writes. */
  markCards(from: number, to: number): void {
    if (to > from) this.cards.fill(CARD_BOTH, from >> PAGE_SHIFT, ((to - 1) >> PAGE_SHIFT) + 1);
  }

  /** Whether the object may move: it lies in eden or with the survivors. */
  isYoung(oop: Oop): boolean {
    return (oop & 1) === 0 && oop >= EDEN_START && oop < SURVIVOR_END;
  }

  // --- making ------------------------------------------------------------------------------------

  /**
   * A new object, its slots nil or its bytes 0. Made in eden; more than 256 KiB goes to old space.
   * Answers 0 when old space cannot take it. `format` is needed only where the shape allows
   * several.
   */
  instantiate(shape: number, slots: number, format = -1, oddBytes = 0): Oop {
    const words = slots <= BODY_WORDS_MIN ? 4 : (HEADER_WORDS + 1 + slots) & ~1;
    let oop = this.edenNext;
    if (slots >= SLOTS_LARGE || oop + words > this.edenLimit) {
      if (slots > YOUNG_BODY_WORDS_MAX) return this.instantiateOld(shape, slots, format, oddBytes);
      oop = this.#allocateSlowly(words, slots);
      if (oop === 0) return this.instantiateOld(shape, slots, format, oddBytes);
    } else {
      this.edenNext = oop + words;
    }
    this.#initialize(oop, words, shape, slots, format, oddBytes);
    return oop;
  }

  /**
   * As `instantiate`, in old space: for what must never move. Objects of up to 256 KiB may use what
   * is kept free for scavenges; a MemoryError says that even that is gone.
   */
  instantiateOld(shape: number, slots: number, format = -1, oddBytes = 0): Oop {
    const words = slots <= BODY_WORDS_MIN ? 4 : (HEADER_WORDS + 1 + slots) & ~1;
    const prefix = slots >= SLOTS_LARGE ? 2 : 0;
    if (slots > YOUNG_BODY_WORDS_MAX) {
      const end = this.oldLimit + words + prefix;
      if (end > this.oldEnd - SCAVENGE_HEADROOM_WORDS) return 0;
    }
    const start = this.allocateOldWords(words + prefix);
    if (prefix !== 0) this.#writePrefix(start, slots);
    this.#initialize(start + prefix, words, shape, slots, format, oddBytes);
    return start + prefix;
  }

  /**
   * An instance of `classOop` with `indexedSize` elements, as `new:` answers it; 0 when the class
   * has no such instances, the size is out of range, or memory is out.
   */
  instantiateClass(classOop: Oop, indexedSize: number): Oop {
    const shape = this.fetch(classOop, BEHAVIOR.shape) >> 1;
    if (shape <= SHAPE_CHARACTER || shape >= this.shapes.count) return 0;
    if (!(indexedSize >= 0 && indexedSize < 2 ** 28)) return 0;
    const fixed = this.shapes.fixed[shape]!;
    let slots = indexedSize;
    let oddBytes = 0;
    switch ((this.shapes.classWords[shape]! >>> FORMAT_SHIFT) & FORMAT_BITS) {
      case FORMAT.empty:
      case FORMAT.fixed:
        if (indexedSize !== 0) return 0;
        slots = fixed;
        break;
      case FORMAT.variable:
      case FORMAT.fixedVariable:
      case FORMAT.weak:
      case FORMAT.ephemeron:
        slots = fixed + indexedSize;
        break;
      case FORMAT.words64:
        slots = indexedSize * 2;
        break;
      case FORMAT.words32:
        break;
      case FORMAT.words16:
        slots = (indexedSize + 1) >> 1;
        oddBytes = (indexedSize & 1) << 1;
        break;
      case FORMAT.bytes:
        slots = (indexedSize + 3) >> 2;
        oddBytes = -indexedSize & 3;
        break;
      default:
        return 0;
    }
    return this.#livesInOldSpace(classOop, shape)
      ? this.instantiateOld(shape, slots, -1, oddBytes)
      : this.instantiate(shape, slots, -1, oddBytes);
  }

  /** Whether instances never move: metaclasses, classes, and what method lookup reads. */
  #livesInOldSpace(classOop: Oop, shape: number): boolean {
    if (this.shapeOf(classOop) === SHAPE.Metaclass) return true;
    return (
      shape === SHAPE.Metaclass || shape === SHAPE.MethodDictionary || shape === SHAPE.InstanceShape
    );
  }

  /** A copy with the same slots and no identity hash, not read-only; 0 when memory is out. */
  shallowCopy(oop: Oop): Oop {
    const H = this.H;
    const shape = this.shapeOf(oop);
    const slots = this.slotCount(oop);
    const copy =
      oop < OLD_START || !this.#livesInOldSpace(this.classOf(oop), shape)
        ? this.instantiate(shape, slots, this.formatOf(oop), this.oddBytes(oop))
        : this.instantiateOld(shape, slots, this.formatOf(oop), this.oddBytes(oop));
    if (copy === 0) return 0;
    const from = oop + HEADER_WORDS;
    H.copyWithin(copy + HEADER_WORDS, from, from + slots);
    if (copy >= OLD_START) this.markCards(copy, copy + HEADER_WORDS + slots);
    return copy;
  }

  /** Takes `words` (even) of old space, keeps the start table and marks the cards of the pages. */
  allocateOldWords(words: number, cardBits: number = CARD_BOTH): number {
    const start = this.oldLimit;
    const end = start + words;
    if (end > this.oldEnd) {
      const mib = Math.round((this.oldEnd - OLD_START) / 2 ** 18);
      throw new MemoryError(
        'HEAP_FULL',
        `Cannot keep a new object: the heap's ${mib} MiB are full; go back to an earlier generation`,
      );
    }
    const first = start >> PAGE_SHIFT;
    const last = (end - 1) >> PAGE_SHIFT;
    if (this.H[START_TABLE_START + first]! <= 0) this.setStart(first, start);
    for (let page = first + 1; page <= last; page++) this.setStart(page, first - page);
    for (let page = first; page <= last; page++) this.cards[page]! |= cardBits;
    this.oldLimit = end;
    return start;
  }

  /** Writes the start table entry of `page`. */
  setStart(page: number, entry: number): void {
    const at = START_TABLE_START + page;
    this.H[at] = entry;
    this.cards[at >> PAGE_SHIFT] = CARD_BOTH;
  }

  /** Eden is full, or the object needs a prefix. Answers 0 when not even the reserve has room. */
  #allocateSlowly(words: number, slots: number): Oop {
    const prefix = slots >= SLOTS_LARGE ? 2 : 0;
    const start = this.edenNext;
    const end = start + prefix + words;
    if (end > this.edenLimit) {
      Atomics.or(this.H, CONTROL.interrupt, INTERRUPT.scavenge);
      if (end > EDEN_RESERVE_LIMIT) return 0;
    }
    this.edenNext = end;
    if (prefix !== 0) this.#writePrefix(start, slots);
    return start + prefix;
  }

  #writePrefix(start: number, slots: number): void {
    this.H[start] = LARGE_PREFIX;
    this.H[start + 1] = slots;
  }

  #initialize(
    oop: Oop,
    words: number,
    shape: number,
    slots: number,
    format: number,
    oddBytes: number,
  ): void {
    const H = this.H;
    const word = format < 0 ? this.shapes.classWords[shape]! : shape | (format << FORMAT_SHIFT);
    H[oop] = word;
    H[oop + 1] = (Math.min(slots, SLOTS_LARGE) << SLOTS_SHIFT) | oddBytes;
    const filler = word < FORMAT.words64 << FORMAT_SHIFT ? this.nil : 0;
    const end = oop + words;
    if (words > 64) H.fill(filler, oop + HEADER_WORDS, end);
    else for (let at = oop + HEADER_WORDS; at < end; at++) H[at] = filler;
  }

  // --- numbers and strings -----------------------------------------------------------------------

  newFloat(value: number): Oop {
    return newFloat(this, value);
  }

  /** The value of a BoxedFloat64, unchecked. */
  floatValue(oop: Oop): number {
    return floatValue(this, oop);
  }

  /** A SmallInteger, or the smallest LargePositiveInteger or LargeNegativeInteger. */
  newInteger(value: bigint | number): Oop {
    return newInteger(this, value);
  }

  /** The value of a SmallInteger (number) or large integer (bigint), unchecked. */
  integerValue(oop: Oop): bigint | number {
    return integerValue(this, oop);
  }

  /** A ByteString when all code points are at most 0xff, else a WideString. */
  newString(text: string): Oop {
    return newString(this, text, false);
  }

  /** As `newString`, in old space: for literals. */
  newStringOld(text: string): Oop {
    return newString(this, text, true);
  }

  /** The text of a ByteString, WideString, ByteSymbol or WideSymbol. */
  stringValue(oop: Oop): string {
    return stringValue(this, oop);
  }

  /** The Symbol of this text, made when it is new. */
  internSymbol(text: string): Oop {
    return internSymbol(this, text);
  }

  symbolValue(oop: Oop): string {
    return stringValue(this, oop);
  }

  /** A copy of the body's bytes. */
  fetchBytes(oop: Oop): Uint8Array {
    return fetchBytes(this, oop);
  }

  /** Overwrites the first bytes of the body. */
  storeBytes(oop: Oop, bytes: Uint8Array): void {
    storeBytes(this, oop, bytes);
  }

  /**
   * 22 bits that stay with the object. Set at the first asking, except for SmallIntegers,
   * Characters and Floats, where equal values have equal hashes.
   */
  identityHash(oop: Oop): number {
    if ((oop & 1) !== 0) return (oop >> 1) & HASH_BITS;
    const H = this.H;
    const shape = H[oop]! & SHAPE_MASK;
    if (shape === SHAPE_CHARACTER) return (H[oop + 1]! >>> HASH_SHIFT) & HASH_BITS;
    if (this.formatOf(oop) === FORMAT.words64 && this.slotCount(oop) === 2) {
      const mixed = Math.imul(H[oop + 2]! ^ (H[oop + 3]! >>> 7), 0x9e3779b1) ^ H[oop + 3]!;
      return (mixed >>> 10) & HASH_BITS;
    }
    const hash = (H[oop + 1]! >>> HASH_SHIFT) & HASH_BITS;
    return hash !== 0 ? hash : this.#newHash(oop);
  }

  /** Gives the object this identity hash: for symbols (whose text decides it) and becomes. */
  setIdentityHash(oop: Oop, hash: number): void {
    this.H[oop + 1] = (this.H[oop + 1]! & ((1 << HASH_SHIFT) - 1)) | (hash << HASH_SHIFT);
    this.cards[(oop + 1) >> PAGE_SHIFT] = CARD_BOTH;
  }

  /** Marsaglia's xorshift32; its state is part of the generation. */
  #newHash(oop: Oop): number {
    let state = this.hashSeed;
    let hash = 0;
    while (hash === 0) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      hash = state & HASH_BITS;
    }
    this.hashSeed = state;
    this.setIdentityHash(oop, hash);
    return hash;
  }

  // --- moving ------------------------------------------------------------------------------------

  /** Empties eden. Only with no Smalltalk activation on the JavaScript stack. */
  scavenge(): void {
    scavenge(this);
  }

  /** Whether the next safepoint is to scavenge. */
  needsScavenge(): boolean {
    return (
      debug.gcStress || this.edenNext > this.edenLimit || this.interruptHas(INTERRUPT.scavenge)
    );
  }

  /**
   * Whether old space has become so full that the running process must be told. True once for each
   * halving of what is left (at least 4 MiB), so that handling the error has room.
   */
  takeLowSpace(): boolean {
    if (this.oldLimit <= this.#lowSpaceAt) return false;
    const last = this.oldEnd - SCAVENGE_HEADROOM_WORDS;
    const step = Math.max((last - this.oldLimit) / 2, SCAVENGE_HEADROOM_WORDS / 8);
    this.#lowSpaceAt = this.oldLimit + step;
    return true;
  }

  interruptHas(bit: number): boolean {
    return (this.H[CONTROL.interrupt]! & bit) !== 0;
  }

  /** Words of eden left before a scavenge is asked for. */
  get edenFree(): number {
    return Math.max(0, this.edenLimit - this.edenNext);
  }

  /**
   * Makes each first object of a pair a forwarder to the second. Answers false, and does nothing,
   * when one of them cannot take part. `copyHash` gives the second the first's identity hash.
   */
  becomeForward(pairs: readonly (readonly [Oop, Oop])[], copyHash: boolean): boolean {
    return becomeForward(this, pairs, copyHash);
  }

  /** Exchanges the objects of each pair; hashes stay with the references. False as above. */
  become(pairs: readonly (readonly [Oop, Oop])[]): boolean {
    return become(this, pairs);
  }

  /** A new shape of `classOop`, made its current one; the old one's successor is the new. */
  newShape(classOop: Oop, slotNames: Oop, format: number): number {
    return newShape(this, classOop, slotNames, format);
  }

  /** Gives all instances of one shape another; `slotMap[new slot]` is the old slot or -1. */
  migrateInstances(oldShape: number, shape: number, slotMap: Int32Array): number {
    return migrateInstances(this, oldShape, shape, slotMap);
  }

  // --- walking and saving ------------------------------------------------------------------------

  /** All objects, forwarders left out. */
  objects(): Generator<Oop> {
    return objects(this);
  }

  allInstances(classOop: Oop): Oop[] {
    return allInstances(this, classOop);
  }

  /** Makes the numbered pages a generation: eden empty, root page and remembered bits written. */
  prepareCheckpoint(): void {
    prepareCheckpoint(this);
  }

  /** Page numbers of the numbered pages written since their cards were cleared, ascending. */
  dirtyPages(): number[] {
    return dirtyPages(this);
  }

  dirtyPageCount(): number {
    return dirtyPageCount(this);
  }

  clearCheckpointCards(pages: readonly number[]): void {
    clearCheckpointCards(this, pages);
  }

  setCheckpointCards(pages: readonly number[]): void {
    setCheckpointCards(this, pages);
  }

  /** Where the first block of each page starts: see checkpoint-pages.ts. */
  firstBlocks(pages: readonly number[]): Int32Array {
    return firstBlocks(this, pages);
  }

  /** Dirty pages to be copied while Smalltalk runs: see checkpoint-pages.ts. */
  takeDirtyPages(range: { from: number; max: number }, into: number[]): number {
    return takeDirtyPages(this, range, into);
  }

  /** What is wrong with the heap, in sentences; empty when nothing is. */
  checkHeap(): string[] {
    return checkHeap(this);
  }

  /** Reads a word of the root page. */
  root(index: number): number {
    return this.H[ROOT_START + index]!;
  }

  /** Writes the root page from the fields above. */
  writeRoot(): void {
    this.#writeRootWord(ROOT.specialObjects, this.specials);
    this.#writeRootWord(ROOT.oldLimit, this.oldLimit);
    this.#writeRootWord(ROOT.survivorHalf, this.survivorHalf);
    this.#writeRootWord(ROOT.survivorLimit, this.survivorLimit);
    this.#writeRootWord(ROOT.hashSeed, this.hashSeed);
    this.#writeRootWord(ROOT.shapeCount, this.shapes.count);
  }

  #writeRootWord(index: number, value: number): void {
    const at = ROOT_START + index;
    if (this.H[at] === value) return;
    this.H[at] = value;
    this.cards[at >> PAGE_SHIFT] = CARD_BOTH;
  }
}
