/** Dictionaries, names and methods in a heap, without the class library. */
import { describe, expect, test } from 'vitest';
import { randomNumbers } from '../../test/machine/random-heap.ts';
import { bareDefinitions, bareHeap } from '../bootstrap/bare.ts';
import {
  associationAt,
  associations,
  methodAt,
  methodEntries,
  newDictionary,
  putAt,
  putMethod,
  removeKey,
  removeMethod,
  valueAt,
} from './dictionaries.ts';
import { compileIntoClass } from './installer.ts';
import { bindingOf, declareGlobal, findBinding, imageScope } from './scope.ts';
import { ASSOCIATION, BEHAVIOR, METHOD_STATE, PRAGMA, SHAPE, SPECIAL } from './well-known.ts';

const SEED = Number(process.env['PALIMPSEST_SEED'] ?? Date.now() % 1_000_000);

describe('dictionaries', () => {
  test(`a Dictionary does what a Map does, seed ${SEED}`, () => {
    const { memory } = bareHeap();
    const random = randomNumbers(SEED);
    const dictionary = newDictionary(memory, SHAPE.SystemDictionary, 4);
    const model = new Map<number, number>();
    for (let i = 0; i < 3000; i++) {
      const key = memory.internSymbol(`k${random(200)}`);
      if (random(3) === 0) {
        expect(removeKey(memory, dictionary, key) !== 0).toBe(model.delete(key));
      } else {
        putAt(memory, dictionary, key, (i << 1) | 1);
        model.set(key, (i << 1) | 1);
      }
      const probe = memory.internSymbol(`k${random(200)}`);
      expect(valueAt(memory, dictionary, probe)).toBe(model.get(probe) ?? 0);
    }
    expect(associations(memory, dictionary)).toHaveLength(model.size);
    expect(memory.fetch(dictionary, 0) >> 1).toBe(model.size);
  });

  test(`a MethodDictionary does what a Map does, seed ${SEED}`, () => {
    const { memory, classes } = bareHeap();
    const random = randomNumbers(SEED);
    const classOop = classes.get('Point')!;
    const model = new Map<number, number>();
    for (let i = 0; i < 3000; i++) {
      const key = memory.internSymbol(`m${random(150)}`);
      if (random(3) === 0) {
        expect(removeMethod(memory, classOop, key)).toBe(model.delete(key));
      } else {
        const method = memory.internSymbol(`stands for method ${i}`);
        putMethod(memory, classOop, key, method);
        model.set(key, method);
      }
      const dictionary = memory.fetch(classOop, BEHAVIOR.methodDictionary);
      const probe = memory.internSymbol(`m${random(150)}`);
      expect(methodAt(memory, dictionary, probe)).toBe(model.get(probe) ?? 0);
    }
    const entries = methodEntries(memory, memory.fetch(classOop, BEHAVIOR.methodDictionary));
    expect(new Map(entries)).toEqual(model);
    expect(memory.checkHeap()).toEqual([]);
  });
});

test('a method is found under the selector that its own has become', () => {
  const { memory, classes } = bareHeap();
  const classOop = classes.get('Point')!;
  const names = Array.from({ length: 40 }, (_, i) => memory.internSymbol(`m${i}`));
  for (const name of names) putMethod(memory, classOop, name, memory.special(SPECIAL.smalltalk));
  const pairs = names.map((name, i) => [name, memory.internSymbol(`other${i}`)] as const);
  expect(memory.becomeForward(pairs, false)).toBe(true);
  const dictionary = memory.fetch(classOop, BEHAVIOR.methodDictionary);
  for (const [, other] of pairs) expect(methodAt(memory, dictionary, other)).not.toBe(0);
  expect(memory.checkHeap()).toEqual([]);
});

