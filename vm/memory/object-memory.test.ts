/** The object memory by itself: making, reading, and the edges of each. */
import { describe, expect, test } from 'vitest';
import { bareDefinitions, bareHeap, emptyMemory } from '../bootstrap/bare.ts';
import { newArray } from '../bootstrap/class-builder.ts';
import {
  CARD_CHECKPOINT,
  CHAR0,
  CONTROL,
  EDEN_START,
  INTERRUPT,
  OLD_START,
  PAGE_SHIFT,
  ROOT,
  ROOT_START,
  SMALL_INTEGER_MAX,
  SMALL_INTEGER_MIN,
} from '../objects/layout.ts';
import { BEHAVIOR, SHAPE } from '../objects/well-known.ts';
import { MemoryError } from './memory-error.ts';
import { symbolHash } from './strings.ts';

const KEPT = 80;

describe('ObjectMemory integers and floats', () => {
  const { memory } = bareHeap();
  const edges = [0, 1, -1, 255, SMALL_INTEGER_MAX, SMALL_INTEGER_MIN].map(BigInt);
  const large = [31n, 32n, 33n, 63n, 64n, 65n, 4096n].flatMap((bits) => [
    2n ** bits,
    2n ** bits - 1n,
    -(2n ** bits),
    -(2n ** bits) - 1n,
  ]);

  test.each([...edges, ...large, BigInt(SMALL_INTEGER_MAX) + 1n])('keeps %s', (value) => {
    const oop = memory.newInteger(value);
    const small = value >= BigInt(SMALL_INTEGER_MIN) && value <= BigInt(SMALL_INTEGER_MAX);
    expect((oop & 1) === 1).toBe(small);
    expect(BigInt(memory.integerValue(oop))).toBe(value);
    if (!small) {
      expect(memory.shapeOf(oop)).toBe(
        value < 0n ? SHAPE.LargeNegativeInteger : SHAPE.LargePositiveInteger,
      );
      expect(memory.fetchByte(oop, memory.byteSize(oop) - 1)).not.toBe(0);
    }
  });

  test.each([0, -0, 1.5, Number.NaN, -Infinity, 5e-324])('keeps the float %d', (value) => {
    expect(memory.floatValue(memory.newFloat(value))).toBe(value);
  });

  test('equal floats have equal hashes, 0.0 and -0.0 have not', () => {
    const hash = (value: number): number => memory.identityHash(memory.newFloat(value));
    expect(hash(3.25)).toBe(hash(3.25));
    expect(hash(0)).not.toBe(hash(-0));
  });
});

describe('ObjectMemory strings and symbols', () => {
  const { memory } = bareHeap();

  test.each([
    ['', SHAPE.ByteString],
    ['abc', SHAPE.ByteString],
    ['abcdé', SHAPE.ByteString],
    ['λ', SHAPE.WideString],
    ['a😀b', SHAPE.WideString],
    ['x'.repeat(10_000), SHAPE.ByteString],
  ])('keeps %j', (text, shape) => {
    const oop = memory.newString(text);
    expect(memory.shapeOf(oop)).toBe(shape);
    expect(memory.stringValue(oop)).toBe(text);
    expect(memory.stringValue(memory.newStringOld(text))).toBe(text);
  });

  test('counts code points, not UTF-16 units', () => {
    expect(memory.indexedSize(memory.newString('a😀b'))).toBe(3);
  });

  test('makes one symbol of one text, also without its cache', () => {
    const symbols = Array.from({ length: 20_000 }, (_, i) => memory.internSymbol(`name${i}:`));
    memory.symbols.clear();
    expect(symbols.every((oop, i) => memory.internSymbol(`name${i}:`) === oop)).toBe(true);
    expect(new Set(symbols).size).toBe(symbols.length);
    expect(memory.identityHash(symbols[7]!)).toBe(symbolHash('name7:'));
    expect(memory.shapeOf(memory.internSymbol('λ'))).toBe(SHAPE.WideSymbol);
    expect(memory.checkHeap()).toEqual([]);
  });

  test('reads what is no code point as U+FFFD', () => {
    const oop = memory.newString('λ');
    memory.store(oop, 0, -5);
    expect(memory.stringValue(oop)).toBe('\ufffd');
  });
});

