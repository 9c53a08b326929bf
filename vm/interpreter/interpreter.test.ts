/**
 * The interpreter on a small kernel. Each program runs on the machine as it is, on one whose stacks
 * are so small that everything spills, on one that unwinds at every poll, and on one that scavenges
 * at every safepoint: the results must be the same.
 */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { Machine, type MachineOptions, type Plain } from '../../test/machine/kernel-machine.ts';
import { debug } from '../base/debug.ts';
import { bytecodeOf, SPECIAL_SELECTORS } from '../bytecode/bytecodes.ts';

const MODES: readonly (readonly [string, MachineOptions, Partial<typeof debug>])[] = [
  ['as it is', {}, {}],
  ['tiny stacks', { stackWords: 200, depthMax: 3 }, {}],
  ['unwinding at every poll', {}, { unwindAtEveryPoll: true }],
  ['scavenging at every safepoint', { edenWords: 20_000 }, { gcStress: true }],
  ['all of it', { stackWords: 200, depthMax: 3, edenWords: 20_000 }, { gcStress: true }],
];

/** Methods of the test classes. */
const METHODS: Readonly<Record<string, readonly string[]>> = {
  Parent: [
    'a ^ a',
    'a: x a := x',
    'who ^ #parent',
    'callWho ^ self who',
    'find: x in: array self each: array do: [ :e | e = x ifTrue: [ ^ #found ] ]. ^ #missing',
    'each: array do: aBlock 1 to: array size do: [ :i | aBlock value: (array at: i) ]',
    'ensured: aBlock ^ [ aBlock value ] ensure: [ Log add: #ensured ]',
    'deep: n do: aBlock ^ n = 0 ifTrue: [ aBlock value ] ifFalse: [ self deep: n - 1 do: aBlock ]',
    'leave: n self deep: n do: [ ^ #left ]. ^ #stayed',
    'leaveEnsured: n self ensured: [ self deep: n do: [ ^ #left ] ]. ^ #stayed',
    'blockThatReturns ^ [ :x | ^ x ]',
    'counter | n | n := 0. ^ [ n := n + 1 ]',
    'blocks: k | all | all := Array new: k. 1 to: k do: [ :i | | t | t := i * 10. ' +
      'all at: i put: [ t := t + 1 ] ]. ^ all',
    'nested ^ [ :x | [ :y | x + y + a ] ]',
    'context ^ thisContext',
    'senderReceiver ^ thisContext sender receiver',
    'big: x ^ { x. x + 1. { x + 2. { x + 3 } } }',
    'many: p b: b c: c d: d e: e f: f ^ { p. b. c. d. e. f }',
  ],
  Child: [
    'who ^ #child',
    'superWho ^ super who',
    'blockSuperWho ^ [ super who ] value',
    'both a := 1. b := 2. ^ { a. b }',
  ],
};

