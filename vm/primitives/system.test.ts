/** Strings, Characters, clocks, the machine around the image, code, the compiler; and the table. */
import { describe, expect, test } from 'vitest';
import { Fixture, fails, type Value } from '../../test/machine/primitive-fixture.ts';
import { PRIM_ERROR } from '../interpreter/primitive-interface.ts';
import { FORMAT, READ_ONLY } from '../objects/layout.ts';
import { SHAPE } from '../objects/well-known.ts';
import { NAMED } from './named.ts';
import { NUMBERED } from './table.ts';

const vm = new Fixture();
const { memory } = vm;
const BAD_ARGUMENT = fails(PRIM_ERROR.badArgument);
const BAD_RECEIVER = fails(PRIM_ERROR.badReceiver);

describe('String primitives', () => {
  test('compare by code point across representations', () => {
    for (const [a, b, wanted] of [
      ['abc', 'abd', -1],
      ['abc', 'abc', 0],
      ['abc', '#abc', 0],
      ['b', 'abc', 1],
      ['ab', 'abc', -1],
      ['', '', 0],
      ['é', '€', -1],
      ['😀', '€', 1],
    ] as const) {
      expect(vm.answer(158, a, b)).toBe(wanted);
      expect(vm.answer('primitiveStringCompare', null, b, a)).toBe(0 - wanted);
    }
    expect(vm.answer(158, 'a', 3)).toEqual(BAD_ARGUMENT);
    expect(vm.answer(158, 3, 'a')).toEqual(BAD_RECEIVER);
  });

  test('equal text has equal hashes', () => {
    const wide = memory.instantiate(SHAPE.WideString, 3);
    [...'abc'].forEach((character, i) => {
      memory.H[wide + 2 + i] = character.charCodeAt(0);
    });
    const hash = vm.answer('primitiveStringHash', 'abc');
    expect(vm.answer('primitiveStringHash', '#abc')).toBe(hash);
    expect(vm.answer('primitiveStringHash', null, { oop: wide })).toBe(hash);
    expect(vm.answer('primitiveStringHash', 'abd')).not.toBe(hash);
    expect(vm.answer('primitiveStringHash', 3)).toEqual(BAD_ARGUMENT);
  });

  test('index of a part', () => {
    expect(vm.answer('primitiveStringIndexOf', 'banana', 'ana', 1)).toBe(2);
    expect(vm.answer('primitiveStringIndexOf', 'banana', 'ana', 3)).toBe(4);
    expect(vm.answer('primitiveStringIndexOf', 'banana', 'ana', 5)).toBe(0);
    expect(vm.answer('primitiveStringIndexOf', 'banana', 'ana', -7)).toBe(2);
    expect(vm.answer('primitiveStringIndexOf', 'x😀y', 'y', 1)).toBe(3);
    expect(vm.answer('primitiveStringIndexOf', 'aab', 'ab', 1)).toBe(2);
    expect(vm.answer('primitiveStringIndexOf', 'a', '', 1)).toBe(0);
    expect(vm.answer('primitiveStringIndexOf', 'a', 'aa', 1)).toBe(0);
    expect(vm.answer('primitiveStringIndexOf', 'a', 3, 1)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveStringIndexOf', 'banana', vm.character('n'), 4)).toBe(5);
    expect(vm.answer('primitiveStringIndexOf', 'banana', vm.character('λ'), 1)).toBe(0);
  });

  test('forms of Unicode', () => {
    const map = (text: Value, which: Value) => vm.answer('primitiveUnicodeMap', text, which);
    expect(map('e\u0301', 1)).toBe('é');
    expect(map('é', 2)).toBe('e\u0301');
    expect(map('ﬁ', 1)).toBe('ﬁ');
    expect(map('ﬁ', 3)).toBe('fi');
    expect(map('ﬁé', 4)).toBe('fie\u0301');
    expect(map('Straße', 5)).toBe('STRASSE');
    expect(map('ΑΣ', 6)).toBe('ας');
    expect(map('Straße', 7)).toBe('strasse');
    expect(map('a', 0)).toEqual(BAD_ARGUMENT);
    expect(map('a', 8)).toEqual(BAD_ARGUMENT);
    expect(map('a', 'b')).toEqual(BAD_ARGUMENT);
    expect(map(3, 1)).toEqual(BAD_RECEIVER);
  });

  test('one Symbol for one text', () => {
    const symbol = vm.call('primitiveSymbolIntern', 'swim:');
    expect(vm.call('primitiveSymbolIntern', null, 'swim:')).toBe(symbol);
    expect(vm.call('primitiveSymbolIntern', { oop: symbol })).toBe(symbol);
    expect(vm.answer('primitiveSymbolIntern', 'größe€')).toBe('#größe€');
    expect(vm.answer('primitiveSymbolIntern', 3)).toEqual(BAD_ARGUMENT);
  });

  test('bytes replace a whole String', () => {
    const string = { oop: vm.oop('abc') };
    expect(vm.answer('primitiveReplaceBytes', string, vm.bytes(65, 0xe9, 67, 68))).toBe('AéC');
    expect(vm.answer('primitiveReplaceBytes', string, vm.bytes(65))).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveReplaceBytes', string, [1])).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveReplaceBytes', '€', vm.bytes(1))).toEqual(BAD_RECEIVER);
  });

  test('UTF-8 there and back', () => {
    expect(vm.answer('primitiveUtf8Encode', 'é€😀')).toEqual([...new TextEncoder().encode('é€😀')]);
    expect(vm.answer('primitiveUtf8Decode', vm.bytes(...new TextEncoder().encode('é€😀')))).toBe(
      'é€😀',
    );
    expect(vm.answer('primitiveUtf8Decode', vm.bytes(0xc3))).toEqual(
      fails(PRIM_ERROR.inappropriate),
    );
    expect(vm.answer('primitiveUtf8Decode', vm.bytes(0xef, 0xbb, 0xbf))).toBe('\ufeff');
    expect(vm.answer('primitiveUtf8Decode', [1])).toEqual(BAD_ARGUMENT);
    const lone = memory.instantiate(SHAPE.WideString, 1);
    memory.H[lone + 2] = 0xd800;
    expect(vm.answer('primitiveUtf8Encode', { oop: lone })).toEqual(
      fails(PRIM_ERROR.inappropriate),
    );
  });
});