describe('ObjectMemory.instantiate()', () => {
  test('fills slots with nil and bytes with 0, in eden that held something else', () => {
    const { memory } = bareHeap();
    memory.H.fill(-3, EDEN_START, EDEN_START + 4000);
    const array = memory.instantiate(SHAPE.Array, 300);
    const bytes = memory.instantiate(SHAPE.ByteArray, 300, -1, 3);
    expect(memory.isYoung(array) && memory.isYoung(bytes)).toBe(true);
    expect(memory.slotCount(array)).toBe(300);
    expect(memory.byteSize(bytes)).toBe(1197);
    for (let i = 0; i < 300; i++) {
      expect(memory.fetch(array, i)).toBe(memory.nil);
      expect(memory.fetch(bytes, i)).toBe(0);
    }
  });

  test('asks for a scavenge when eden is full, and goes on from the reserve and old space', () => {
    const { memory } = bareHeap({ edenWords: 1000 });
    for (let i = 0; i < 300; i++) memory.instantiate(SHAPE.Association, 2);
    expect(memory.H[CONTROL.interrupt]! & INTERRUPT.scavenge).toBe(INTERRUPT.scavenge);
    expect(memory.needsScavenge()).toBe(true);
    const before = memory.oldLimit;
    for (let i = 0; i < 200; i++) memory.instantiate(SHAPE.Array, 60_000);
    expect(memory.oldLimit).toBeGreaterThan(before);
    memory.scavenge();
    expect(memory.needsScavenge()).toBe(false);
    expect(memory.edenNext).toBe(EDEN_START);
    expect(memory.checkHeap()).toEqual([]);
  });

  test('puts more than 256 KiB into old space at once, its cards set', () => {
    const { memory } = bareHeap();
    const oop = memory.instantiate(SHAPE.Array, 70_000);
    expect(oop).toBeGreaterThan(OLD_START);
    expect(memory.cards[(oop + 69_000) >> PAGE_SHIFT]! & CARD_CHECKPOINT).toBe(CARD_CHECKPOINT);
  });

  test('answers 0 when old space has no room, and the heap stays whole', () => {
    const { memory } = bareHeap({ mib: 192 });
    expect(memory.instantiate(SHAPE.Array, 2 ** 25)).toBe(0);
    expect(memory.instantiate(SHAPE.Array, 2 ** 20)).not.toBe(0);
    expect(memory.checkHeap()).toEqual([]);
  });

  test('says a few times that space is low, with room to handle it each time', () => {
    const { memory } = bareHeap({ mib: 256 });
    const told: number[] = [];
    for (let i = 0; i < 5000 && memory.instantiateOld(SHAPE.Array, 8000) !== 0; i++) {
      if (memory.takeLowSpace()) told.push(memory.oldEnd - memory.oldLimit);
      if (memory.oldEnd - memory.oldLimit < 100_000) break;
    }
    expect(told.length).toBeGreaterThan(2);
    expect(told.length).toBeLessThan(14);
    told.reduce((before, now) => {
      expect(before - now).toBeGreaterThan(2 ** 20);
      return now;
    });
  });

  test('old space ends where the options say', () => {
    const limited = bareHeap({ mib: 256, oldWordsMax: 2 ** 24 }).memory;
    expect(limited.instantiate(SHAPE.Array, 2 ** 23)).toBe(0);
    expect(bareHeap({ mib: 256 }).memory.instantiate(SHAPE.Array, 2 ** 23)).not.toBe(0);
  });

  test('a heap too full to tenure stops with one sentence', () => {
    const { memory } = bareHeap({ mib: 192 });
    let kept = memory.nil;
    const fill = (): void => {
      for (;;) {
        const next = memory.instantiate(SHAPE.Array, 1000);
        memory.store(next, 0, kept);
        kept = next;
        memory.setSpecial(KEPT, kept);
        if (memory.needsScavenge()) memory.scavenge();
        kept = memory.special(KEPT);
      }
    };
    expect(fill).toThrow(MemoryError);
  });
});

