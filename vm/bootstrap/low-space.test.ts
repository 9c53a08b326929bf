/** A program that keeps everything it makes, on the whole library: it is told, the rest goes on. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compileDoIt } from '../compiler/compiler.ts';
import { Interpreter } from '../interpreter/interpreter.ts';
import { installMethod } from '../objects/installer.ts';
import { bindingOf, imageScope } from '../objects/scope.ts';
import { PRIMITIVES } from '../primitives/table.ts';
import { emptyMemory } from './bare.ts';
import { buildImage } from './image.ts';
import { initializeClasses } from './initialize.ts';
import { readPackages } from './packages.ts';

const CLASSES_DIR = join(import.meta.dirname, '..', 'classes');
const OLD_WORDS = 20 * 2 ** 20;

test('endless growth ends in OutOfMemory, which can be handled; other work goes on', () => {
  const memory = emptyMemory({ oldWordsMax: OLD_WORDS });
  const image = buildImage(readPackages(CLASSES_DIR), memory);
  initializeClasses(image, { primitives: PRIMITIVES, nowMicroseconds: 0 });
  let answer = '';
  const interpreter = new Interpreter({
    memory,
    primitives: PRIMITIVES,
    host: {
      nowMicroseconds: () => 0,
      consoleWrite: () => {},
      processFinished: (_, value) => {
        answer = memory.stringValue(value);
      },
      unhandledError: (_process, _context, description) => {
        answer = description;
      },
    },
  });
  const evaluate = (source: string): string => {
    const { nil } = memory;
    const spec = compileDoIt(source, imageScope(memory, nil));
    const method = installMethod(memory, spec, {
      classOop: nil,
      selector: 'DoIt',
      source,
      protocol: null,
      bindingOf: (name) => bindingOf(memory, nil, name),
    });
    answer = '';
    interpreter.spawn(method, nil, [], { priority: 40, name: 'test' });
    for (let run = 0; run < 100 && answer === ''; run++) interpreter.run();
    return answer;
  };
  const growing = '| c | c := OrderedCollection new. [ c add: (Array new: 100) ] repeat';
  expect(evaluate(growing)).toBe('OutOfMemory: not enough memory');
  expect(evaluate('(3 + 4) printString')).toBe('7');
  const handled = `[ ${growing} ] on: OutOfMemory do: [ :e | 'had enough' ]`;
  expect(evaluate(handled)).toBe('had enough');
  expect(evaluate('[ Array new: 1000000000 ] on: OutOfMemory do: [ :e | e description ]')).toBe(
    'OutOfMemory: not enough memory',
  );
  expect(memory.checkHeap()).toEqual([]);
});
