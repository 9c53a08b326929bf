/**
 * `--test PATTERN`: runs tests on a machine that has been filled with what is to be tested, tells
 * about each that does not pass, and closes with `N passed, N failed, N errors`.
 */
import { writeFileSync } from 'node:fs';
import { coverageOf, parseLibrary } from '../supervisor/coverage.ts';
import {
  describeTally,
  type TestReport,
  TestSession,
  tallyOf,
} from '../supervisor/test-session.ts';
import { junitXml } from './junit.ts';
import type { Machine } from './machine.ts';

const STACK_LINES = 5;

/** What to test, and where to tell it. */
export interface TestOptions {
  readonly patterns: readonly string[];
  readonly junit: string | null;
  readonly coverage: boolean;
  /** Loads what is to be tested once more, into a vm started again. */
  readonly fill: () => Promise<boolean>;
  readonly write: (text: string) => void;
}

/** Runs the tests; answers whether all passed. Throws a sentence when there are none to run. */
export async function runTests(machine: Machine, options: TestOptions): Promise<boolean> {
  const { patterns, junit, coverage, fill, write } = options;
  const { supervisor, store } = machine;
  const told = (report: TestReport): void => write(describeReport(report));
  const session = new TestSession({ supervisor, store, patterns, fill, told });
  const reports = await session.run(machine.opened.head.number);
  if (reports.length === 0) {
    const quoted = patterns.map((pattern) => `"${pattern}"`).join(', ');
    throw new Error(
      `Cannot test ${quoted}: no test matches, wanted a class, a package or Class>>selector`,
    );
  }
  if (junit !== null) writeReport(junit, junitXml(reports));
  if (coverage) {
    const library = parseLibrary(await session.libraryMethods());
    const { table, missed } = coverageOf(library, session.activated);
    for (const line of [...missed.map((method) => `never ran: ${method}`), ...table])
      write(`${line}\n`);
  }
  const tally = tallyOf(reports);
  write(`${describeTally(tally)}\n`);
  return tally.failed + tally.error === 0;
}

function describeReport({ name, outcome, message, stack }: TestReport): string {
  if (outcome === 'passed') return '';
  const text = message.replaceAll(/\s*\n\s*/g, ' ');
  if (outcome === 'skipped') return `SKIPPED ${name}: ${text}\n`;
  const lines = stack.slice(0, STACK_LINES).map((line) => `    ${line}\n`);
  return `${outcome === 'failed' ? 'FAILED' : 'ERROR'} ${name}: ${text}\n${lines.join('')}`;
}

function writeReport(path: string, xml: string): void {
  try {
    writeFileSync(path, xml);
  } catch (error) {
    throw new Error(`Cannot write the report "${path}": ${(error as Error).message}`);
  }
}