describe('Character primitives', () => {
  test('value: and asInteger', () => {
    expect(vm.answer(170, null, 97)).toBe('$a');
    expect(vm.answer(170, 0x1f600)).toBe('$😀');
    expect(vm.answer(171, vm.character('€'))).toBe(0x20ac);
    expect(vm.answer(171, 5)).toBe(5);
    for (const value of [-1, 0x110000, 'a', null]) {
      expect(vm.answer(170, null, value)).toEqual(BAD_ARGUMENT);
    }
    expect(vm.answer(171, 'a')).toEqual(BAD_RECEIVER);
  });

  test('case and category', () => {
    expect(vm.answer('primitiveUnicodeUpper', vm.character('é'))).toBe('$É');
    expect(vm.answer('primitiveUnicodeUpper', vm.character('ß'))).toBe('$ß');
    expect(vm.answer('primitiveUnicodeLower', null, vm.character('Σ'))).toBe('$σ');
    expect(vm.answer('primitiveUnicodeLower', 3)).toEqual(BAD_ARGUMENT);
    for (const [character, category] of [
      ['A', 'Lu'],
      ['ä', 'Ll'],
      ['5', 'Nd'],
      [' ', 'Zs'],
      ['_', 'Pc'],
      ['+', 'Sm'],
      ['\n', 'Cc'],
      ['中', 'Lo'],
      ['\u0378', 'Cn'],
    ] as const) {
      expect(vm.answer('primitiveUnicodeCategory', vm.character(character))).toBe(category);
    }
  });
});

