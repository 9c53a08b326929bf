/** Indexed access over every format: what is stored is read back, what does not fit is refused. */
import { describe, expect, test } from 'vitest';
import { Fixture, fails, type Value } from '../../test/machine/primitive-fixture.ts';
import { PRIM_ERROR } from '../interpreter/primitive-interface.ts';
import { CARD_BOTH, FORMAT, PAGE_SHIFT, READ_ONLY } from '../objects/layout.ts';
import { CONTEXT, SHAPE } from '../objects/well-known.ts';

const vm = new Fixture();
const { memory } = vm;
const BAD_INDEX = fails(PRIM_ERROR.badIndex);
const BAD_ARGUMENT = fails(PRIM_ERROR.badArgument);
const BAD_RECEIVER = fails(PRIM_ERROR.badReceiver);

function words(shape: number, slots: number, oddBytes = 0) {
  return { oop: memory.instantiate(shape, slots, -1, oddBytes) };
}

const MIXED = vm.newClass(['a', 'b'], FORMAT.fixedVariable);
const QUAD = vm.newClass([], FORMAT.words64);

describe('at: and at:put:', () => {
  const cases: [
    name: string,
    object: () => { oop: number },
    size: number,
    good: Value[],
    bad: Value[],
  ][] = [
    ['Array', () => ({ oop: vm.oop([1, 2, 3]) }), 3, [5, null, 'text'], []],
    ['named and indexed', () => ({ oop: memory.instantiateClass(MIXED, 2) }), 2, [5, '#x'], []],
    ['ByteArray', () => vm.bytes(1, 2, 3, 4, 5), 5, [0, 255], [256, -1, 'a', null, 0.5, 2n ** 40n]],
    ['ByteString', () => ({ oop: vm.oop('abc') }), 3, [0, 255], [256, vm.character('a')]],
    ['16-bit units', () => words(SHAPE.DoubleByteArray, 2, 2), 3, [0, 65535], [65536, -1, true]],
    ['32-bit words', () => words(SHAPE.WordArray, 2), 2, [0, 2n ** 32n - 1n], [2n ** 32n, -1, [1]]],
    [
      '64-bit words',
      () => ({ oop: memory.instantiateClass(QUAD, 2) }),
      2,
      [7, 2n ** 64n - 1n],
      [2n ** 64n, -1],
    ],
  ];

  test.each(cases)('%s', (_name, make, size, good, bad) => {
    const object = make();
    expect(vm.answer(62, object)).toBe(size);
    for (let index = 1; index <= size; index++) {
      for (const value of good) {
        const wanted = vm.value(vm.oop(value));
        expect(vm.answer(61, object, index, value)).toEqual(wanted);
        expect(vm.answer(60, object, index)).toEqual(wanted);
      }
      const before = vm.answer(60, object, index);
      for (const value of bad) expect(vm.answer(61, object, index, value)).toEqual(BAD_ARGUMENT);
      expect(vm.answer(60, object, index)).toEqual(before);
    }
    for (const index of [0, -1, size + 1, 2 ** 29]) {
      expect(vm.answer(60, object, index)).toEqual(BAD_INDEX);
      expect(vm.answer(61, object, index, good[0]!)).toEqual(BAD_INDEX);
    }
    for (const index of ['1', 1.5, null, 2n ** 40n]) {
      expect(vm.answer(60, object, index)).toEqual(BAD_ARGUMENT);
    }
  });

  test('elements do not touch their neighbours', () => {
    const shorts = words(SHAPE.DoubleByteArray, 2, 2);
    for (const value of [1, 2, 3]) vm.call(61, shorts, value, value);
    vm.call(61, shorts, 2, 0xffff);
    expect([1, 2, 3].map((i) => vm.answer(60, shorts, i))).toEqual([1, 0xffff, 3]);
    const mixed = { oop: memory.instantiateClass(MIXED, 1) };
    vm.call(61, mixed, 1, 9);
    expect([1, 2, 3].map((i) => vm.answer(73, mixed, i))).toEqual([null, null, 9]);
  });

  test('objects without indexed part', () => {
    const point = { oop: vm.call(18, 3, 4) };
    for (const object of [point, 3, vm.character('a'), vm.float(1), null]) {
      expect(vm.answer(60, object, 1)).toEqual(BAD_RECEIVER);
      expect(vm.answer(61, object, 1, 1)).toEqual(BAD_RECEIVER);
      expect(vm.answer(62, object)).toEqual(BAD_RECEIVER);
      expect(vm.answer(145, object, 1)).toEqual(BAD_RECEIVER);
      expect(vm.answer(105, object, 1, 1, [1], 1)).toEqual(BAD_RECEIVER);
    }
  });

  test('read-only objects refuse every store', () => {
    const array = { oop: vm.oop([1, 2]) };
    const text = { oop: vm.oop('ab') };
    memory.H[array.oop]! |= READ_ONLY;
    memory.H[text.oop]! |= READ_ONLY;
    const refused = fails(PRIM_ERROR.noModification);
    expect(vm.answer(61, array, 1, 5)).toEqual(refused);
    expect(vm.answer(174, array, 1, 5)).toEqual(refused);
    expect(vm.answer(105, array, 1, 2, [7, 8], 1)).toEqual(refused);
    expect(vm.answer(145, array, 9)).toEqual(refused);
    expect(vm.answer(64, text, 1, vm.character('z'))).toEqual(refused);
    expect(vm.answer(144, text, 1, 5)).toEqual(refused);
    expect(vm.value(array.oop)).toEqual([1, 2]);
    expect(vm.answer(60, array, 2)).toBe(2);
  });

  test('a store marks the card of its slot', () => {
    const array = { oop: memory.instantiateOld(SHAPE.Array, 3000) };
    memory.cards.fill(0);
    vm.call(61, array, 2500, 1);
    const page = (array.oop + 2 + 2499) >> PAGE_SHIFT;
    expect(memory.cards[page]).toBe(CARD_BOTH);
    expect(memory.cards[page - 1]).toBe(0);
    memory.cards.fill(0);
    vm.call(105, array, 1, 3000, { oop: memory.instantiate(SHAPE.Array, 3000) }, 1);
    expect(memory.cards[(array.oop + 2) >> PAGE_SHIFT]).toBe(CARD_BOTH);
    expect(memory.cards[page]).toBe(CARD_BOTH);
  });
});

