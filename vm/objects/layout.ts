/**
 * How an object lies in memory, and where memory's parts lie in the region: every number that the
 * object memory, the interpreter, the compiler's installer, the bootstrap and (later) the JIT
 * share.
 *
 * A word is 32 bits. An oop is an int32: low bit 1 is a SmallInteger (31 bits); low bit 0 is the
 * word index of an object's class word, always even; 0 is never an oop.
 *
 *   word 0  class word   0–21 shape index · 22–26 format · 27 read-only · 28 far body · 29–31 zero
 *   word 1  header word  0–1 odd bytes · 2–9 slots (255: see prefix) · 10–31 identity hash, 0 = unset
 *   word 2… body         slots, or bytes; padded to 8 bytes, never less than 2 words
 *
 * A body of 255 words or more has a prefix of 8 bytes before the class word: LARGE_PREFIX, then the
 * number of words. A negative word where a walk expects a class word is therefore a prefix.
 * "Slots" counts words of the body in use; odd bytes are the unused bytes of its last word (for
 * 16-bit units as well). The class word is compared whole: whatever must miss an inline cache
 * differs in it.
 */
import { assert } from '../base/assert.ts';

export const WORD_BYTES = 4;
export const PAGE_BYTES = 4096;
export const PAGE_WORDS = 1024;
export const PAGE_SHIFT = 10;
export const HEADER_WORDS = 2;
export const BODY_WORDS_MIN = 2;

export const SHAPE_MASK = 0x3fffff;
export const FORMAT_SHIFT = 22;
export const FORMAT_BITS = 0x1f;
export const READ_ONLY = 1 << 27;
export const FAR_BODY = 1 << 28;

export const ODD_BITS = 3;
export const SLOTS_SHIFT = 2;
export const SLOTS_BITS = 0xff;
export const SLOTS_LARGE = 255;
export const HASH_SHIFT = 10;
export const HASH_BITS = 0x3fffff;
export const LARGE_PREFIX = 0xc0000000 | 0;

/** Formats, numbered as in Squeak's Spur with the odd-size variants folded into the header word. */
export const FORMAT = {
  empty: 0, // no slots at all
  fixed: 1, // named slots only
  variable: 2, // indexed slots only
  fixedVariable: 3, // named slots, then indexed slots
  weak: 4, // named slots, then weak indexed slots
  ephemeron: 5,
  forwarder: 7, // slot 0 is the object to use instead
  words64: 9,
  words32: 10,
  words16: 12,
  bytes: 16,
  compiledCode: 24, // header SmallInteger, literals, then bytecodes
} as const;

/**
 * Shape indices the VM knows. The classes that follow from 16 on are in the order of WELL_KNOWN.
 */
export const SHAPE_SMALL_INTEGER = 1;
export const SHAPE_CHARACTER = 2;
export const SHAPE_FORWARDER = 8;
/**
 * What objects on a page that cannot be read look like: without slots. It is odd, so the class word
 * read as a slot is a SmallInteger. No image has it in its shape table.
 */
export const SHAPE_UNREADABLE = 11;
export const UNREADABLE_CLASS_WORD = SHAPE_UNREADABLE | (FORMAT.empty << FORMAT_SHIFT);
export const SHAPE_WELL_KNOWN_FIRST = 16;
/** Shapes made by class definitions start here; the gap is for well-known classes to come. */
export const SHAPE_DYNAMIC_FIRST = 128;

export const SMALL_INTEGER_MIN = -(2 ** 30);
export const SMALL_INTEGER_MAX = 2 ** 30 - 1;

/** One view reaches 2^31 words; the second view is not in use yet, the oop's sign bit is its. */
export const REGION_WORDS_MAX = 2 ** 31;
export const REGION_PAGES_MAX = REGION_WORDS_MAX / PAGE_WORDS;

const MIB_WORDS = (1024 * 1024) / WORD_BYTES;

