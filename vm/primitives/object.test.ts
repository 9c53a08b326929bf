/** Making, copying, comparing and changing objects. */
import { describe, expect, test } from 'vitest';
import { Fixture, fails } from '../../test/machine/primitive-fixture.ts';
import { PRIM_ERROR } from '../interpreter/primitive-interface.ts';
import { FORMAT, OLD_START } from '../objects/layout.ts';
import { SHAPE } from '../objects/well-known.ts';

const vm = new Fixture();
const { memory } = vm;
const BAD_ARGUMENT = fails(PRIM_ERROR.badArgument);
const BAD_RECEIVER = fails(PRIM_ERROR.badReceiver);
const INAPPROPRIATE = fails(PRIM_ERROR.inappropriate);
const PAIR = { oop: vm.newClass(['left', 'right'], FORMAT.fixed) };
const TWIN = { oop: vm.newClass(['left', 'right'], FORMAT.fixed) };
const TRIPLE = { oop: vm.newClass(['a', 'b', 'c'], FORMAT.fixed) };
const LIST = { oop: vm.newClass(['size'], FORMAT.fixedVariable) };
const BYTES = { oop: vm.newClass([], FORMAT.bytes) };
const WORDS = { oop: vm.newClass([], FORMAT.words32) };

describe('new and new:', () => {
  test('makes instances with nil or zero inside', () => {
    expect(vm.answer(70, PAIR)).toEqual([null, null]);
    const list = vm.call(71, LIST, 3);
    expect(memory.slotCount(list)).toBe(4);
    expect(vm.answer(62, { oop: list })).toBe(3);
    const bytes = vm.call(71, BYTES, 5);
    expect([...memory.fetchBytes(bytes)]).toEqual([0, 0, 0, 0, 0]);
    expect(memory.classOf(bytes)).toBe(BYTES.oop);
    expect(memory.slotCount(vm.call(71, LIST, 100_000))).toBe(100_001);
  });

  test('refuses sizes and receivers that make no sense', () => {
    expect(vm.answer(71, PAIR, 1)).toEqual(BAD_ARGUMENT);
    expect(vm.answer(71, PAIR, 0)).toEqual([null, null]);
    for (const size of [-1, 'x', 1.5, 2n ** 40n]) {
      expect(vm.answer(71, LIST, size)).toEqual(BAD_ARGUMENT);
    }
    expect(vm.answer(71, LIST, 2 ** 28)).toEqual(fails(PRIM_ERROR.limitExceeded));
    expect(vm.answer(71, LIST, 2 ** 28 - 1)).toEqual(fails(PRIM_ERROR.noMemory));
    for (const receiver of [3, null, 'abc', [1, 2, 3, 4, 5], vm.character('a')]) {
      expect(vm.answer(70, receiver)).toEqual(BAD_RECEIVER);
      expect(vm.answer(71, receiver, 1)).toEqual(BAD_RECEIVER);
    }
  });

  test('the immediate classes have no new instances', () => {
    const character = { oop: vm.classAt(2, FORMAT.empty) };
    expect(vm.answer(70, character)).toEqual(BAD_ARGUMENT);
  });

  test('what must not move is made in old space', () => {
    const dictionary = { oop: vm.classAt(SHAPE.MethodDictionary, FORMAT.fixedVariable) };
    expect(vm.call(71, dictionary, 32)).toBeGreaterThan(OLD_START);
    const method = { oop: vm.classAt(SHAPE.CompiledMethod, FORMAT.compiledCode) };
    expect(vm.answer(71, method, 32)).toEqual(BAD_ARGUMENT);
  });

  test('sizes in bytes count header, padding and prefix', () => {
    expect(vm.answer(181, PAIR)).toBe(16);
    expect(vm.answer(181, TRIPLE)).toBe(24);
    expect(vm.answer(182, BYTES, 9)).toBe(24);
    expect(vm.answer(182, LIST, 254)).toBe((2 + 256 + 2) * 4);
    expect(vm.answer(182, PAIR, 3)).toEqual(BAD_ARGUMENT);
    expect(vm.answer(181, 7)).toEqual(BAD_RECEIVER);
  });
});

describe('identity', () => {
  test('== compares oops, bits of Floats, and what forwarders lead to', () => {
    expect(vm.answer(110, 3, 3)).toBe(true);
    expect(vm.answer(110, 'a', 'a')).toBe(false);
    expect(vm.answer(169, 'a', 'a')).toBe(true);
    expect(vm.answer(110, vm.float(1.5), vm.float(1.5))).toBe(true);
    expect(vm.answer(110, vm.float(0), vm.float(-0))).toBe(false);
    expect(vm.answer(110, vm.float(Number.NaN), vm.float(Number.NaN))).toBe(true);
    expect(vm.answer(110, vm.float(1), 1)).toBe(false);
    const [a, b] = [vm.call(70, PAIR), vm.call(70, PAIR)];
    expect(vm.answer(110, { oop: a }, { oop: b })).toBe(false);
    memory.becomeForward([[a, b]], true);
    expect(vm.answer(110, { oop: a }, { oop: b })).toBe(true);
    expect(vm.answer(110, { oop: b }, { oop: a })).toBe(true);
    expect(vm.answer(169, { oop: b }, { oop: a })).toBe(false);
  });

  test('the hash stays, and equal Floats and Characters share it', () => {
    const pair = { oop: vm.call(70, PAIR) };
    const hash = vm.answer(75, pair);
    expect(vm.answer(175, pair)).toBe(hash);
    expect(vm.answer(75, vm.float(2.5))).toBe(vm.answer(75, vm.float(2.5)));
    expect(vm.answer(75, vm.character('a'))).toBe(97);
    expect(vm.answer(176, null)).toBe(0x3fffff);
  });

  test('class', () => {
    expect(vm.call(111, { oop: vm.call(70, PAIR) })).toBe(PAIR.oop);
    expect(vm.call(111, null, { oop: vm.call(70, PAIR) })).toBe(PAIR.oop);
  });
});