describe('Strings', () => {
  test('give and take Characters', () => {
    for (const text of ['hello', 'hellö', 'h€llo', 'h😀lo']) {
      const string = { oop: vm.oop(text) };
      [...text].forEach((character, i) => {
        expect(vm.answer(63, string, i + 1)).toBe(`$${character}`);
      });
      vm.call(64, string, 1, vm.character('é'));
      expect(vm.value(string.oop)).toBe(`é${[...text].slice(1).join('')}`);
      expect(vm.answer(63, string, 0)).toEqual(BAD_INDEX);
      expect(vm.answer(63, string, [...text].length + 1)).toEqual(BAD_INDEX);
      expect(vm.answer(64, string, 1, 65)).toEqual(BAD_ARGUMENT);
    }
    expect(vm.answer(63, [1], 1)).toEqual(BAD_RECEIVER);
  });

  test('a Character too wide for bytes is refused', () => {
    const string = { oop: vm.oop('abc') };
    expect(vm.answer(64, string, 1, vm.character('€'))).toEqual(BAD_ARGUMENT);
    expect(vm.value(string.oop)).toBe('abc');
  });

  test('a word that is no code point is no Character', () => {
    const wide = words(SHAPE.WideString, 1);
    vm.call(61, wide, 1, 0x110000);
    expect(vm.answer(63, wide, 1)).toEqual(fails(PRIM_ERROR.inappropriate));
  });
});

describe('signed units', () => {
  test('shorts and integers read back with their signs', () => {
    const bytes = vm.bytes(...new Array(8).fill(0));
    for (const value of [0, -1, 32767, -32768]) {
      vm.call(144, bytes, 3, value);
      expect(vm.answer(143, bytes, 3)).toBe(value);
    }
    expect(vm.answer(144, bytes, 1, 32768)).toEqual(BAD_ARGUMENT);
    for (const value of [0n, -1n, 2n ** 31n - 1n, -(2n ** 31n)]) {
      expect(vm.answer(166, bytes, 2, value)).toEqual(vm.answer(165, bytes, 2));
    }
    expect(vm.answer(165, bytes, 2)).toBe(-(2n ** 31n));
    expect(vm.answer(166, bytes, 1, 2n ** 31n)).toEqual(BAD_ARGUMENT);
    expect(vm.answer(165, bytes, 3)).toEqual(BAD_INDEX);
    expect(vm.answer(143, bytes, 5)).toEqual(BAD_INDEX);
    expect(vm.answer(143, [1], 1)).toEqual(BAD_RECEIVER);
    expect(vm.answer(165, vm.bytes(1, 2, 3), 1)).toEqual(BAD_INDEX);
  });
});

