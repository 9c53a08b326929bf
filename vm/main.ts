/**
 * Palimpsest on a PC: the same machine as the appliance, on a journal in a file, an image or a
 * card.
 *
 *   main.ts [--journal FILE [--create]] [--ram SIZE] [--eval EXPR]… [--test PATTERN]… [FILE.st | FOLDER]…
 *
 * Files are filed in, then expressions are evaluated, in order; the first failure ends it with a
 * status. Then tests are run. Without any of these there is the console. Nothing that happens is
 * kept without --journal, nor when there are tests.
 */

import { constants, copyFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Machine } from './host/machine.ts';
import { RAM_BYTES_MIN } from './host/ram-budget.ts';
import { readSources, type SourceFile } from './host/source-files.ts';
import { standardTerminal } from './host/terminal.ts';
import { runTests } from './host/test-command.ts';
import { UndeclaredNames } from './host/undeclared-names.ts';
import { StoreError } from './store/store-error.ts';
import type { SourcePiece } from './supervisor/chunks.ts';
import { Console } from './supervisor/console.ts';
import { describeFrame, type Outcome } from './supervisor/supervisor.ts';

const USAGE =
  'Usage: npm run host -- [--journal FILE [--create]] [--recovery] [--eval EXPR]… ' +
  '[--ram SIZE] [--test PATTERN]… [FILE.st | FOLDER]…\n' +
  '  --journal FILE  a journal, an image or a card; what happens is kept in it\n' +
  '                  (without it a fresh image is used and nothing is kept)\n' +
  '  --create        make that journal first, with a fresh image in it\n' +
  '  --ram SIZE      RAM for the heap, 64M or 1G; more is paged to and from the journal\n' +
  '                  (without it what is free)\n' +
  '  --recovery      the recovery prompt first\n' +
  '  --eval EXPR     evaluate, print the printString, exit\n' +
  '  --test PATTERN  run SUnit tests: a class, a package or Class>>selector, * for anything;\n' +
  '                  nothing is kept then\n' +
  '  --junit FILE    write what came of the tests as JUnit XML\n' +
  '  --coverage      print which methods of the library the tests have run\n' +
  '  FILE.st         file in: chunk format, or one class in Tonel\n' +
  '  FOLDER          file in: Tonel packages';

interface Arguments {
  readonly journal: string | null;
  readonly create: boolean;
  readonly expressions: readonly string[];
  readonly recovery: boolean;
  readonly ramBytes: number | null;
  readonly files: readonly string[];
  readonly patterns: readonly string[];
  readonly junit: string | null;
  readonly coverage: boolean;
}

/** Parses the command line; a string is what to tell the person instead of starting. */
export function parseArguments(words: readonly string[]): Arguments | string {
  try {
    const { values, positionals: files } = parseArgs({
      allowPositionals: true,
      args: withValues(words),
      options: {
        journal: { type: 'string' },
        create: { type: 'boolean', default: false },
        eval: { type: 'string', multiple: true },
        recovery: { type: 'boolean', default: false },
        ram: { type: 'string' },
        test: { type: 'string', multiple: true },
        junit: { type: 'string' },
        coverage: { type: 'boolean', default: false },
      },
    });
    const { journal = null, create, eval: expressions = [], recovery } = values;
    const { test: patterns = [], junit = null, coverage } = values;
    if (create && journal === null) {
      return `Cannot create a journal: no file is named, wanted --journal FILE\n${USAGE}`;
    }
    if (patterns.length === 0 && (junit !== null || coverage)) {
      return `Cannot report on tests: none are run, wanted --test PATTERN\n${USAGE}`;
    }
    const ramBytes = values.ram === undefined ? null : bytesOf(values.ram);
    if (Number.isNaN(ramBytes) || (ramBytes !== null && ramBytes < RAM_BYTES_MIN)) {
      const least = `${RAM_BYTES_MIN / 2 ** 20}M`;
      return `Cannot start: --ram is "${values.ram}", wanted a size like 256M or 1G, at least ${least}`;
    }
    return { journal, create, expressions, recovery, ramBytes, files, patterns, junit, coverage };
  } catch (error) {
    return `Cannot start: ${error instanceof Error ? error.message : String(error)}\n${USAGE}`;
  }
}

