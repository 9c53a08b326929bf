/**
 * Files in whole programs, as `npm run host -- FILE` would, each on a machine of its own, and runs
 * what they bring to test themselves: their TestCases, or what they print.
 *
 *     node test/smalltalk/programs/run.ts [PROGRAM …]
 *
 * A program is a file of chunks in chunk/ or a folder of Tonel packages in tonel/. It has at least
 * three tests that pass, or a file NAME.out beside it with what it prints on the Transcript.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readSources, type SourceFile } from '../../../vm/host/source-files.ts';
import { bootstrapPages, Machine, type Pages, pagesOf } from '../machine.ts';

/** Fewer tests than this, and nothing printed, prove nothing. */
const TESTS_MIN = 3;

/** What the image is asked to keep before a program comes, to tell afterwards what came. */
const REMEMBER = `
Smalltalk at: #MethodsBefore put: IdentitySet new.
Smalltalk at: #ClassesBefore put: IdentitySet new.
Smalltalk allClasses do: [ :each |
  (Smalltalk at: #ClassesBefore) add: each.
  { each. each class } do: [ :side |
    side methodDict valuesDo: [ :method | (Smalltalk at: #MethodsBefore) add: method ] ] ]`;

/** Runs the TestCases that came; one line for each test that fails, then the number that passed. */
const RUN_TESTS = `
| passed lines |
passed := 0.
lines := WriteStream on: (String new: 200).
((Smalltalk allClasses reject: [ :each | (Smalltalk at: #ClassesBefore) includes: each ])
  select: [ :each | each inheritsFrom: TestCase ]) do: [ :each | | result |
    result := each suite run.
    passed := passed + result passed size.
    result defects do: [ :one |
      lines print: one; nextPutAll: ': '; nextPutAll: (result messageFor: one); nl ] ].
lines contents , passed printString`;

/** The programs: files and folders, sorted. */
export function programs(): string[] {
  return ['chunk', 'tonel'].flatMap((format) => {
    const folder = join(import.meta.dirname, format);
    return readdirSync(folder)
      .filter((name) => !name.endsWith('.out'))
      .sort()
      .map((name) => join(folder, name));
  });
}

/** The pages of an image that remembers what was there before any program. */
export function preparedPages(): Pages {
  const pages = bootstrapPages();
  const machine = new Machine(pages);
  answer(machine, REMEMBER);
  return new Map([...pages, ...pagesOf(machine.memory)]);
}

/** Evaluates what cannot fail; answers how its value prints. */
function answer(machine: Machine, source: string): string {
  const outcome = machine.evaluate(source);
  if (outcome.kind === 'value') return outcome.text;
  throw new Error(`Cannot evaluate ${source}: ${outcome.kind} ${outcome.text}`);
}

/** A String's own text, of how it prints. */
export function unquoted(printed: string): string {
  return printed.replace(/^'|'$/g, '').replaceAll("''", "'");
}

/** Files in; answers a sentence for each piece that failed. */
export function fileIn(machine: Machine, sources: readonly SourceFile[]): string[] {
  return sources.flatMap(({ name, pieces }) =>
    pieces.flatMap(({ source, line }) => {
      const { kind, text } = machine.evaluate(source);
      return kind === 'value' ? [] : [`${basename(name)}:${line}: ${kind} ${text}`];
    }),
  );
}

/** Runs a program on a machine of its own; answers what was not as it should be. */
export function runProgram(path: string, pages: Pages): string[] {
  try {
    return complaintsAbout(path, pages);
  } catch (error) {
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
}

function complaintsAbout(path: string, pages: Pages): string[] {
  const machine = new Machine(pages);
  const complaints = fileIn(machine, readSources(path));
  const printed = machine.output;
  const lines = unquoted(answer(machine, RUN_TESTS)).split('\n');
  const passed = Number(lines.pop());
  complaints.push(...lines);
  const out = `${path.replace(/\.st$/, '')}.out`;
  if (existsSync(out)) {
    const wanted = readFileSync(out, 'utf8');
    if (printed !== wanted) complaints.push(`it prints\n${printed}instead of\n${wanted}`);
  } else if (passed + lines.length < TESTS_MIN) {
    complaints.push(`it has ${passed} tests, wanted ${TESTS_MIN} or a file ${basename(out)}`);
  }
  complaints.push(...machine.memory.checkHeap().slice(0, 3));
  return complaints;
}

function main(paths: readonly string[]): number {
  const pages = preparedPages();
  let failed = 0;
  const chosen = paths.length > 0 ? paths : programs();
  for (const path of chosen) {
    const complaints = runProgram(path, pages);
    if (complaints.length === 0) continue;
    failed++;
    console.log(`${basename(path)}\n    ${complaints.join('\n').replaceAll('\n', '\n    ')}`);
  }
  console.log(`${chosen.length} programs, ${failed} with failures`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
