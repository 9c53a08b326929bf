/**
 * Do the tests find bugs? Plants those of planted-bugs.ts, one at a time, in a throwaway image, and
 * runs the SUnit classes and language tests there until one fails:
 *
 *     node test/smalltalk/planted.ts [--part I/N] [Class>>selector …]
 *
 * Prints a line for each bug with the test that found it, and closes with how many were found; the
 * exit status is 1 when more than five were not. The tests of the bug's package run first, so most
 * bugs are found at once; `--part 2/5` plants every fifth, from the second on.
 */
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { assert } from '../../vm/base/assert.ts';
import { type Case, readCases } from './cases.ts';
import { bootstrapPages, Machine, type Pages } from './machine.ts';
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.ts';
import { meets, suiteNames, testFiles } from './run.ts';

/** Bugs that may stay unfound, of all that are planted. */
const UNFOUND_MAX = 5;

/** What came of one bug: the test that fails, or null when none does. */
export interface Verdict {
  readonly bug: PlantedBug;
  readonly foundBy: string | null;
}

/** Plants one bug and looks for it. Throws a sentence when the method is not as expected. */
export function hunt(bug: PlantedBug, pages: Pages, suites: readonly Suite[]): Verdict {
  const machine = infected(bug, pages);
  const category = text(machine, `${classNameOf(bug)} instanceSide category`);
  for (const { name } of byRelevance(suites, category)) {
    if (fails(machine, name)) return { bug, foundBy: name };
  }
  for (const file of testFiles()) {
    const host = infected(bug, pages);
    const missed = readCases(file).find((each) => !passes(host, each));
    if (missed !== undefined) return { bug, foundBy: `${basename(file)}:${missed.line}` };
  }
  return { bug, foundBy: null };
}

/** A machine with the bug in it. */
function infected({ method, right, wrong }: PlantedBug, pages: Pages): Machine {
  const machine = new Machine(pages);
  const [className = '', selector = ''] = method.split('>>');
  const source = text(machine, `(${className} >> #${selector}) sourceCode`);
  const pattern = new RegExp(right.trim().split(/\s+/).map(RegExp.escape).join('\\s+'));
  assert(pattern.test(source), `cannot plant a bug: ${method} does not contain "${right}"`);
  const bad = source.replace(pattern, () => wrong).replaceAll("'", "''");
  const outcome = machine.evaluate(`${className} compile: '${bad}'. 1`);
  assert(outcome.text === '1', `cannot plant a bug: ${method} does not compile: ${outcome.text}`);
  return machine;
}

function text(machine: Machine, expression: string): string {
  machine.output = '';
  const { kind, text: answer } = machine.evaluate(`Transcript show: (${expression}) asString`);
  assert(kind === 'value', `cannot evaluate ${expression}: ${answer}`);
  return machine.output;
}

function classNameOf({ method }: PlantedBug): string {
  return method.split('>>')[0] ?? '';
}

/** Whether a suite fails; one that never ends, or stops the machine, does. */
function fails(machine: Machine, suite: string): boolean {
  try {
    return machine.evaluate(`${suite} suite run hasPassed`).text !== 'true';
  } catch {
    return true;
  }
}

function passes(machine: Machine, each: Case): boolean {
  try {
    return meets(each, machine.evaluate(each.source));
  } catch {
    return false;
  }
}

/** An SUnit class and its package. */
export interface Suite {
  readonly name: string;
  readonly category: string;
}

/** All SUnit classes of the image. */
export function suitesOf(pages: Pages): Suite[] {
  const machine = new Machine(pages);
  return suiteNames(pages).map((name) => ({ name, category: text(machine, `${name} category`) }));
}

/** The tests of a package before all others. */
function byRelevance(suites: readonly Suite[], category: string): Suite[] {
  const rank = (suite: Suite): number => (suite.category === `${category}-Tests` ? 0 : 1);
  return suites.toSorted((first, second) => rank(first) - rank(second));
}

function main(words: string[]): number {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: { part: { type: 'string', default: '1/1' } },
  });
  const [part = 0, parts = 0] = values.part.split('/').map(Number);
  if (!(part >= 1 && part <= parts)) {
    console.error(`Cannot plant part ${values.part}: wanted I/N with I from 1 to N`);
    return 2;
  }
  const bugs = PLANTED_BUGS.filter(
    ({ method }, index) =>
      index % parts === part - 1 && (positionals.length === 0 || positionals.includes(method)),
  );
  const pages = bootstrapPages();
  const suites = suitesOf(pages);
  let found = 0;
  for (const bug of bugs) {
    const { foundBy } = hunt(bug, pages, suites);
    if (foundBy !== null) found++;
    const what = `${bug.method}: "${bug.right}" became "${bug.wrong}"`;
    console.log(foundBy === null ? `NOT FOUND ${what}` : `found by ${foundBy}: ${what}`);
  }
  console.log(`${found} of ${bugs.length} planted bugs found`);
  return bugs.length - found <= UNFOUND_MAX ? 0 : 1;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