/** The bytes of a size as people write it, 64M or 1.5G; NaN when it is none. */
function bytesOf(size: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]?)$/i.exec(size);
  if (match === null) return Number.NaN;
  const unit = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[(match[2] ?? '').toUpperCase()];
  return Math.floor(Number(match[1]) * (unit ?? 1));
}

/** An expression may begin with a dash (-7 rem: 2): `--eval -7` is made `--eval=-7`. */
function withValues(words: readonly string[]): string[] {
  const result: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    const value = words[index + 1];
    if (word === '--eval' && value !== undefined) {
      result.push(`--eval=${value}`);
      index++;
    } else result.push(word);
  }
  return result;
}

/** Prints an outcome as `--eval` does; answers whether it was a value. */
function printOutcome(outcome: Outcome): boolean {
  switch (outcome.kind) {
    case 'value':
      process.stdout.write(`${outcome.text}\n`);
      return true;
    case 'compileError':
      process.stderr.write(`${outcome.message}\n`);
      return false;
    case 'error': {
      const frames = outcome.frames.map((frame) => `${describeFrame(frame)}\n`);
      process.stderr.write(`${outcome.description}\n${frames.join('')}`);
      return false;
    }
    case 'report':
      return true;
    case 'vmDied':
      process.stderr.write(`Smalltalk has stopped: ${outcome.reason}\n`);
      return false;
  }
}

function writeError(text: string): void {
  process.stderr.write(text);
}

/** Where Smalltalk's output goes; muted while it repeats what it has said before. */
interface Output {
  readonly write: (text: string) => void;
  muted: boolean;
}

/** PALIMPSEST_PATIENCE_MS shortens the minute after a death; the tests have no minutes. */
function patience(): { patienceMs?: number } {
  const patienceMs = Number(process.env['PALIMPSEST_PATIENCE_MS']);
  return patienceMs > 0 ? { patienceMs } : {};
}

/** Where in its file a piece has failed, and the outcome in lines of the file. */
function locate({ piece, outcome }: { piece: SourcePiece; outcome: Outcome }): {
  line: number;
  outcome: Outcome;
} {
  if (outcome.kind === 'compileError') return { line: outcome.line, outcome };
  if (outcome.kind !== 'error') return { line: piece.line, outcome };
  if (piece.kind === 'doit') {
    const frame = outcome.frames.find(({ description }) => description.endsWith('>>DoIt'));
    return { line: Math.max(frame?.line ?? 0, piece.line), outcome };
  }
  // What does not compile is told in lines of the method.
  let line = piece.line;
  const description = outcome.description.replace(/\bat line (\d+)/, (_, inMethod: string) => {
    line = piece.line + Number(inMethod) - 1;
    return `at line ${line}`;
  });
  return { line, outcome: { ...outcome, description } };
}

interface Work extends Arguments {
  readonly sources: readonly SourceFile[];
}

async function runAll(machine: Machine, work: Work, output: Output): Promise<number> {
  await machine.supervisor.start(machine.opened.head.number);
  if (!(await load(machine, work, printOutcome))) return 1;
  const { patterns, junit, coverage } = work;
  if (patterns.length === 0) return 0;
  const fill = async (): Promise<boolean> => {
    output.muted = true;
    const isLoaded = await load(machine, work, ({ kind }) => kind === 'value');
    output.muted = false;
    return isLoaded;
  };
  const { write } = output;
  return (await runTests(machine, { patterns, junit, coverage, fill, write })) ? 0 : 1;
}

