/** Compiled code does what the syntax tree says: random programs on two machines. */
import { describe, expect, test } from 'vitest';
import { randomProgram } from '../../test/machine/random-program.ts';
import { Random } from '../../test/machine/random-source.ts';
import { OutOfSteps, runBytecodes, runTree } from '../../test/machine/two-machines.ts';
import { compileMethod } from './compiler.ts';
import { CompileError } from './error.ts';
import { parseMethod } from './parser.ts';
import { verifySpec } from './verify-spec.ts';

const scope = { instanceVariables: [], binding: () => 'found' as const };
const STEPS_MAX = 20_000;
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** What both machines log; null when the program is too large or runs too long. */
function runBoth(source: string): { tree: string[]; bytecodes: string[] } | null {
  try {
    const spec = compileMethod(source, scope);
    expect(verifySpec(spec, 0), source).toBeNull();
    const tree = runTree(parseMethod(source), STEPS_MAX);
    return { tree, bytecodes: runBytecodes(spec, STEPS_MAX * 2) };
  } catch (error) {
    if (error instanceof OutOfSteps) return null;
    if (error instanceof CompileError && error.code === 'COMPILE_LIMIT') return null;
    throw error;
  }
}

describe('compiled methods', () => {
  test(`do what the syntax tree says (SEED=${seed})`, () => {
    const random = new Random(seed);
    let compared = 0;
    for (let run = 0; run < 2000; run++) {
      const source = randomProgram(random, 2 + random.below(4));
      const logs = runBoth(source);
      if (logs === null) continue;
      compared += 1;
      expect(logs.bytecodes, source).toEqual(logs.tree);
    }
    expect(compared).toBeGreaterThan(1000);
  });

  test.each([
    [
      'closures of different iterations share nothing declared within',
      '1 to: 3 do: [:i | | t | t := i. self keep: [t := t + 1]]',
      ['answer self', 'kept 2', 'kept 3', 'kept 3', 'kept 4', 'kept 4', 'kept 5'],
    ],
    [
      'closures of all iterations share what is declared outside',
      '| t | t := 0. 1 to: 2 do: [:i | self keep: [t := t + i]]',
      ['answer self', 'kept 1', 'kept 2', 'kept 4', 'kept 6'],
    ],
    [
      'a variable written before its capture in a loop is shared all the same',
      '| t | t := 0. 1 to: 2 do: [:i | t := t + i. self keep: [t]]',
      ['answer self', 'kept 3', 'kept 3', 'kept 3', 'kept 3'],
    ],
    [
      'a variable of a loop body starts as nil',
      '1 to: 3 do: [:i | | t | self log: t. t := i]',
      ['null', 'null', 'null', 'answer self'],
    ],
    [
      'a variable of a block in place in a loop starts as nil',
      '1 to: 2 do: [:i | i == i ifTrue: [| t | self log: t. t := i]]',
      ['null', 'null', 'answer self'],
    ],
    [
      'the loop variable is copied',
      '1 to: 2 do: [:i | self keep: [i]]',
      ['answer self', 'kept 1', 'kept 1', 'kept 2', 'kept 2'],
    ],
    [
      'the loop test has variables of its own',
      '[| t | self keep: [t := 1]. self log: t. self fuel] whileTrue',
      ['null', 'null', 'null', 'null', 'answer self', ...Array(8).fill('kept 1')],
    ],
    [
      'a return from a dead method cannot be',
      'self keep: [^ 3]. ^ 4',
      ['answer 4', 'cannot return 3', 'cannot return 3'],
    ],
    [
      'counting loops answer their receiver',
      'self log: (1 to: 2 do: [:i | i]). self log: (2 timesRepeat: [3])',
      ['1', '2', 'answer self'],
    ],
    [
      'a recursive block sees itself',
      '| f | f := [:n | (n <= 1) ifTrue: [1] ifFalse: [n * (f value: n - 1)]]. ^ f value: 5',
      ['answer 120'],
    ],
  ])('%s', (_, body, expected) => {
    const logs = runBoth(`foo ${body}`);
    expect(logs?.bytecodes).toEqual(expected);
    expect(logs?.tree).toEqual(expected);
  });
});
