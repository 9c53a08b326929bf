/**
 * Runs the language tests over a freshly bootstrapped image:
 *
 *     node test/smalltalk/run.ts [--stack WORDS] [--eden WORDS] [--stress gc|unwind] [--resume]
 *                                [FILE.st …]
 *
 * Each file has a machine of its own. A failure is one line: place, expression, found, wanted. The
 * results must not depend on how large stack and eden are, on when the stack unwinds, or (--resume)
 * on the machine being switched off between every two expressions.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { debug } from '../../vm/base/debug.ts';
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
  const damage = machine.memory.checkHeap();
  if (damage.length > 0) {
    const found = damage.slice(0, 3).join('; ');
    failures.push({ place: path, source: 'the heap afterwards', found, wanted: 'no damage' });
  }
  return failures;
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

/** All files of language tests, sorted; programs/ has whole programs, with a runner of its own. */
export function testFiles(): string[] {
  const folder = import.meta.dirname;
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.st') && !name.startsWith('programs/'))
    .sort()
    .map((name) => join(folder, name));
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
    },
  });
  debug.gcStress = values.stress === 'gc';
  debug.unwindAtEveryPoll = values.stress === 'unwind';
  const options: RunOptions = {
    resume: values.resume ?? false,
    ...(values.stack === undefined ? {} : { stackWords: Number(values.stack) }),
    ...(values.eden === undefined ? {} : { edenWords: Number(values.eden) }),
  };
  const files = positionals.length > 0 ? positionals : testFiles();
  const pages = bootstrapPages();
  let count = 0;
  const unmatched = unmatchedRules();
  for (const sentence of unmatched) console.log(sentence);
  let failed = unmatched.length;
  for (const file of files) {
    count += readCases(file).length;
    for (const { place, source, found, wanted } of runFile(file, pages, options)) {
      failed++;
      console.log(`${place}: ${source}\n    found  ${found}\n    wanted ${wanted}`);
    }
  }
  console.log(`${count} expressions in ${files.length} files, ${failed} failures`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
