/** Ctrl-C below the image, a vm that does not answer, and what a death leaves. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type HostProgram, JournalCopy } from './host-program.ts';

const CTRL_C = '\x03';
/** What a Ctrl-C is worth before a second one ends the vm, and a little more. */
const PATIENCE_MS = 2_500;

/** Presses Ctrl-C after a moment and answers what is said before the debugger's prompt. */
async function stopped(program: HostProgram, source: string): Promise<string> {
  program.write(`${source}\n`);
  await sleep(500);
  program.write(CTRL_C);
  return program.untilPrompt('debug> ');
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe('Ctrl-C', () => {
  let journal: JournalCopy;
  let program: HostProgram;

  beforeAll(async () => {
    journal = await JournalCopy.fresh();
  });

  afterAll(() => journal[Symbol.asyncDispose]());

  beforeEach(async () => {
    program = await journal.start();
  });

  afterEach(() => program.kill());

  test.each([
    ['an endless loop', '[true] whileTrue'],
    ['a loop that sends', '[true] whileTrue: [3 printString]'],
    ['a loop that allocates', '[true] whileTrue: [Array new: 1000]'],
    ['a loop in an ensure: block', '[3] ensure: [[true] whileTrue]'],
    ['a process that waits', 'Semaphore new wait'],
    ['a process that sleeps', '(Delay forSeconds: 1000) wait'],
    ['a process that has suspended itself', 'Processor activeProcess suspend'],
  ])('stops %s', async (_, source) => {
    expect(await stopped(program, source)).toMatch(/^\^C\nUserInterrupt\n {2}/);
    expect(await program.type('abandon')).toBe('');
    expect(await program.type('3 + 4')).toBe('7');
  });

  test('stops a loop that keeps the console from running by its priority', async () => {
    await program.type('Smalltalk at: #n put: 0');
    program.write('[[true] whileTrue: [Smalltalk at: #n put: n + 1]] forkAt: 79. 5\n');
    await sleep(500);
    program.write(CTRL_C);
    expect(await program.untilPrompt()).toMatch(/stopped: UserInterrupt[\s\S]*\n5$/);
    expect(await program.type('n > 0')).toBe('true');
  });

  test('is seen while a process floods the console', async () => {
    program.write("[true] whileTrue: [Transcript show: 'all work and no play '; cr]\n");
    await program.waitFor('all work');
    program.write(CTRL_C);
    expect(await program.untilPrompt('debug> ')).toContain('UserInterrupt');
    expect(await program.type('abandon')).toBe('');
  });

  test.each([
    ['', '| b | b := nil. b := [b value]. b value'],
    [' with ensure: blocks', '| b | b := nil. b := [[b value] ensure: [3]]. b value'],
  ])('is not needed against endless recursion%s', async (_, source) => {
    await using copy = await JournalCopy.fresh();
    await using recursive = await copy.start();
    recursive.write(`${source}\n`);
    expect(await recursive.untilPrompt('debug> ')).toMatch(/^StackOverflow/);
    expect(await recursive.type('abandon')).toBe('');
    expect(await recursive.type('3 + 4')).toBe('7');
    expect(recursive.output).not.toContain('Not saved');
  });

  test('at an error in an error: each has its own debugger', async () => {
    expect(await program.type('#(1) at: 2', 'debug> ')).toMatch(/^SubscriptOutOfBounds/);
    expect(await program.type('nil foo', 'debug> ')).toMatch(/^MessageNotUnderstood/);
    expect(await program.type('stack', 'debug> ')).not.toContain('at:');
    expect(await program.type('abandon', 'debug> ')).toBe('');
    expect(await program.type('stack', 'debug> ')).toContain('Array(Object)>>at:');
    expect(await program.type('3 + 4', 'debug> ')).toBe('7');
    expect(await program.type('return 1 42')).toBe('42');
    expect(await program.type('nil foo', 'debug> ')).toMatch(/^MessageNotUnderstood/);
    expect(await program.type('resume 3 zork', 'debug> ')).toMatch(/^MessageNotUnderstood/);
    expect(await program.type('abandon')).toBe('');
    expect(await program.type('nil foo', 'debug> ')).toMatch(/^MessageNotUnderstood/);
    expect(await program.type('resume 43')).toBe('43');
  });
});

describe('a terminal', () => {
  test('edits lines, recalls them, and has Ctrl-C as a key', async () => {
    await using journal = await JournalCopy.fresh();
    await using program = await journal.start({ terminal: true });
    program.write('3 + 5\x7f4\r');
    expect(await program.untilPrompt()).toMatch(/\n7$/);
    program.write('\x1b[A\x01-\r');
    expect(await program.untilPrompt()).toMatch(/\n1$/);
    program.write('this is nothing\x03');
    expect(await program.untilPrompt()).toMatch(/\^C$/);
    program.write('[true] whileTrue\r');
    await sleep(500);
    program.write(CTRL_C);
    expect(await program.untilPrompt('debug> ')).toContain('UserInterrupt');
    program.write('abandon\r');
    await program.untilPrompt();
    program.write("[(Delay forMilliseconds: 300) wait. Transcript show: 'ding'; cr] fork. 1\r");
    await program.untilPrompt();
    program.write('3 +');
    await program.waitFor(/ding[\s\S]*st> 3 \+/);
    program.write(' 39\r');
    expect(await program.untilPrompt()).toMatch(/\n42$/);
    program.write('\x04');
    expect(await program.ended).toMatchObject({ status: 0 });
  });
});

describe('a vm that is gone', () => {
  test('is ended by a second Ctrl-C, goes on by itself, but not after three deaths', async () => {
    await using journal = await JournalCopy.fresh();
    const environment = { PALIMPSEST_PATIENCE_MS: '6000' };
    await using program = await journal.start({ environment });
    for (const line of PREPARE) await program.type(line);
    await program.type('Smalltalk at: #inbox put: 42');
    for (let death = 1; death <= 3; death++) {
      program.write(`${UNINTERRUPTIBLE}\n`);
      await sleep(1_000);
      program.write(CTRL_C);
      await sleep(PATIENCE_MS);
      program.write(CTRL_C);
      expect(await program.untilPrompt(death < 3 ? 'st> ' : 'recovery> ')).toMatch(
        death < 3
          ? /does not answer: it is stopped[\s\S]*the last one saved[\s\S]*by itself in 6 s/
          : /3 starts in a row have failed/,
      );
    }
    await program.type('continue');
    expect(await program.type('inbox')).toBe('42');
    expect(await program.type('a > 0')).toBe('true');
  });
});

/** One primitive that runs for minutes: the interpreter cannot be interrupted in it. */
const PREPARE = [
  'Smalltalk at: #a put: (3 raisedTo: 2000000). nil',
  'Smalltalk at: #b put: (7 raisedTo: 2000000). nil',
];
const UNINTERRUPTIBLE = 'a gcd: b';
