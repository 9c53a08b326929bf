/**
 * The language tests and the image's own SUnit classes as one suite: each on the machine as it is,
 * and again under each kind of stress; results must be the same. Scavenging at every safepoint is
 * slow, so only the files about semantics get it here; `run.ts --stress gc` does them all. A file
 * that begins with "Heavy: does too much for any stress.
 */
import { basename } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { debug } from '../../vm/base/debug.ts';
import { parseCases } from './cases.ts';
import { bootstrapPages, type MachineOptions } from './machine.ts';
import { isHeavy, meets, runFile, runSuite, suiteNames, testFiles, unmatchedRules } from './run.ts';

const pages = bootstrapPages();
const suites = suiteNames(pages);
const light = testFiles().filter((file) => !isHeavy(file));
const SMALL: MachineOptions = { stackWords: 600, edenWords: 3000 };

afterEach(() => {
  debug.gcStress = false;
  debug.unwindAtEveryPoll = false;
});

describe('language tests', () => {
  test.each(testFiles())('%s', (file) => {
    expect(runFile(file, pages)).toEqual([]);
  });

  test.each(light)('%s with a small stack and a small eden', (file) => {
    expect(runFile(file, pages, SMALL)).toEqual([]);
  });

  test.each(light)('%s unwinding at every poll', (file) => {
    debug.unwindAtEveryPoll = true;
    expect(runFile(file, pages)).toEqual([]);
  });

  // An image without Processor is refused at the next start: that is for the recovery menu.
  const resumable = light.filter((file) => basename(file) !== 'damage.st');
  test.each(resumable)('%s switched off and on between expressions', (file) => {
    expect(runFile(file, pages, { resume: true })).toEqual([]);
  });

  const semantics = light.filter((file) => file.includes('semantics'));
  test.each(semantics.filter((file) => basename(file) !== 'control.st'))(
    '%s scavenging at every safepoint',
    (file) => {
      debug.gcStress = true;
      expect(runFile(file, pages)).toEqual([]);
    },
    300_000,
  );

  test.each(suites)('%s', (name) => {
    expect(runSuite(name, pages)).toEqual([]);
  });

  test.each(suites)('%s with a small stack and a small eden', (name) => {
    expect(runSuite(name, pages, SMALL)).toEqual([]);
  });

  test.each(suites)('%s unwinding at every poll', (name) => {
    debug.unwindAtEveryPoll = true;
    expect(runSuite(name, pages)).toEqual([]);
  });

  test('every rule of docs/SEMANTICS.md has a test', () => {
    expect(unmatchedRules()).toEqual([]);
  });
});

describe('the notation', () => {
  test('reads values, errors and expressions over several lines', () => {
    const cases = parseCases(
      'x.st',
      '"about"\n3 +\n  4 "=> 7"\nnil foo "!> Message"\n3 + "?> line 1"\n',
    );
    expect(cases.map(({ line, expectation, text }) => [line, expectation, text])).toEqual([
      [3, 'value', '7'],
      [4, 'error', 'Message'],
      [5, 'compileError', 'line 1'],
    ]);
    expect(cases[0]?.source).toBe('"about"\n3 +\n  4 ');
  });

  test('an expression without expectation is refused', () => {
    expect(() => parseCases('x.st', '3 + 4 "=> 7"\n5')).toThrow('Cannot read x.st');
  });

  test('a value must be met exactly, a message by its beginning', () => {
    const [value, error] = parseCases('x.st', '3 "=> 3"\nnil foo "!> Mess"');
    if (value === undefined || error === undefined) throw new Error('two cases were parsed');
    expect(meets(value, { kind: 'value', text: '3' })).toBe(true);
    expect(meets(value, { kind: 'value', text: '33' })).toBe(false);
    expect(meets(value, { kind: 'error', text: '3' })).toBe(false);
    expect(meets(error, { kind: 'error', text: 'MessageNotUnderstood' })).toBe(true);
    expect(meets(error, { kind: 'value', text: 'Mess' })).toBe(false);
  });
});
