/**
 * Killed at any time, the machine goes on where it was: what was answered is there, what belongs
 * together is together, processes run on. A bank whose sum must stay, tellers of several priorities
 * that move money between its accounts, a notary who commits the books and says so as soon as they
 * are durable, and a person who writes things down.
 */
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { type HostProgram, JournalCopy } from './host-program.ts';

/** PALIMPSEST_ROUNDS=500 for a long night. */
const ROUNDS = Number(process.env['PALIMPSEST_ROUNDS'] ?? '8');
const SEED = Number(process.env['PALIMPSEST_SEED'] ?? randomInt(2 ** 31));
const RUN_MS_MAX = 2_500;
/** Whoever has done nothing by then does nothing any more. */
const PATIENCE_SECONDS = 60;
const ACCOUNTS = 60;
const TELLERS = 12;
const SUM = 1_000 * ACCOUNTS;

const BANK = [
  `Smalltalk at: #Accounts put: (Array new: ${ACCOUNTS} withAll: 1000)`,
  'Smalltalk at: #Vault put: Mutex new',
  `Smalltalk at: #Transfers put: (Array new: ${TELLERS} withAll: 0)`,
  'Smalltalk at: #Lines put: OrderedCollection new',
  'Smalltalk at: #Beats put: 0',
  'Smalltalk at: #Deeds put: 0',
  `1 to: ${TELLERS} do: [:i | [| random | random := Random seed: i. [true] whileTrue: [| from to | ` +
    `from := random nextInteger: ${ACCOUNTS}. to := random nextInteger: ${ACCOUNTS}. ` +
    'Vault critical: [' +
    'Accounts at: from put: (Accounts at: from) - 1. Processor yield. ' +
    'Accounts at: to put: (Accounts at: to) + 1. ' +
    'Transfers at: i put: (Transfers at: i) + 1]. ' +
    '(i <= 4) ifTrue: [Processor yield] ifFalse: [(Delay forMilliseconds: 20 * i) wait]]] ' +
    'forkAt: 30 + (i // 5)]',
  '[[true] whileTrue: [(Delay forMilliseconds: 20) wait. Smalltalk at: #Beats put: Beats + 1]] ' +
    'forkAt: 50. 0',
  // What the notary says is durable, and counts the transfers before it.
  '[[true] whileTrue: [| moved number | (Delay forMilliseconds: 150) wait. ' +
    'moved := Transfers inject: 0 into: [:a :b | a + b]. number := Journal commit. ' +
    'Smalltalk at: #Deeds put: Deeds + 1. number > 0 ifTrue: [' +
    'Transcript show: (String streamContents: [:out | ' +
    "out nextPutAll: '<deed '; print: number; space; print: moved; nextPut: $>; " +
    'nextPut: Character lf])]]] forkAt: 40. 0',
];

/** A small generator of our own, so that a seed is a run. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const DEED = /<deed (\d+) (\d+)>\n?/g;

/** What was said without what the notary said in between. */
function plain(text: string): string {
  return text.replaceAll(DEED, '').trim();
}

async function numbers(program: HostProgram, source: string): Promise<number[]> {
  const text = plain(await program.type(source));
  expect(text).toMatch(/^#\([-\d ]*\)$/);
  return text.slice(2, -1).split(' ').map(Number);
}

test(`killed ${ROUNDS} times, seed ${SEED}`, async () => {
  const random = randomOf(SEED);
  await using journal = await JournalCopy.fresh();
  {
    await using program = await journal.start();
    for (const line of BANK) await program.type(line);
  }
  let answered = 0;
  let committed = 0;
  let moved = 0;
  let before: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    await using program = await journal.start();
    const killed = new Promise<void>((resolve) => {
      setTimeout(() => program.kill().then(() => resolve()), random(RUN_MS_MAX));
    });
    try {
      const [sum, lines = 0] = await numbers(
        program,
        'Vault critical: [{Accounts inject: 0 into: [:a :b | a + b]. Lines size}]',
      );
      expect(sum).toBe(SUM);
      // What was typed last may be there though its answer was not seen.
      expect([answered, answered + 1]).toContain(lines);
      answered = lines;
      const now = await numbers(program, 'Transfers copyWith: Beats');
      expect(now.slice(0, TELLERS).reduce((a, b) => a + b)).toBeGreaterThanOrEqual(moved);
      for (const [index, count] of now.entries()) {
        expect(count).toBeGreaterThanOrEqual(before[index] ?? 0);
      }
      before = now;
      for (;;) {
        const line = await program.type(`Lines add: ${answered + 1}`);
        expect(plain(line)).toBe(String(answered + 1));
        answered++;
        if (random(4) > 0) continue;
        const generation = Number(plain(await program.type('Journal commit')));
        expect(generation).toBeGreaterThan(committed);
        committed = generation;
      }
    } catch (error) {
      if (!/it ended \(SIGKILL\)/.test(String(error))) throw error;
    }
    await killed;
    for (const [, number, count] of program.output.matchAll(DEED)) {
      committed = Math.max(committed, Number(number));
      moved = Math.max(moved, Number(count));
    }
  }
  await using program = await journal.start({ words: ['--recovery'], prompt: 'recovery> ' });
  const list = await program.type('list all', 'recovery> ');
  const newest = Number(/\n\* *(\d+)/.exec(list)?.[1]);
  expect(newest).toBeGreaterThanOrEqual(committed);
  expect(await program.type('verify', 'recovery> ')).toMatch(/all is well\.$/);
  await program.type('continue');
  const [lines = 0] = await numbers(program, '{Lines size}');
  expect(lines).toBeGreaterThanOrEqual(answered);
  expect(moved).toBeGreaterThan(0);
  const whole = await program.type('Lines asArray = (1 to: Lines size) asArray');
  expect(plain(whole)).toBe('true');
  expect(answered).toBeGreaterThan(ROUNDS / 2);
  // Everybody works on.
  const everybody = 'Transfers , {Beats. Deeds}';
  const earlier = await numbers(program, everybody);
  let later = earlier;
  const stands = (count: number, index: number): boolean => count <= (earlier[index] ?? 0);
  for (let seconds = 0; seconds < PATIENCE_SECONDS && later.some(stands); seconds++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    later = await numbers(program, everybody);
  }
  if (later.some(stands)) throw new Error(`somebody stands still: ${earlier}, then ${later}`);
});

test('a native death loses nothing that was answered', async () => {
  await using journal = await JournalCopy.fresh();
  {
    await using program = await journal.start();
    await program.type('Smalltalk at: #inbox put: 42');
    program.write('Smalltalk crashTheMachineForTesting\n');
    expect((await program.ended).signal).toBe('SIGSEGV');
  }
  await using program = await journal.start();
  expect(await program.type('inbox')).toBe('42');
});

test('leaving by the words for it, and by the end of the input', async () => {
  await using journal = await JournalCopy.fresh();
  for (const how of ['Smalltalk reboot', 'Smalltalk powerOff', 'end']) {
    await using program = await journal.start();
    if (how === 'end') program.end();
    else program.write(`Smalltalk at: #inbox put: 42. ${how}\n`);
    expect(await program.ended).toMatchObject({ status: 0, errors: '' });
    await using next = await journal.start();
    expect(await next.type('inbox')).toBe('42');
  }
});