describe('scope', () => {
  const definitions = bareDefinitions();
  const given = { ...definitions[0]!, superclass: 'Object' };
  definitions.push(
    { ...given, name: 'Colours', classVars: ['Red'] },
    { ...given, name: 'Base', instVars: ['width'], classVars: ['Count'], pools: ['Colours'] },
    { ...given, name: 'Derived', superclass: 'Base', instVars: ['height'] },
  );
  const { memory, classes } = bareHeap({ definitions });
  const derived = classes.get('Derived')!;

  test('sees inherited slots, class variables, pools and globals, on both sides', () => {
    expect(imageScope(memory, derived).instanceVariables).toEqual(['width', 'height']);
    for (const classOop of [derived, memory.classOf(derived)]) {
      for (const name of ['Count', 'Red', 'Point', 'Smalltalk']) {
        expect(imageScope(memory, classOop).binding(name), name).toBe('found');
      }
    }
    expect(imageScope(memory, memory.nil).binding('Count')).toBe('undeclared');
  });

  test('suggests names that are near', () => {
    expect(imageScope(memory, derived).suggestions?.('Piont')).toContain('Point');
    expect(imageScope(memory, derived).suggestions?.('heigth')).toEqual(['height']);
  });

  test('an undeclared name keeps its binding when it becomes a global', () => {
    const early = bindingOf(memory, derived, 'Later');
    expect(bindingOf(memory, memory.nil, 'Later')).toBe(early);
    expect(findBinding(memory, memory.nil, 'Later')).toBe(0);
    expect(declareGlobal(memory, 'Later', 7)).toBe(early);
    expect(findBinding(memory, derived, 'Later')).toBe(early);
    const key = memory.internSymbol('Later');
    expect(associationAt(memory, memory.special(SPECIAL.undeclared), key)).toBe(0);
  });

  test('a loop in the superclass chain ends', () => {
    memory.store(classes.get('Base')!, BEHAVIOR.superclass, derived);
    expect(imageScope(memory, derived).binding('Nothing')).toBe('undeclared');
  });
});

describe('compileIntoClass()', () => {
  const { memory, classes } = bareHeap();
  const point = classes.get('Point')!;
  const source = 'foo: a\n\t<hint: 3>\n\t^ #(1 2.5 $a foo (true) #[1 2]) -> [ :z | z + a + Point ]';
  const method = compileIntoClass(memory, point, { source, protocol: 'testing' });
  const count = (memory.fetch(method, 0) >> 1) & 0x7fff;

  test('puts the method where lookup finds it, in old space', () => {
    const dictionary = memory.fetch(point, BEHAVIOR.methodDictionary);
    expect(methodAt(memory, dictionary, memory.internSymbol('foo:'))).toBe(method);
    expect(memory.shapeOf(method)).toBe(SHAPE.CompiledMethod);
    expect(memory.isYoung(method)).toBe(false);
    expect((memory.fetch(method, 0) >> 25) & 15).toBe(1);
    expect(memory.checkHeap()).toEqual([]);
  });

  test('ends its literals with the method state and the binding of the class', () => {
    const state = memory.fetch(method, count - 1);
    expect(memory.stringValue(memory.fetch(state, METHOD_STATE.source))).toBe(source);
    expect(memory.symbolValue(memory.fetch(state, METHOD_STATE.selector))).toBe('foo:');
    expect(memory.symbolValue(memory.fetch(state, METHOD_STATE.protocol))).toBe('testing');
    expect(memory.fetch(state, METHOD_STATE.method)).toBe(method);
    const pragma = memory.fetch(memory.fetch(state, METHOD_STATE.pragmas), 0);
    expect(memory.symbolValue(memory.fetch(pragma, PRAGMA.keyword))).toBe('hint:');
    const binding = memory.fetch(method, count);
    expect(binding).toBe(findBinding(memory, memory.nil, 'Point'));
    expect(memory.fetch(binding, ASSOCIATION.value)).toBe(point);
  });

  test('gives a block its outer code and its own state', () => {
    const literals = Array.from({ length: count }, (_, i) => memory.fetch(method, i + 1));
    const block = literals.find((oop) => memory.shapeOf(oop) === SHAPE.CompiledBlock)!;
    const blockCount = (memory.fetch(block, 0) >> 1) & 0x7fff;
    expect(memory.fetch(block, blockCount)).toBe(method);
    const state = memory.fetch(block, blockCount - 1);
    expect(memory.fetch(state, METHOD_STATE.method)).toBe(block);
    expect(memory.fetch(state, METHOD_STATE.source)).toBe(memory.nil);
  });

  test('methods of a metaclass share one binding without a key', () => {
    const meta = memory.classOf(point);
    const make = (name: string): number => {
      const made = compileIntoClass(memory, meta, {
        source: `${name} ^ super new`,
        protocol: null,
      });
      return memory.fetch(made, (memory.fetch(made, 0) >> 1) & 0x7fff);
    };
    const binding = make('first');
    expect(memory.fetch(binding, ASSOCIATION.key)).toBe(memory.nil);
    expect(memory.fetch(binding, ASSOCIATION.value)).toBe(meta);
    expect(make('second')).toBe(binding);
  });
});