describe('copies', () => {
  test('clone is shallow, writable and of the same kind', () => {
    const original = { oop: vm.call(70, PAIR) };
    vm.call(74, original, 1, 'left');
    vm.call(164, original, true);
    const copy = { oop: vm.call(148, original) };
    expect(copy.oop).not.toBe(original.oop);
    expect(memory.fetch(copy.oop, 0)).toBe(memory.fetch(original.oop, 0));
    expect(vm.answer(163, copy)).toBe(false);
    expect(memory.classOf(copy.oop)).toBe(PAIR.oop);
    expect(vm.answer(148, 'text')).toBe('text');
    expect(vm.answer(148, vm.bytes(1, 2, 3))).toEqual([1, 2, 3]);
    expect(vm.answer(148, 7)).toBe(7);
    expect(vm.answer(148, vm.character('x'))).toBe('$x');
    expect(vm.answer(148, vm.float(1.5))).toBe(1.5);
  });

  test('copyFrom: wants the same class and size', () => {
    const [a, b] = [{ oop: vm.oop('abcde') }, { oop: vm.oop('vwxyz') }];
    expect(vm.answer(168, a, b)).toBe('vwxyz');
    expect(vm.answer(168, a, 'abcdef')).toEqual(BAD_ARGUMENT);
    expect(vm.answer(168, a, vm.bytes(1, 2, 3, 4, 5))).toEqual(BAD_ARGUMENT);
    expect(vm.answer(168, 3, 4)).toEqual(BAD_RECEIVER);
    expect(vm.answer(168, PAIR, TWIN)).toEqual(BAD_RECEIVER);
  });
});

describe('become:', () => {
  test('72 forwards, 128 exchanges', () => {
    const [a, b] = [vm.call(70, PAIR), vm.call(70, PAIR)];
    vm.call(74, { oop: a }, 1, 'a');
    vm.call(74, { oop: b }, 1, 'b');
    expect(vm.answer(128, [{ oop: a }], [{ oop: b }])).not.toHaveProperty('fails');
    expect(vm.value(memory.follow(a))).toEqual(['b', null]);
    expect(vm.value(memory.follow(b))).toEqual(['a', null]);
    const [c, d] = [vm.call(70, PAIR), vm.call(70, PAIR)];
    vm.call(72, [{ oop: c }], [{ oop: d }]);
    expect(memory.follow(c)).toBe(d);
    const [e, g] = [vm.call(70, PAIR), vm.call(70, PAIR)];
    const hash = vm.answer(75, { oop: g });
    vm.call(249, [{ oop: e }], [{ oop: g }], false);
    expect(memory.follow(e)).toBe(g);
    expect(vm.answer(75, { oop: g })).toBe(hash);
  });

  test('classes that change places can both be instantiated', () => {
    const [a, b] = [vm.newClass(['x'], FORMAT.fixed), vm.newClass(['y'], FORMAT.fixed)];
    const instance = vm.call(70, { oop: a });
    vm.call(128, [{ oop: a }], [{ oop: b }]);
    expect(memory.classOf(instance)).toBe(memory.follow(a));
    for (const classOop of [a, b]) {
      const made = vm.call(70, { oop: memory.follow(classOop) });
      expect(memory.classOf(made)).toBe(memory.follow(classOop));
    }
  });

  test('refuses what must stay what it is', () => {
    for (const number of [72, 128]) {
      for (const fixed of [null, true, false, 7, vm.character('a')]) {
        const pair = { oop: vm.call(70, PAIR) };
        expect(vm.answer(number, [fixed], [pair])).toEqual(INAPPROPRIATE);
      }
      expect(vm.answer(number, [1, 2], [PAIR])).toEqual(BAD_ARGUMENT);
      expect(vm.answer(number, 'a', [PAIR])).toEqual(BAD_RECEIVER);
      expect(vm.answer(number, [PAIR], 'a')).toEqual(BAD_ARGUMENT);
    }
  });
});