describe('clocks', () => {
  test('count from 1901', () => {
    vm.nowMicroseconds = Date.UTC(2026, 0, 1) * 1000;
    const days = BigInt((Date.UTC(2026, 0, 1) - Date.UTC(1901, 0, 1)) / 86_400_000);
    expect(vm.answer(240, null)).toBe(days * 86_400_000_000n);
    expect(vm.answer(241, null)).toBe(days * 86_400_000_000n + 3_600_000_000n);
    expect(vm.answer(137, null)).toBe(days * 86_400n + 3600n);
    expect(vm.answer('primitiveTimeZoneOffset', null)).toBe(3600);
    const before = vm.answer(135, null) as number;
    vm.nowMicroseconds += 2_500_000;
    expect(vm.answer(135, null)).toBe((before + 2500) % 0x20000000);
  });
});

describe('system primitives', () => {
  test('console, randomness, journal', () => {
    vm.call('primitiveConsoleWrite', null, 'hé€\n');
    expect(vm.written).toEqual(['hé€\n']);
    expect(vm.answer('primitiveConsoleWrite', null, 3)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveRandomBytes', null, 3)).toEqual([7, 7, 7]);
    expect(vm.answer('primitiveRandomBytes', null, -1)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveRandomBytes', null, 1e6)).toEqual(fails(PRIM_ERROR.limitExceeded));
    expect(vm.answer('primitiveCommit', null, null)).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveGenerations', null)).toEqual([[3, 5, 'known good']]);
    expect(vm.answer('primitiveJournalLabel', null, 3, 'x')).toEqual(fails(PRIM_ERROR.unsupported));
    expect(vm.answer('primitiveShutdown', null, '#reboot')).toEqual(fails(PRIM_ERROR.unsupported));
    expect(vm.answer('primitiveShutdown', null, '#nonsense')).toEqual(BAD_ARGUMENT);
  });

  test('memory and statistics', () => {
    const before = vm.answer(112, null) as number;
    memory.instantiateOld(SHAPE.Array, 1000);
    expect(vm.answer(112, null)).toBe(before - 1004 * 4);
    expect(vm.answer('primitiveStatistic', null, '#scavenges')).toBe(memory.scavengeCount);
    vm.call('primitiveGcScavenge', null);
    expect(vm.answer('primitiveStatistic', null, '#scavenges')).toBe(memory.scavengeCount);
    expect(memory.scavengeCount).toBeGreaterThan(0);
    expect(vm.answer('primitiveStatistic', null, '#sends')).toBe(12);
    expect(vm.answer('primitiveStatistic', null, '#nothing')).toBe(null);
    expect(vm.call(129, null)).toBe(memory.specials);
  });

  test('lookup, caches, stack', () => {
    expect(vm.answer('primitiveMethodLookup', null, [], '#foo')).toBe(null);
    expect(vm.answer('primitiveMethodLookup', null, 3, '#foo')).toEqual(BAD_ARGUMENT);
    const flushes = vm.flushes;
    for (const number of [89, 116, 119, 'primitiveFlushCache']) vm.call(number, null);
    expect(vm.flushes).toBe(flushes + 4);
    expect(vm.answer('primitiveStackTrace', null, [])).toBe('nothing runs');
    expect(vm.answer('primitiveStackTrace', null, 3)).toEqual(BAD_ARGUMENT);
  });
});

describe('code', () => {
  vm.classAt(SHAPE.CompiledMethod, FORMAT.compiledCode);
  const compile = (source: string, kind = '#doIt') =>
    vm.call('primitiveCompile', null, source, null, kind);

  test('primitiveCompile answers a method or the place of the mistake', () => {
    const method = compile("{1. 2} size + 'abc' size");
    expect(memory.shapeOf(method)).toBe(SHAPE.CompiledMethod);
    expect(memory.shapeOf(compile('foo: x ^ x + 1', '#method'))).toBe(SHAPE.CompiledMethod);
    expect(vm.value(compile('3 +'))).toEqual([expect.stringContaining('Cannot compile'), 4, 1, 4]);
    expect(vm.value(compile('foo\n ^ )', '#method'))).toEqual([expect.any(String), 8, 2, 4]);
    expect(vm.answer('primitiveCompile', null, '3', null, '#other')).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveCompile', null, 3, null, '#doIt')).toEqual(BAD_ARGUMENT);
    expect(vm.answer('primitiveCompile', null, '3', [1], '#doIt')).toEqual(BAD_ARGUMENT);
    const long = ' '.repeat(1024 * 1024 + 1);
    expect(vm.answer('primitiveCompile', long, null, '#doIt')).toEqual(
      fails(PRIM_ERROR.limitExceeded),
    );
  });

  test('header, literals and bytecodes can be read, literals replaced', () => {
    const method = { oop: compile("'abc' foo: 1000000") };
    const literals = (vm.answer(68, method, 1) as number) & 0x7fff;
    const found = Array.from({ length: literals }, (_, i) => vm.answer(68, method, i + 2));
    expect(found).toEqual(expect.arrayContaining(['abc', 1000000, '#foo:']));
    expect(vm.answer(69, method, found.indexOf('abc') + 2, 'xyz')).toBe('xyz');
    expect(vm.answer(68, method, found.indexOf('abc') + 2)).toBe('xyz');
    expect(vm.answer(68, method, literals + 2)).toEqual(fails(PRIM_ERROR.badIndex));
    expect(vm.answer(69, method, 1, 5)).toEqual(fails(PRIM_ERROR.badIndex));
    expect(vm.answer(68, 'abc', 1)).toEqual(BAD_RECEIVER);
    const size = vm.answer(62, method) as number;
    expect(vm.answer(60, method, size)).toEqual(expect.any(Number));
    expect(vm.answer(60, method, size + 1)).toEqual(fails(PRIM_ERROR.badIndex));
    expect(vm.answer(60, method, 1)).toEqual(fails(PRIM_ERROR.badIndex));
    expect(vm.answer(61, method, size, 0)).toEqual(BAD_RECEIVER);
  });
});

describe('the table', () => {
  test('has each number and name once, in order', () => {
    const numbers = NUMBERED.map(([number]) => number);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(new Set(NAMED.map(({ name }) => name)).size).toBe(NAMED.length);
  });

  test('no primitive throws or does damage, whatever it is given', () => {
    const values = [...plainValues(), ...oddObjects(vm)];
    const rows = [...NUMBERED.map(([number]) => number), ...NAMED.map(({ name }) => name)];
    for (const row of rows) {
      for (const receiver of values) {
        for (const arg of values) {
          for (const rest of [[], [arg], [arg, receiver], [arg, 1, receiver], [1, 1, arg, 1]]) {
            vm.call(row, receiver, ...rest);
          }
        }
      }
    }
    expect(memory.checkHeap()).toEqual([]);
  });
});

function plainValues(): Value[] {
  return [null, 3, -1, 0.5, 'abc', '#abc', [1, 2], 2n ** 70n, vm.character('a'), true];
}

/** Objects in old space (a scavenge does not move them) that primitives might trip over. */
function oddObjects(fixture: Fixture): Value[] {
  const { memory } = fixture;
  const old = (shape: number, slots: number) => memory.instantiateOld(shape, slots);
  const classOop = fixture.newClass(['a'], FORMAT.fixedVariable);
  const instance = memory.instantiateOld(memory.fetch(classOop, 3) >> 1, 3);
  const readOnly = old(SHAPE.Array, 2);
  memory.H[readOnly]! |= READ_ONLY;
  const [forwarder, target] = [old(SHAPE.Array, 1), old(SHAPE.Array, 1)];
  memory.becomeForward([[forwarder, target]], false);
  const method = fixture.call('primitiveCompile', null, '3 + 4', null, '#doIt');
  const wide = memory.newStringOld('a€c');
  const empty = [old(SHAPE.Array, 0), old(SHAPE.FullBlockClosure, 4), old(SHAPE.Context, 16)];
  const oops = [classOop, instance, readOnly, forwarder, method, wide, ...empty];
  return oops.map((oop) => ({ oop }));
}