describe('ObjectMemory.instantiateClass()', () => {
  const bare = bareDefinitions();
  const weak = { ...bare[0]!, name: 'WeakArray', superclass: 'Object', layout: 'weak' };
  const { memory, classes } = bareHeap({ definitions: [...bare, weak] });
  const make = (name: string, size: number): number =>
    memory.instantiateClass(classes.get(name)!, size);

  test.each([
    ['Point', 0, 0],
    ['Array', 5, 5],
    ['ByteArray', 5, 5],
    ['DoubleByteArray', 5, 5],
    ['WordArray', 5, 5],
    ['DoubleWordArray', 5, 5],
    ['WeakArray', 5, 5],
  ])('makes a %s with %i elements', (name, size, wanted) => {
    const oop = make(name, size);
    expect(memory.classOf(oop)).toBe(classes.get(name));
    expect(memory.indexedSize(oop)).toBe(wanted);
  });

  test.each([
    ['Point', 1],
    ['SmallInteger', 0],
    ['Character', 0],
    ['CompiledMethod', 10],
    ['Array', -1],
    ['Array', 2 ** 29],
  ])('refuses a %s with %i elements', (name, size) => {
    expect(make(name, size)).toBe(0);
  });

  test('classes and method dictionaries never move', () => {
    expect(memory.isYoung(make('MethodDictionary', 8))).toBe(false);
    expect(memory.isYoung(make('Metaclass', 0))).toBe(false);
    const meta = memory.classOf(classes.get('Point')!);
    expect(memory.isYoung(memory.instantiateClass(meta, 0))).toBe(false);
  });

  test('a weak slot does not keep its object', () => {
    const weakArray = make('WeakArray', 3);
    const kept = memory.newString('kept');
    memory.store(weakArray, 0, memory.newString('lost'));
    memory.store(weakArray, 1, kept);
    memory.setSpecial(KEPT, newArray(memory, [weakArray, kept]));
    for (let i = 0; i < 3; i++) memory.scavenge();
    const [array, string] = [0, 1].map((i) => memory.fetch(memory.special(KEPT), i));
    expect(memory.fetch(array!, 0)).toBe(memory.nil);
    expect(memory.fetch(array!, 1)).toBe(string);
    expect(memory.stringValue(string!)).toBe('kept');
    memory.store(array!, 2, memory.newString('lost'));
    memory.scavenge();
    expect(memory.fetch(array!, 2)).toBe(memory.nil);
    expect(memory.checkHeap()).toEqual([]);
  });
});

describe('ObjectMemory becomes', () => {
  test('nil, true, false, SmallIntegers and Characters are refused, and nothing is changed', () => {
    const { memory } = bareHeap();
    const good = memory.newString('good');
    for (const bad of [memory.nil, memory.true, memory.false, 7, CHAR0 + 130]) {
      expect(memory.become([[good, bad]])).toBe(false);
      expect(memory.become([[bad, good]])).toBe(false);
      expect(memory.becomeForward([[bad, good]], true)).toBe(false);
    }
    expect(memory.isForwarder(good)).toBe(false);
  });

  test('a class that another replaces is replaced in shapes and superclass links', () => {
    const { memory, classes } = bareHeap();
    const point = classes.get('Point')!;
    const object = classes.get('Object')!;
    const instance = memory.instantiate(SHAPE.Point, 2);
    let told = 0;
    memory.onBecome.push(() => told++);
    expect(memory.becomeForward([[object, point]], false)).toBe(true);
    expect(told).toBe(1);
    expect(memory.fetch(classes.get('Magnitude')!, BEHAVIOR.superclass)).toBe(point);
    expect(memory.classOf(instance)).toBe(point);
    expect(memory.classOfShape(SHAPE.Object)).toBe(point);
    expect(memory.checkHeap()).toEqual([]);
  });
});

describe('ObjectMemory.attach()', () => {
  test('says what it found in a region that holds no heap, or one of another version', () => {
    expect(() => emptyMemory().attach()).toThrow(/^Cannot start .* 0x00000000, wanted 0x484c4150/);
    const { memory } = bareHeap();
    memory.H[ROOT_START + ROOT.version] = 99;
    expect(() => memory.attach()).toThrow(/its version is 99, this program reads 1/);
  });

  test('refuses a heap that is larger than the region', () => {
    const { memory } = bareHeap();
    memory.H[ROOT_START + ROOT.oldLimit] = 2 ** 30;
    expect(() => memory.attach()).toThrow(/give it more address space/);
  });
});

describe('ObjectMemory.checkHeap()', () => {
  test.each([
    ['a wild reference', 0, OLD_START + 3 * 2 ** 20],
    ['a reference into an object', 0, OLD_START + 2],
  ])('finds %s', (_, index, value) => {
    const { memory } = bareHeap();
    memory.store(memory.instantiateOld(SHAPE.Array, 3), index, value);
    expect(memory.checkHeap().join()).toMatch(/no object/);
  });

  test('finds a store that marked no card', () => {
    const { memory } = bareHeap();
    const array = memory.instantiateOld(SHAPE.Array, 3);
    memory.scavenge();
    memory.H[array + 2] = memory.newString('young');
    expect(memory.checkHeap().join()).toMatch(/its card is clear/);
  });

  test('finds a broken header', () => {
    const { memory } = bareHeap();
    memory.H[memory.instantiateOld(SHAPE.Array, 3)] = -7;
    expect(memory.checkHeap().join()).toMatch(/no class word/);
  });
});