describe('replaceFrom:to:with:startingAt: and atAllPut:', () => {
  test('copies between objects of one kind', () => {
    const array = { oop: vm.oop([1, 2, 3, 4]) };
    vm.call(105, array, 2, 3, [8, 9, 10], 2);
    expect(vm.value(array.oop)).toEqual([1, 9, 10, 4]);
    const bytes = vm.bytes(1, 2, 3, 4, 5, 6, 7);
    vm.call(105, bytes, 2, 6, 'abcdefgh', 3);
    expect(vm.value(bytes.oop)).toEqual([1, 99, 100, 101, 102, 103, 7]);
  });

  test('overlapping runs copy as if through a buffer', () => {
    for (const [start, stop, from, wanted] of [
      [2, 5, 1, [1, 1, 2, 3, 4]],
      [1, 4, 2, [2, 3, 4, 5, 5]],
    ] as const) {
      const array = { oop: vm.oop([1, 2, 3, 4, 5]) };
      vm.call(105, array, start, stop, array, from);
      expect(vm.value(array.oop)).toEqual(wanted);
      const bytes = vm.bytes(1, 2, 3, 4, 5);
      vm.call(105, bytes, start, stop, bytes, from);
      expect(vm.value(bytes.oop)).toEqual(wanted);
    }
  });

  test('a WideString takes from a ByteString, not the other way round', () => {
    const wide = { oop: vm.oop('€€€€') };
    vm.call(105, wide, 2, 3, 'éa', 1);
    expect(vm.value(wide.oop)).toBe('€éa€');
    expect(vm.answer(105, 'abcd', 1, 2, wide, 1)).toEqual(BAD_ARGUMENT);
    expect(vm.answer(105, [1, 2], 1, 2, 'ab', 1)).toEqual(BAD_ARGUMENT);
  });

  test('bounds are checked on both sides', () => {
    const array = { oop: vm.oop([1, 2, 3]) };
    for (const [start, stop, from] of [
      [0, 1, 1],
      [1, 4, 1],
      [3, 4, 1],
      [1, 2, 0],
      [1, 2, 4],
      [1, 3, 2],
      [3, 1, 1],
      [2 ** 29, 2 ** 29, 1],
    ] as const) {
      expect(vm.answer(105, array, start, stop, [7, 8, 9], from)).toEqual(BAD_INDEX);
    }
    expect(vm.answer(105, array, 2, 1, [7], 1)).toEqual([1, 2, 3]);
    expect(vm.answer(105, array, 1, 0, [7], 5)).toEqual([1, 2, 3]);
    expect(vm.answer(105, array, 'a', 1, [7], 1)).toEqual(BAD_ARGUMENT);
    expect(vm.answer(105, array, 1, 1, 7, 1)).toEqual(BAD_ARGUMENT);
  });

  test('fills every element', () => {
    expect(vm.answer(145, [1, 2, 3], 'x')).toEqual(['x', 'x', 'x']);
    expect(vm.answer(145, vm.bytes(1, 2, 3), 9)).toEqual([9, 9, 9]);
    expect(vm.answer(145, vm.bytes(1, 2, 3), 256)).toEqual(BAD_ARGUMENT);
  });
});

describe('slotAt:', () => {
  test('counts named and indexed slots', () => {
    const mixed = { oop: memory.instantiateClass(MIXED, 1) };
    [1, 2, 3].forEach((index) => {
      for (const [get, put] of [
        [73, 74],
        [173, 174],
      ] as const) {
        expect(vm.answer(put, mixed, index, index * 10 + get)).toBe(index * 10 + get);
        expect(vm.answer(get, mixed, index)).toBe(index * 10 + get);
      }
    });
    expect(vm.answer(73, mixed, 4)).toEqual(BAD_INDEX);
    expect(vm.answer(74, mixed, 0, 1)).toEqual(BAD_INDEX);
    expect(vm.answer(73, 3, 1)).toEqual(BAD_RECEIVER);
  });

  test('a live Context asks for an unwound stack', () => {
    const context = { oop: memory.instantiate(SHAPE.Context, 16) };
    memory.store(context.oop, CONTEXT.sender, 9);
    const unwind = fails(PRIM_ERROR.needsUnwind);
    expect(vm.answer(73, context, 1)).toEqual(unwind);
    expect(vm.answer(74, context, 1, null)).toEqual(unwind);
    expect(vm.answer(60, context, 1)).toEqual(unwind);
    expect(vm.answer(61, context, 1, 2)).toEqual(unwind);
    expect(vm.answer(148, context)).toEqual(unwind);
    expect(vm.answer(132, context, 3)).toEqual(unwind);
  });

  test('a Context stays one', () => {
    const context = { oop: memory.instantiate(SHAPE.Context, 16) };
    const refused = fails(PRIM_ERROR.inappropriate);
    expect(vm.answer(74, context, 1, 5)).toEqual(refused);
    expect(vm.answer(74, context, 2, 'x')).toEqual(refused);
    expect(vm.answer(74, context, 3, 11)).toEqual(refused);
    expect(vm.answer(74, context, 4, [1])).toEqual(refused);
    expect(vm.answer(74, context, 5, 1)).toEqual(refused);
    expect(vm.answer(74, context, 3, 10)).toBe(10);
    expect(vm.answer(74, context, 6, 'receiver')).toBe('receiver');
  });
});
