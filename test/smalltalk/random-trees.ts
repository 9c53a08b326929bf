/**
 * Random methods, printed, read in the image, laid out anew from the tree there, read again: the
 * tree must be the one it was. And the same sources damaged: the compiler must take each or refuse
 * it with a place in it, outside the image and inside.
 *
 *     node test/smalltalk/random-trees.ts [--seed N] [--runs M]
 */
import { parseArgs } from 'node:util';
import type { MethodNode } from '../../vm/compiler/ast.ts';
import { CompileError, compileDoIt, compileMethod } from '../../vm/compiler/compiler.ts';
import { parseMethod } from '../../vm/compiler/parser.ts';
import { printMethod } from '../../vm/compiler/print-source.ts';
import { stringLiteral } from '../../vm/supervisor/chunks.ts';
import { Random, randomMethod } from '../machine/random-source.ts';
import { bootstrapPages, Machine, type Pages } from './machine.ts';

const BATCH = 25;
const DEPTH = 5;

/** For each source: what the image makes of its tree, and whether it knows the tree again. */
const LAY_OUT = `collect: [ :source | | tree again |
  tree := RBParser parseMethod: source.
  again := RBParser parseMethod: tree formattedCode.
  (tree = again and: [ tree copy = tree and: [ tree allChildren size = again allChildren size ] ])
    ifTrue: [ tree formattedCode ]
    ifFalse: [ 'another tree' ] ]`;

/** For each damaged source: whether it compiles, or is refused with a place in it. */
const COMPILE = `collect: [ :source |
  [ (Compiler compile: source in: Object) isCompiledMethod ]
    on: CompileError
    do: [ :error |
      (error position between: 1 and: source size + 1)
        and: [ error line >= 1 and: [ error column >= 1 ] ] ] ]`;

/** What went wrong, in sentences; empty when all was well. */
export function randomTrees(seed: number, runs: number, pages: Pages = bootstrapPages()): string[] {
  const random = new Random(seed);
  const machine = new Machine(pages);
  const problems: string[] = [];
  for (let done = 0; done < runs && problems.length < 5; done += BATCH) {
    const count = Math.min(BATCH, runs - done);
    const methods = Array.from({ length: count }, () => randomMethod(random, DEPTH));
    const sources = methods.map(printMethod);
    const laidOut = strings(machine, `${arrayOf(sources)} ${LAY_OUT}`);
    for (const [index, method] of methods.entries()) {
      const [source = '', text = ''] = [sources[index], laidOut[index]];
      if (sameTree(method, text)) continue;
      problems.push(`The tree is not the same.\n--- source\n${source}\n--- laid out\n${text}`);
    }
    const damaged = sources.map((source) => damage(random, source));
    for (const source of damaged) problems.push(...complaints(source));
    const answers = ask(machine, `${arrayOf(damaged)} ${COMPILE}`);
    const verdicts = answers.match(/true|false/g) ?? [];
    for (const [index, source] of damaged.entries()) {
      if (verdicts[index] !== 'true') problems.push(`The image errs about\n${source}`);
    }
  }
  return problems;
}

/** The tree without its places, as a string. */
function shape(node: MethodNode): string {
  return JSON.stringify(node, (key, value) => {
    if (['start', 'end', 'at', 'patternEnd', 'places'].includes(key)) return undefined;
    if (typeof value === 'bigint') return `${value}n`;
    return Object.is(value, -0) ? '-0' : value;
  });
}

function sameTree(method: MethodNode, text: string): boolean {
  try {
    return shape(parseMethod(text)) === shape(method);
  } catch (error) {
    if (error instanceof CompileError) return false;
    throw error;
  }
}

const scope = {
  instanceVariables: ['a'],
  binding: (name: string) => (name === 'Foo' ? ('found' as const) : ('undeclared' as const)),
  suggestions: () => ['Foo'],
};

/** What is wrong with the compiler's answer to a text, method or statements. */
function complaints(source: string): string[] {
  return [compileMethod, compileDoIt].flatMap((compile) => {
    try {
      compile(source, scope);
      return [];
    } catch (error) {
      if (!(error instanceof CompileError)) return [`${error} for\n${source}`];
      const { position, line, column } = error;
      const isPlace = position >= 0 && position <= source.length && line >= 1 && column >= 1;
      return isPlace ? [] : [`${error.message} for\n${source}`];
    }
  });
}

/** Some characters more, fewer, or others. */
function damage(random: Random, source: string): string {
  let text = source;
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = random.below(text.length + 1);
    const other = random.below(text.length + 1);
    const piece = random.pick([...'()[]{}|.;:^#$\'"<>-+!_1e\u0000😀', ':=', '#(', 'r', ' ', '']);
    const rest = random.below(3) === 0 ? Math.max(at, other) : at + random.below(3);
    text = text.slice(0, at) + piece + text.slice(rest);
  }
  return text.slice(0, 4000).toWellFormed();
}

function arrayOf(texts: readonly string[]): string {
  return `{ ${texts.map(stringLiteral).join('. ')} }`;
}

/** The Strings in the Array an expression answers. */
function strings(machine: Machine, source: string): string[] {
  const joined = ask(
    machine,
    `String streamContents: [ :stream | (${source}) do: [ :each |
      stream nextPutAll: each; nextPut: (Character value: 7) ] ]`,
  );
  return joined.slice(1, -1).replaceAll("''", "'").split('\u0007').slice(0, -1);
}

function ask(machine: Machine, source: string): string {
  const outcome = machine.evaluate(source);
  if (outcome.kind === 'value') return outcome.text;
  throw new Error(`Cannot evaluate: ${outcome.text}\n${source}`);
}

function main(words: string[]): number {
  const { values } = parseArgs({
    args: words,
    options: { seed: { type: 'string' }, runs: { type: 'string', default: '10000' } },
  });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const runs = Number(values.runs);
  const problems = randomTrees(seed, runs);
  for (const problem of problems) console.log(problem);
  console.log(
    `seed ${seed}: ${runs} trees and as many damaged sources, ${problems.length} problems`,
  );
  return problems.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