const PROGRAMS: readonly (readonly [string, Plain])[] = [
  ['3 + 4 * 2', 14],
  ['1073741823 + 1', 1073741824n],
  ['-1073741824 - 1', -1073741825n],
  ['32768 * 32768', 1073741824n],
  ['-7 \\\\ 2', 1],
  ['-7 // 2', -4],
  ['7 \\\\ -2', -1],
  ['6 / 3', 2],
  ['1 bitShift: 29', 536870912],
  ['-8 bitShift: -1', -4],
  ['-8 bitShift: -40', -1],
  ['12 bitAnd: 10', 8],
  ['12 bitOr: 3', 15],
  ['1.5 + 1', 2.5],
  ['3 - 0.5', 2.5],
  ['{ 1 < 2.5. 2.5 <= 2. 1.0 = 1. 1 ~= 1.0 }', [true, false, true, false]],
  ['{ 1.5 == 1.5. #a == #a. 3 ~~ 3 }', [true, true, false]],
  ["'abc' size", 3],
  ['| s | s := 0. 1 to: 10 by: 3 do: [ :i | s := s + i ]. s', 22],
  ['| s | s := 0. 10 to: 1 by: -1 do: [ :i | s := s + i ]. s', 55],
  ['| n | n := 0. [ n < 1000 ] whileTrue: [ n := n + 1 ]. n', 1000],
  ['| n | n := 0. [ n < 50 ] whileDo: [ n := n + 1 ]. n', 50],
  ['(nil ifNil: [ 1 ]) + (2 ifNotNil: [ :x | x ])', 3],
  ['12 fib', 233],
  ['200 down', 200],
  ['200 downBlock', 200],
  ['Log add: 1; add: 2; yourself. Log last', 2],
  ['(Parent new a: 5) a', 5],
  ['| p | p := Parent new. p a: 5. p a', 5],
  ['{ Parent new callWho. Child new callWho }', ['#parent', '#child']],
  ['{ Child new superWho. Child new blockSuperWho }', ['#parent', '#parent']],
  ['Child new both', [1, 2]],
  ['Parent new big: 1', [1, 2, [3, [4]]]],
  ['Parent new many: 1 b: 2 c: 3 d: 4 e: 5 f: 6', [1, 2, 3, 4, 5, 6]],
  ['Parent new find: 3 in: #(1 2 3 4)', '#found'],
  ['Parent new find: 9 in: #(1 2 3 4)', '#missing'],
  ['Parent new leave: 50', '#left'],
  ['{ Parent new leaveEnsured: 20. Log last }', ['#left', '#ensured']],
  ['[ :x | x ] value: 7', 7],
  ['[ :x | x ] value', '#wrongArguments'],
  ['[ :x :y | x - y ] valueWithArguments: #(5 3)', 2],
  ['[ :x :y | x - y ] valueWithArguments: #(5)', '#wrongArguments'],
  [
    '| c d | c := Parent new counter. c value. d := Parent new counter. c value. { c value. d value }',
    [3, 1],
  ],
  [
    '| all | all := Parent new blocks: 3. (all at: 1) value. ' +
      '{ (all at: 1) value. (all at: 2) value. (all at: 3) value }',
    [12, 21, 31],
  ],
  ['| p | p := Parent new. p a: 100. (p nested value: 1) value: 2', 103],
  ['3 perform: #+ with: 4', 7],
  ['3 perform: #foo with: 4', '#badPerform'],
  ['3 perform: #between:and: withArguments: #(1)', '#badPerform'],
  ['Child new perform: #who withArguments: #() inSuperclass: Parent', '#parent'],
  ['{ #(1 2) at: 2. #(1 2) at: 3 }', [2, '#badIndex']],
  [
    '| a r | a := #(1 2). r := Array new: 5. ' +
      '1 to: 5 do: [ :i | r at: i put: (a at: (#(2 3 0 -1 1) at: i)) ]. r',
    [2, '#badIndex', '#badIndex', '#badIndex', 1],
  ],
  [
    '| a r | a := Array new: 2. r := Array new: 4. ' +
      '1 to: 4 do: [ :i | r at: i put: (a at: i - 1 put: i * 10) ]. { r. a }',
    [
      ['#badIndex', 20, 30, '#badIndex'],
      [20, 30],
    ],
  ],
  ['3 error: 4', '#bad receiver'],
  ['100 downError: 1', '#bad receiver'],
  ['3 zork. Log last', '#zork'],
  ['3 zork: 4 with: 5. Log last', '#zork:with:'],
  ['3 perform: #zork: with: 4. Log last', '#zork:'],
  ['3 ifTrue: [ #yes ] ifFalse: [ #no ]', '#no'],
  ['(3 ifTrue: [ 1 ]) isNil', true],
  ['thisContext sender', null],
  ['Parent new senderReceiver isNil', true],
  ['| c | c := Parent new context. { c pc isNil. c sender isNil }', [true, true]],
  ['thisContext == thisContext', true],
  ['| x | x := 5. thisContext at: 1', 5],
  ['| x | x := 5. thisContext at: 1 put: 6. x', 6],
  ['[ 5 ] ensure: [ Log add: #done ]. Log last', '#done'],
  [
    '| r | r := [ [ 1 ] ensure: [ Log add: #inner ] ] ensure: [ Log add: #outer ]. { r. Log last }',
    [1, '#outer'],
  ],
  ['[ thisContext nextHandler == nil ] mark: nil', false],
];