describe('changing class', () => {
  test('wants the same layout', () => {
    const pair = { oop: vm.call(70, PAIR) };
    expect(vm.call(160, TWIN, pair)).toBe(TWIN.oop);
    expect(memory.classOf(pair.oop)).toBe(TWIN.oop);
    vm.call(115, pair, { oop: vm.call(70, PAIR) });
    expect(memory.classOf(pair.oop)).toBe(PAIR.oop);
    expect(vm.answer(160, TRIPLE, pair)).toEqual(BAD_ARGUMENT);
    expect(vm.answer(160, LIST, pair)).toEqual(BAD_ARGUMENT);
    expect(vm.answer(160, BYTES, pair)).toEqual(BAD_ARGUMENT);
    expect(vm.answer(160, TWIN, 3)).toEqual(BAD_RECEIVER);
    expect(vm.answer(160, 3, pair)).toEqual(BAD_RECEIVER);
  });

  test('bytes and words change units when the size allows', () => {
    const eight = { oop: vm.call(71, BYTES, 8) };
    expect(vm.call(160, WORDS, eight)).toBe(WORDS.oop);
    expect(vm.answer(62, eight)).toBe(2);
    expect(vm.answer(160, WORDS, { oop: vm.call(71, BYTES, 7) })).toEqual(BAD_ARGUMENT);
  });

  test('nothing turns into, or out of, what the VM alone makes', () => {
    const context = { oop: vm.classAt(SHAPE.Context, FORMAT.fixedVariable) };
    expect(vm.answer(160, context, { oop: vm.call(71, LIST, 3) })).toEqual(INAPPROPRIATE);
    expect(vm.answer(160, BYTES, '#symbol')).toEqual(INAPPROPRIATE);
    expect(vm.answer(160, PAIR, TWIN)).toEqual(INAPPROPRIATE);
  });
});

describe('reflection', () => {
  test('read-only can be set and asked', () => {
    const pair = { oop: vm.call(70, PAIR) };
    expect(vm.answer(163, pair)).toBe(false);
    expect(vm.answer(164, pair, true)).toBe(false);
    expect(vm.answer(163, pair)).toBe(true);
    expect(vm.answer(164, pair, false)).toBe(true);
    expect(vm.answer(163, 3)).toBe(true);
    expect(vm.answer(164, 3, true)).toEqual(BAD_RECEIVER);
    expect(vm.answer(164, pair, 1)).toEqual(BAD_ARGUMENT);
    expect(vm.answer(164, PAIR, true)).toEqual(INAPPROPRIATE);
  });

  test('pointsTo: sees direct references', () => {
    const array = { oop: vm.oop([1, PAIR]) };
    expect(vm.answer(132, array, PAIR)).toBe(true);
    expect(vm.answer(132, array, TWIN)).toBe(false);
    expect(vm.answer(132, 'text', PAIR)).toBe(false);
  });

  test('allInstances finds the young and the old', () => {
    const local = { oop: vm.newClass(['x'], FORMAT.fixed) };
    memory.instantiateOld(memory.fetch(local.oop, 3) >> 1, 1);
    const young = vm.call(70, local);
    // Nothing refers to the young one but the stack, which is no root here.
    const root = memory.instantiateOld(SHAPE.Array, 1);
    memory.store(root, 0, young);
    expect(vm.answer(177, local)).toHaveLength(2);
    expect(vm.answer('primitiveAllInstances', null, local)).toHaveLength(2);
    expect(vm.answer(177, 3)).toEqual(BAD_ARGUMENT);
    const all = vm.call(178, null);
    expect(memory.slotCount(all)).toBeGreaterThan(50);
  });

  test('new shapes and migration', () => {
    const local = { oop: vm.newClass(['x'], FORMAT.fixed) };
    const old = memory.fetch(local.oop, 3) >> 1;
    const instance = memory.instantiateOld(old, 1);
    memory.store(instance, 0, 15);
    const flushes = vm.flushes;
    const shape = vm.answer('primitiveNewShape', local, ['#y', '#x'], FORMAT.fixed);
    expect(shape).toBeGreaterThan(old);
    expect(vm.flushes).toBe(flushes + 1);
    expect(vm.answer('primitiveMigrateInstances', null, old, shape as number, [-1, 0])).toBe(1);
    expect(vm.value(memory.follow(instance))).toEqual([null, 7]);
    expect(vm.answer('primitiveMigrateInstances', null, old, shape as number, [0])).toEqual(
      BAD_ARGUMENT,
    );
    expect(vm.answer('primitiveMigrateInstances', null, old, shape as number, [0, 5])).toEqual(
      BAD_ARGUMENT,
    );
    expect(vm.answer('primitiveMigrateInstances', null, 2 ** 20, old, [0])).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveNewShape', local, ['#y'], FORMAT.bytes)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveNewShape', local, [], FORMAT.forwarder)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveNewShape', local, [], 31)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveNewShape', 3, [], 1)).toEqual(BAD_ARGUMENT);
    const known = { oop: vm.classAt(SHAPE.Fraction, FORMAT.fixed) };
    expect(vm.answer('primitiveNewShape', known, ['#a'], FORMAT.fixed)).toEqual(INAPPROPRIATE);
  });
});

test('the heap is sound after all this', () => {
  expect(memory.checkHeap()).toEqual([]);
});