async function warnOf(undeclared: UndeclaredNames, machine: Machine): Promise<void> {
  for (const sentence of await undeclared.sentences(machine.supervisor))
    writeError(`${sentence}\n`);
}

/** Files in and evaluates; false when something failed. `print` tells what came of an expression. */
async function load(
  machine: Machine,
  { sources, expressions }: Work,
  print: (outcome: Outcome) => boolean,
): Promise<boolean> {
  const undeclared = new UndeclaredNames();
  for (const { name, pieces } of sources) {
    const failure = await machine.supervisor.fileIn(pieces, (piece, undeclaredName) =>
      undeclared.add(name, piece, undeclaredName),
    );
    if (failure === null) continue;
    await warnOf(undeclared, machine);
    const { line, outcome } = locate(failure);
    process.stderr.write(`${name}:${line}: `);
    printOutcome(outcome);
    return false;
  }
  if (print === printOutcome) await warnOf(undeclared, machine);
  for (const expression of expressions) {
    if (!print(await machine.supervisor.evaluate(expression))) return false;
  }
  return true;
}

/** Makes a journal file with a fresh image in it. Throws a sentence when the file is there. */
function createJournal(path: string, freshJournal: string): void {
  try {
    copyFileSync(freshJournal, path, constants.COPYFILE_EXCL);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'EEXIST' ? 'it is there already, leave out --create' : message;
    throw new Error(`Cannot create journal "${path}": ${reason}`);
  }
}

/** Runs the program; answers the exit status. `freshJournal` is used when none is named. */
export async function main(words: readonly string[], freshJournal: string): Promise<number> {
  const parsed = parseArguments(words);
  if (typeof parsed === 'string') {
    process.stderr.write(`${parsed}\n`);
    return 2;
  }
  const { journal, create, expressions, recovery, ramBytes, files, patterns, coverage } = parsed;
  // A file that may not grow is a sentence about the journal, no reason to die.
  process.on('SIGXFSZ', () => {});
  const terminal = standardTerminal();
  process.on('exit', () => terminal.restore());
  for (const [signal, number] of [
    ['SIGHUP', 1],
    ['SIGTERM', 15],
  ] as const) {
    process.on(signal, () => process.exit(128 + number));
  }
  const isTest = patterns.length > 0;
  const quiet = isTest || expressions.length + files.length > 0;
  const keeps = journal !== null && !isTest;
  const output: Output = { write: terminal.write, muted: false };
  const write = (text: string): void => {
    if (!output.muted) terminal.write(text);
  };
  const console = new Console(
    quiet ? { interactive: false, write, notice: writeError, onInput: () => {} } : terminal,
  );
  try {
    const sources = files.flatMap((file) => readSources(file));
    if (create && journal !== null) createJournal(journal, freshJournal);
    const machine = await Machine.open({
      path: journal ?? freshJournal,
      scratch: !keeps,
      ramBytes,
      ...(isTest ? { tests: coverage ? 'counted' : 'run' } : {}),
      console,
      leaveCrashes: false,
      endsWithConsole: true,
      ...patience(),
      leave: async () => process.exit(0),
    });
    for (const notice of machine.opened.notices) console.notice(`${notice}\n`);
    if (quiet) {
      const status = await runAll(machine, { ...parsed, sources }, output);
      // What was answered and is not kept is a failure; the reason has been said.
      return status === 0 && keeps && !machine.supervisor.isSaved ? 1 : status;
    }
    if (journal === null) console.print('A fresh image: nothing that happens here is kept.');
    return await machine.supervisor.live(machine.opened.head, machine.opened.crash, {
      menu: recovery ? 'at once' : 'never',
    });
  } catch (error) {
    if (!(error instanceof StoreError) && !isSentence(error)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** Errors of the system and of the addon are sentences too; a bug is not. */
function isSentence(error: unknown): error is Error {
  return error instanceof Error && error.message.startsWith('Cannot ');
}
