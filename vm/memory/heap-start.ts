/**
 * How a heap begins: empty, for the bootstrap, or from the root page of a generation.
 *
 * An empty heap holds, from the first word of old space on: nil, false, true, the
 * specialObjectsArray, the shape table with a Shape for each well-known class (class still nil) and
 * an empty symbol table. That is what making anything else needs.
 */
import { assert } from '../base/assert.ts';
import {
  CARD_SCAVENGE,
  CHAR0,
  CODE_POINT_COUNT,
  EDEN_START,
  FORMAT,
  FORMAT_SHIFT,
  HASH_SHIFT,
  OLD_START,
  PAGE_SHIFT,
  REMEMBERED_START,
  ROOT,
  ROOT_MAGIC,
  ROOT_START,
  ROOT_VERSION,
  SHAPE_CHARACTER,
  SHAPE_DYNAMIC_FIRST,
  SHAPE_FORWARDER,
  SHAPE_SMALL_INTEGER,
  SHAPE_WELL_KNOWN_FIRST,
  SURVIVOR_A_START,
} from '../objects/layout.ts';
import {
  SHAPE,
  SPECIAL,
  SPECIAL_COUNT,
  WELL_KNOWN,
  wellKnownFormat,
} from '../objects/well-known.ts';
import { MemoryError } from './memory-error.ts';
import type { ObjectMemory } from './object-memory.ts';
import { defineShape, loadShapes, reserveShape } from './shapes.ts';

const HASH_SEED_FIRST = 0x2545f491;
const SYMBOL_BUCKETS = 2048;
const SHAPE_TABLE_SIZE = 1024;

/** Class word of every Character; its hash is its code point. */
export const CHARACTER_CLASS_WORD = SHAPE_CHARACTER | (FORMAT.empty << FORMAT_SHIFT);

/**
 * Starts on the generation in the pages: reads the root page, rebuilds what is outside the heap.
 */
export function attachHeap(memory: ObjectMemory): void {
  const magic = memory.root(ROOT.magic);
  if (magic !== ROOT_MAGIC) {
    throw new MemoryError(
      'HEAP_UNKNOWN',
      `Cannot start the Smalltalk memory: its root page begins with ${hex(magic)}, ` +
        `wanted ${hex(ROOT_MAGIC)}; go back to an earlier generation`,
    );
  }
  const version = memory.root(ROOT.version);
  if (version !== ROOT_VERSION) {
    throw new MemoryError(
      'HEAP_VERSION',
      `Cannot start the Smalltalk memory: its version is ${version}, this program reads ` +
        `${ROOT_VERSION}; use the program that wrote it`,
    );
  }
  memory.cards.fill(0);
  memory.specials = memory.root(ROOT.specialObjects);
  memory.oldLimit = memory.root(ROOT.oldLimit);
  memory.survivorHalf = memory.root(ROOT.survivorHalf);
  memory.survivorLimit = memory.root(ROOT.survivorLimit);
  memory.hashSeed = memory.root(ROOT.hashSeed);
  memory.edenNext = EDEN_START;
  if (memory.oldLimit > memory.H.length) {
    throw new MemoryError(
      'HEAP_DAMAGED',
      `Cannot start the Smalltalk memory: its old space ends at word ${memory.oldLimit}, the ` +
        `region at ${memory.H.length}; give it more address space`,
    );
  }
  synthesizeCharacters(memory);
  memory.nil = memory.special(SPECIAL.nil);
  memory.true = memory.special(SPECIAL.true);
  memory.false = memory.special(SPECIAL.false);
  memory.symbols.clear();
  memory.shapes.count = memory.root(ROOT.shapeCount);
  loadShapes(memory);
  recallRememberedPages(memory);
}

/** Makes an empty heap in a region of zeros. */
export function initializeHeap(memory: ObjectMemory): void {
  assert(memory.root(ROOT.magic) === 0, 'the region is not empty');
  memory.H[ROOT_START + ROOT.magic] = ROOT_MAGIC;
  memory.H[ROOT_START + ROOT.version] = ROOT_VERSION;
  memory.hashSeed = HASH_SEED_FIRST;
  memory.oldLimit = OLD_START;
  memory.survivorLimit = SURVIVOR_A_START;
  memory.edenNext = EDEN_START;
  synthesizeCharacters(memory);
  seedWellKnownShapes(memory);

  memory.nil = OLD_START;
  const nil = memory.instantiateOld(SHAPE.UndefinedObject, 0);
  assert(nil === memory.nil, 'nil is not the first object');
  memory.false = memory.instantiateOld(SHAPE.False, 0);
  memory.true = memory.instantiateOld(SHAPE.True, 0);
  memory.specials = memory.instantiateOld(SHAPE.Array, SPECIAL_COUNT);
  memory.setSpecial(SPECIAL.false, memory.false);
  memory.setSpecial(SPECIAL.true, memory.true);
  memory.setSpecial(SPECIAL.shapeTable, memory.instantiateOld(SHAPE.Array, SHAPE_TABLE_SIZE));
  memory.setSpecial(SPECIAL.symbolTable, memory.instantiateOld(SHAPE.Array, SYMBOL_BUCKETS));

  const none = { classOop: nil, slotNames: nil };
  defineShape(memory, SHAPE_SMALL_INTEGER, { ...none, format: FORMAT.empty });
  defineShape(memory, SHAPE_CHARACTER, { ...none, format: FORMAT.empty });
  for (const name of WELL_KNOWN) {
    defineShape(memory, SHAPE[name], { ...none, format: wellKnownFormat(name) });
  }
  memory.shapes.count = SHAPE_DYNAMIC_FIRST;
  memory.writeRoot();
}

/** Fills the class words by which the first objects are made, before there is a shape table. */
function seedWellKnownShapes(memory: ObjectMemory): void {
  const { shapes } = memory;
  assert(SHAPE_WELL_KNOWN_FIRST + WELL_KNOWN.length <= SHAPE_DYNAMIC_FIRST);
  reserveShape(shapes, SHAPE_DYNAMIC_FIRST);
  shapes.count = SHAPE_DYNAMIC_FIRST;
  for (const name of WELL_KNOWN) {
    shapes.classWords[SHAPE[name]] = SHAPE[name] | (wellKnownFormat(name) << FORMAT_SHIFT);
  }
  shapes.classWords[SHAPE_FORWARDER] = SHAPE_FORWARDER | (FORMAT.forwarder << FORMAT_SHIFT);
}

/** Where no pager synthesizes the Characters (tests, the bootstrap), they are written once. */
function synthesizeCharacters(memory: ObjectMemory): void {
  const { H } = memory;
  if (H[CHAR0] !== 0) return;
  for (let point = 0; point < CODE_POINT_COUNT; point++) {
    H[CHAR0 + 2 * point] = CHARACTER_CLASS_WORD;
    H[CHAR0 + 2 * point + 1] = point << HASH_SHIFT;
  }
}

/** Old pages that may refer to survivors are roots of the next scavenge. */
function recallRememberedPages(memory: ObjectMemory): void {
  const { H, cards } = memory;
  const last = (memory.oldLimit - 1) >> PAGE_SHIFT;
  for (let word = (OLD_START >> PAGE_SHIFT) >> 5; word <= last >> 5; word++) {
    const bits = H[REMEMBERED_START + word]!;
    if (bits === 0) continue;
    for (let bit = 0; bit < 32; bit++) {
      if ((bits & (1 << bit)) !== 0) cards[(word << 5) + bit]! |= CARD_SCAVENGE;
    }
  }
}

function hex(word: number): string {
  return `0x${(word >>> 0).toString(16).padStart(8, '0')}`;
}