/**
 * The region, as word indices. Volatile parts have no page number in the journal.
 *
 *   0        control page: interrupt word, counters; shared by threads, volatile
 *   1 MiB    root page: what a generation needs to start (see ROOT)          numbered
 *   2 MiB    remembered bits: old pages that refer to survivors, 1 bit each  numbered
 *   16 MiB   eden, then its reserve                                          volatile
 *   48 MiB   survivor halves A and B, 1 MiB each                             numbered
 *   64 MiB   Characters: CHAR0 + 2 * code point                              synthesized
 *   80 MiB   start table: one word per page, where its first block starts    numbered
 *   128 MiB  old space, to the end                                           numbered
 *
 * A block is an object with its prefix, if it has one. A start table entry is the word index of the
 * first block that starts in the page; -n when none does and the block covering it starts n pages
 * before; 0 when the page holds nothing.
 */
export const CONTROL_START = 0;
export const ROOT_START = 1 * MIB_WORDS;
export const REMEMBERED_START = 2 * MIB_WORDS;
export const REMEMBERED_END = REMEMBERED_START + REGION_PAGES_MAX / 32;
export const EDEN_START = 16 * MIB_WORDS;
export const EDEN_LIMIT = 40 * MIB_WORDS;
export const EDEN_RESERVE_LIMIT = 48 * MIB_WORDS;
export const SURVIVOR_A_START = 48 * MIB_WORDS;
export const SURVIVOR_B_START = 49 * MIB_WORDS;
export const SURVIVOR_END = 50 * MIB_WORDS;
export const CHAR0 = 64 * MIB_WORDS;
export const CODE_POINT_COUNT = 0x110000;
export const CHAR_END = CHAR0 + 2 * CODE_POINT_COUNT;
export const START_TABLE_START = 80 * MIB_WORDS;
export const START_TABLE_END = 96 * MIB_WORDS;
export const OLD_START = 128 * MIB_WORDS;

/**
 * Words of the control page. Other threads write INTERRUPT with Atomics; the vm thread polls it.
 */
export const CONTROL = {
  interrupt: 0, // bits of INTERRUPT; non-zero makes the next safepoint unwind
  heartbeat: 1, // counts safepoints: how the supervisor sees that the vm is alive
  unreadablePage: 2, // 1 + page number of the last page the pager could not read
} as const;

export const INTERRUPT = {
  scavenge: 1, // eden is full
  host: 2, // the supervisor has sent something: return from Interpreter.run
  checkpoint: 4, // a checkpoint is wanted
  userInterrupt: 8, // Ctrl-C
  timer: 16,
  unreadable: 32, // the pager met an unreadable page
  evict: 64, // more pages are resident than the RAM budget allows
} as const;

/** Words of the root page. */
export const ROOT = {
  magic: 0,
  version: 1,
  specialObjects: 2, // oop of the specialObjectsArray
  oldLimit: 3, // word index of the next free word of old space
  survivorHalf: 4, // 0: A holds the survivors, 1: B
  survivorLimit: 5, // word index of the next free word in it
  hashSeed: 6, // state of the identity hash generator
  shapeCount: 7, // number of entries in use in the shape table
} as const;
export const ROOT_MAGIC = 0x484c4150; // 'PALH'
export const ROOT_VERSION = 1;

/** Bits a store sets in the card (one byte per page) of the slot written. */
export const CARD_SCAVENGE = 1;
export const CARD_CHECKPOINT = 2;
export const CARD_BOTH = 3;

assert(PAGE_WORDS === 1 << PAGE_SHIFT && PAGE_BYTES === PAGE_WORDS * WORD_BYTES);
assert(REMEMBERED_END <= EDEN_START);
assert(CHAR_END <= START_TABLE_START && START_TABLE_END <= OLD_START);
assert(START_TABLE_END - START_TABLE_START >= REGION_WORDS_MAX / PAGE_WORDS);