function machine(options: MachineOptions = {}): Machine {
  const made = new Machine(options);
  for (const [name, sources] of Object.entries(METHODS)) made.define(name, ...sources);
  return made;
}

afterEach(() => {
  debug.gcStress = false;
  debug.unwindAtEveryPoll = false;
});

describe.each(MODES)('Interpreter.run(), %s', (_mode, options, switches) => {
  const shared = machine(options);

  test.each(PROGRAMS)('%s', (source, expected) => {
    Object.assign(debug, switches);
    expect(shared.evaluate(source)).toEqual(expected);
    expect(shared.stops).toEqual([]);
  });

  test('leaves a heap without damage', () => {
    expect(shared.memory.checkHeap()).toEqual([]);
  });

  test('a ^ whose method has returned is sent cannotReturn:', () => {
    Object.assign(debug, switches);
    const fresh = machine(options);
    fresh.define(
      'Context',
      'cannotReturn: x Log add: x. self stop: Processor activeProcess ' +
        "context: self text: 'cannot return'",
    );
    fresh.evaluate('Parent new blockThatReturns value: 42');
    expect(fresh.stops.map(({ description }) => description)).toEqual(['cannot return']);
    expect(fresh.log()).toEqual([42]);
  });

  test('forwarders are followed wherever they turn up', () => {
    Object.assign(debug, switches);
    const fresh = machine(options);
    expect(
      fresh.evaluate(
        '| p q block | p := Parent new. p a: 1. q := Parent new. q a: 2. block := [ p a ]. ' +
          'p become: q. { p a. q a. block value. p == p. p == q. Parent new a }',
      ),
    ).toEqual([2, 1, 2, true, false, null]);
    expect(fresh.memory.checkHeap()).toEqual([]);
  });
});

