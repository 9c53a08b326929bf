/**
 * `npm run host -- --test PATTERN`: which tests run, what is told about them, and that a test which
 * breaks the image, kills the vm or never ends costs only itself.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JournalCopy, runHost } from './host-program.ts';

function suite(name: string, methods: readonly string[]): string {
  return (
    `TestCase subclass: #${name} instanceVariableNames: '' classVariableNames: '' ` +
    `package: 'Trial-Tests'!\n!${name} methodsFor: 'tests'!\n${methods.join('!\n\n')}! !\n`
  );
}

const MILD = suite('MildTest', [
  'testA\n  self assert: true',
  'testB\n  self assert: 3 + 4 equals: 8',
  'testC\n  nil foo: 3',
  "testD\n  self skip: 'not <here>'",
  'testE\n  self timeLimit: 50 milliSeconds. Semaphore new wait',
  'testF\n  self timeLimit: 50 milliSeconds. [ true ] whileTrue',
  'testG\n  Processor activeProcess terminate',
  "testH\n  Transcript show: 'all is well'; cr",
]);

const WILD = suite('WildTest', [
  'testA\n  self assert: (Smalltalk at: #Filed) equals: 1',
  'testB\n  Smalltalk at: #TestRun put: nil',
  'testC\n  self assert: (Smalltalk at: #TestRun) notNil',
  'testD\n  Smalltalk powerOff. (Delay forSeconds: 60) wait',
  'testE\n  Smalltalk at: #Processor put: nil',
  'testF\n  Processor activeProcess priority: 80. self timeLimit: 1 milliSeconds. [ true ] whileTrue',
  'testG\n  Smalltalk crashTheMachineForTesting',
  'testH\n  self assert: (Smalltalk at: #Filed) equals: 1',
]);

describe('--test', () => {
  let dir = '';
  const path = (name: string): string => join(dir, name);

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'palimpsest-suites-'));
    await writeFile(path('mild.st'), MILD);
    await writeFile(path('wild.st'), `Smalltalk at: #Filed put: 1!\n${WILD}`);
  });

  afterAll(() => rm(dir, { recursive: true, force: true }));

  test('tells what fails, counts, and writes JUnit XML', async () => {
    const ended = await runHost([
      path('mild.st'),
      '--test',
      'MildTest',
      '--junit',
      path('mild.xml'),
    ]);
    expect(ended).toMatchObject({ status: 1, errors: '' });
    expect(ended.output).toContain('all is well\n');
    const told = ended.output.split('\n').filter((line) => /^[A-Z]+ \w+>>/.test(line));
    expect(told).toEqual([
      'FAILED MildTest>>#testB: got 7 instead of 8',
      'ERROR MildTest>>#testC: MessageNotUnderstood: UndefinedObject>>foo:',
      'SKIPPED MildTest>>#testD: not <here>',
      expect.stringMatching(/^ERROR MildTest>>#testE: TestTookTooMuchTime: /),
      expect.stringMatching(/^ERROR MildTest>>#testF: TestTookTooMuchTime: /),
      'ERROR MildTest>>#testG: the test has ended its own process',
    ]);
    expect(ended.output).toContain('\n    MildTest>>testC\n');
    expect(ended.output).toMatch(/\n2 passed, 1 failed, 4 errors, 1 skipped\n$/);
    const xml = await readFile(path('mild.xml'), 'utf8');
    expect(xml).toContain('<testsuite name="MildTest" tests="8" failures="1" errors="4"');
    expect(xml).toContain('<skipped message="not &lt;here&gt;"/>');
  });

  test('a test that breaks the image or the vm costs only itself', async () => {
    const { output, status } = await runHost([path('wild.st'), '--test', 'Wild*']);
    const told = output.split('\n').filter((line) => /^[A-Z]+ \w+>>/.test(line));
    expect(told).toEqual([
      expect.stringMatching(/^ERROR WildTest>>#testB: the image did not survive the test: /),
      'ERROR WildTest>>#testD: it was switched off',
      expect.stringMatching(/^ERROR WildTest>>#testE: /),
      'ERROR WildTest>>#testF: the test did not end, and the image could not end it',
      expect.stringMatching(/^ERROR WildTest>>#testG: PrimitiveFailed: /),
    ]);
    expect(output).toMatch(/\n3 passed, 0 failed, 5 errors\n$/);
    expect(status).toBe(1);
  });

  test('a package, a class, one test; several patterns; the tests of the image', async () => {
    const counts: readonly (readonly [string[], RegExp])[] = [
      [['MildTest>>testA', '--test', 'MildTest>>#testH'], /\n2 passed, 0 failed, 0 errors\n$/],
      [['Trial-Tests'], /\n2 passed, 1 failed, 4 errors, 1 skipped\n$/],
      [['SUnit-Tests'], /^[1-9]\d* passed, 0 failed, 0 errors\n$/m],
    ];
    for (const [words, pattern] of counts) {
      const ended = await runHost([path('mild.st'), '--test', ...words]);
      expect(ended.output).toMatch(pattern);
      expect(ended.status).toBe(/ 0 failed, 0 errors/.test(ended.output) ? 0 : 1);
    }
  });

  test('no test matches; a report nobody can write; a report on nothing', async () => {
    expect(await runHost(['--test', 'NoSuchTest'])).toMatchObject({
      status: 1,
      output: '',
      errors:
        'Cannot test "NoSuchTest": no test matches, wanted a class, a package or Class>>selector\n',
    });
    const report = ['--test', 'SUnitTest>>testSkipping', '--junit', path('no/where.xml')];
    expect((await runHost(report)).errors).toMatch(/^Cannot write the report "/);
    expect(await runHost(['--coverage'])).toMatchObject({ status: 2 });
  });

  test('with a journal nothing that tests do is kept', async () => {
    await using journal = await JournalCopy.fresh();
    const before = await journal.bytes();
    const ended = await journal.run(path('mild.st'), '--test', 'MildTest>>testH');
    expect(ended).toMatchObject({ status: 0, errors: '' });
    expect((await journal.bytes()).equals(before)).toBe(true);
  });

  test('coverage is a table by package', async () => {
    const { output } = await runHost(['--test', 'SUnitTest>>testMatrix', '--coverage']);
    expect(output).toMatch(/^SUnit +\d+ of +\d+ +\d+\.\d %$/m);
    expect(output).toMatch(/^all +\d+ of +\d+ +\d+\.\d %$/m);
    expect(output).toContain('never ran: SUnit TestSuite>>debug\n');
    expect(output).not.toContain('never ran: SUnit ParametrizedTestMatrix>>cases\n');
  });
});
