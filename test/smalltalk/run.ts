/**
 * Runs the language tests over a freshly bootstrapped image:
 *
 *     node test/smalltalk/run.ts [--stack WORDS] [--eden WORDS] [--stress gc|unwind] [--resume]
 *                                [--coverage] [FILE.st | TestCaseClass …]
 *
 * Each file and each SUnit class of the image has a machine of its own. A failure is one line:
 * place, expression, found, wanted. The results must not depend on how large stack and eden are, on
 * when the stack unwinds, or (--resume) on the machine being switched off between expressions.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { assert } from '../../vm/base/assert.ts';
import { debug } from '../../vm/base/debug.ts';
import { coverageOf, type Library, parseLibrary } from '../../vm/supervisor/coverage.ts';
import { type Case, readCases } from './cases.ts';
import {
  bootstrapPages,
  Machine,
  type MachineOptions,
  type Outcome,
  type Pages,
} from './machine.ts';

/** One expression that did something else than expected. */
export interface Failure {
  readonly place: string;
  readonly source: string;
  readonly found: string;
  readonly wanted: string;
}

/** Whether an outcome is what the case expects: a value exactly, a message by its beginning. */
export function meets({ expectation, text }: Case, outcome: Outcome): boolean {
  if (expectation !== outcome.kind) return false;
  switch (expectation) {
    case 'value':
      return outcome.text === text;
    case 'error':
      return outcome.text.startsWith(text);
    case 'compileError':
      return outcome.text.includes(text);
  }
}

/** What the machine is like, and whether it is switched off between expressions. */
export interface RunOptions extends MachineOptions {
  readonly resume?: boolean;
}

/** Runs the cases of one file on a machine of its own. */
export function runFile(path: string, pages: Pages, options: RunOptions = {}): Failure[] {
  const { resume = false, ...machineOptions } = options;
  let machine = new Machine(pages, machineOptions);
  const failures: Failure[] = [];
  for (const [index, each] of readCases(path).entries()) {
    if (resume && index > 0) machine = machine.resumed();
    const outcome = attempt(machine, each.source);
    if (meets(each, outcome)) continue;
    failures.push({
      place: `${relative(process.cwd(), path)}:${each.line}`,
      source: each.source.trim(),
      found: describe(outcome.kind, outcome.text),
      wanted: describe(each.expectation, each.text),
    });
    if (outcome.kind === 'stuck') break;
  }
  return [...failures, ...damageOf(machine, path)];
}

function damageOf(machine: Machine, place: string): Failure[] {
  const damage = machine.memory.checkHeap();
  if (damage.length === 0) return [];
  const found = damage.slice(0, 3).join('; ');
  return [{ place, source: 'the heap afterwards', found, wanted: 'no damage' }];
}

function attempt(machine: Machine, source: string): Outcome {
  try {
    return machine.evaluate(source);
  } catch (error) {
    return { kind: 'stuck', text: error instanceof Error ? (error.stack ?? error.message) : '' };
  }
}

function describe(kind: Outcome['kind'], text: string): string {
  return kind === 'value' ? text : `${kind} ${text}`;
}

/** Names of the SUnit classes in the image, sorted. */
export function suiteNames(pages: Pages): string[] {
  const source = `Transcript show: (String streamContents: [ :stream |
    (TestCase allSubclasses reject: [ :each | each isAbstract ])
      do: [ :each | stream nextPutAll: each name; nl ] ])`;
  return outputOf(source, pages).trim().split('\n').sort();
}

/** What the library consists of. */
export function libraryOf(pages: Pages): Library {
  return parseLibrary(outputOf('Transcript show: TestRunner libraryMethods', pages));
}

function outputOf(source: string, pages: Pages): string {
  const machine = new Machine(pages);
  const { kind, text } = machine.evaluate(source);
  assert(kind === 'value', `the image answers: ${text}`);
  return machine.output;
}

/** Runs one SUnit class on a machine of its own; stress gives a test all the time it wants. */
export function runSuite(name: string, pages: Pages, options: MachineOptions = {}): Failure[] {
  const machine = new Machine(pages, options);
  const source =
    'TestCase defaultTimeLimit: (Duration minutes: 10). ' +
    `${name} suite run in: [ :result | result reportOn: Transcript. result hasPassed ]`;
  const { kind, text } = attempt(machine, source);
  const failures: Failure[] = [];
  if (kind !== 'value' || text !== 'true') {
    const found = `${kind === 'value' ? '' : `${kind} ${text}\n`}${machine.output}`;
    failures.push({ place: name, source: `${name} suite run`, found, wanted: 'all tests pass' });
  }
  return [...failures, ...damageOf(machine, name)];
}

/** All files of language tests, sorted; programs/ has whole programs, with a runner of its own. */
export function testFiles(): string[] {
  const folder = import.meta.dirname;
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.st') && !name.startsWith('programs/'))
    .sort()
    .map((name) => join(folder, name));
}

/** Whether a file begins with "Heavy: and so is for the machine as it is, not for stress. */
export function isHeavy(path: string): boolean {
  return readFileSync(path, 'utf8').startsWith('"Heavy: ');
}

/** Rows of docs/SEMANTICS.md without a test, and tests without a row, in sentences. */
export function unmatchedRules(): string[] {
  const folder = import.meta.dirname;
  const page = readFileSync(join(folder, '../../docs/SEMANTICS.md'), 'utf8');
  const rows = new Set([...page.matchAll(/^\| (S\d+) \|/gm)].map(([, id = '']) => id));
  const tests = new Set<string>();
  for (const file of testFiles().filter((path) => path.includes('semantics'))) {
    for (const [, id = ''] of readFileSync(file, 'utf8').matchAll(/^"(S\d+):/gm)) tests.add(id);
  }
  return [
    ...[...rows.difference(tests)].map((id) => `docs/SEMANTICS.md: rule ${id} has no test`),
    ...[...tests.difference(rows)].map((id) => `test/smalltalk/semantics: ${id} is no rule`),
  ];
}

function main(args: string[]): number {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      stack: { type: 'string' },
      eden: { type: 'string' },
      stress: { type: 'string' },
      resume: { type: 'boolean' },
      coverage: { type: 'boolean' },
    },
  });
  debug.gcStress = values.stress === 'gc';
  debug.unwindAtEveryPoll = values.stress === 'unwind';
  const options: RunOptions = {
    resume: values.resume ?? false,
    ...(values.stack === undefined ? {} : { stackWords: Number(values.stack) }),
    ...(values.eden === undefined ? {} : { edenWords: Number(values.eden) }),
  };
  const pages = bootstrapPages();
  const unmatched = unmatchedRules();
  for (const sentence of unmatched) console.log(sentence);
  const activated = new Set<string>();
  let failed = unmatched.length;
  const names = positionals.length > 0 ? positionals : [...testFiles(), ...suiteNames(pages)];
  for (const name of names) {
    const run = name.endsWith('.st') ? runFile : runSuite;
    for (const { place, source, found, wanted } of run(name, pages, { ...options, activated })) {
      failed++;
      console.log(`${place}: ${source}\n    found  ${found}\n    wanted ${wanted}`);
    }
  }
  console.log(`${names.length} files and suites, ${failed} failures`);
  if (values.coverage === true) {
    const { table, missed } = coverageOf(libraryOf(pages), activated);
    for (const line of [...missed.map((method) => `never ran: ${method}`), ...table])
      console.log(line);
  }
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