describe('Interpreter.run()', () => {
  test('recursion a million deep spills and comes back', () => {
    expect(machine().evaluate('1000000 down')).toBe(1_000_000);
  });

  test('endless recursion ends in stackOverflow and the machine goes on', () => {
    const fresh = machine({ spilledBytesMax: 8 * 2 ** 20 });
    fresh.define('SmallInteger', 'forever ^ 1 + self forever');
    fresh.evaluate('3 forever');
    expect(fresh.stops.map(({ description }) => description)).toEqual(['StackOverflow']);
    expect(fresh.log()).toEqual(['#stackOverflow']);
    expect(fresh.evaluate('3 + 4')).toBe(7);
  });

  test('without doesNotUnderstand: the process is stopped and says why', () => {
    const fresh = machine();
    const object = fresh.classes.get('Object')!;
    fresh.memory.store(object, 1, fresh.memory.nil);
    fresh.evaluate('3 zork');
    expect(fresh.stops[0]?.description).toBe(
      'SmallInteger does not understand #zork, nor doesNotUnderstand:',
    );
    fresh.interpreter.flushCaches();
    expect(fresh.evaluate('3 + 4')).toBe(7);
  });

  test('a method too many instance variables for its receiver is refused', () => {
    const fresh = machine();
    const method = fresh.interpreter.lookup(
      fresh.classes.get('Child')!,
      fresh.memory.internSymbol('both'),
    );
    const { memory } = fresh;
    memory.setSpecial(90, method);
    fresh.define('SmallInteger', 'run: m ^ self withArgs: #() executeMethod: m');
    fresh.interpreter.spawn(
      fresh.interpreter.lookup(fresh.classes.get('SmallInteger')!, memory.internSymbol('run:')),
      7,
      [method],
      { priority: 40, name: 'test' },
    );
    fresh.interpreter.run();
    expect(fresh.stops[0]?.description).toContain('instance variables its receiver has not');
  });

  test.each([
    ['a jump out of the method', [0xb7]],
    ['a jump into an instruction', [0xb0, 0xe5, 0x5c]],
    ['an operand stack that runs empty', [0xd8, 0xd8]],
    ['a temporary that is not there', [0xe5, 0x40, 0x5c]],
    ['a literal that is not there', [0xe4, 0x77, 0x5c]],
    ['a byte that is no bytecode', [0xfe]],
    ['a binding that is none', [0x11, 0x5c]],
  ])('damaged bytecodes are refused: %s', (_what, damage) => {
    const fresh = machine();
    fresh.define('SmallInteger', 'broken ^ #(1 2 3) foo: 100000000000 bar: 3');
    const { memory } = fresh;
    const method = fresh.interpreter.lookup(
      fresh.classes.get('SmallInteger')!,
      memory.internSymbol('broken'),
    );
    const first = (((memory.fetch(method, 0) >> 1) & 0x7fff) + 1) * 4;
    for (const [index, byte] of damage.entries()) memory.storeByte(method, first + index, byte);
    fresh.evaluate('3 broken');
    expect(fresh.stops[0]?.description).toMatch(/^cannot run broken: /);
    expect(fresh.evaluate('3 + 4')).toBe(7);
    expect(memory.checkHeap()).toEqual([]);
  });

  test('takes code from a compiler, and does without where it gives none', () => {
    const fresh = machine();
    const { memory } = fresh;
    const wanted = memory.internSymbol('who');
    const compiled: number[] = [];
    fresh.interpreter.compiler = {
      compile: (code) => {
        const found = fresh.interpreter.lookup(fresh.classes.get('Child')!, wanted);
        if (code.method !== found) return null;
        return (receiver, base) => {
          compiled.push(receiver);
          expect(fresh.interpreter.stack[base - 1]).toBe(receiver);
          return (99 << 1) | 1;
        };
      },
    };
    expect(fresh.evaluate('{ Parent new callWho. Child new callWho }')).toEqual(['#parent', 99]);
    expect(compiled.length).toBe(1);
  });

  test('Array>>at: is not bypassed when it is changed', () => {
    const fresh = machine();
    fresh.define('SmallInteger', 'second: a ^ a at: self');
    expect(fresh.evaluate('{ 2 second: #(5 6). 2 second: #(7 8) }')).toEqual([6, 8]);
    fresh.define('Array', 'at: i ^ #mine');
    fresh.interpreter.flushCaches();
    expect(fresh.evaluate('{ 2 second: #(5 6). 2 second: #(7 8) }')).toEqual(['#mine', '#mine']);
  });

  test('a new method is found though the old one was cached', () => {
    const fresh = machine();
    expect(fresh.evaluate('Child new callWho')).toBe('#child');
    fresh.define('Child', 'who ^ #changed');
    fresh.interpreter.flushCaches();
    expect(fresh.evaluate('Child new callWho')).toBe('#changed');
  });
});

describe('interpret()', () => {
  test('has a case for each bytecode, labelled as in the table', () => {
    const source = readFileSync(new URL('./interpret.ts', import.meta.url), 'utf8');
    const labels = new Map<number, string>();
    for (const [, code, text] of source.matchAll(/case (0x[0-9a-f]{2}):[ ]*\/\/ (.*)$/gm)) {
      labels.set(Number(code), text!.trim());
    }
    for (let code = 0; code < 256; code++) {
      const { name } = bytecodeOf(code);
      const special = SPECIAL_SELECTORS[code - 0x60];
      const expected =
        name === 'sendSpecial'
          ? `sendSpecial ${special?.selector}`
          : name === 'unassigned' || name === 'trap'
            ? undefined
            : name;
      expect([code, labels.get(code)]).toEqual([code, expected]);
    }
  });
});
