/**
 * Killed at any time, the machine goes on where it was: what was answered is there, what belongs
 * together is together, processes run on. A bank whose sum must stay, tellers that move money
 * between its accounts, and a person who writes things down.
 */
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { type HostProgram, JournalCopy } from './host-program.ts';

const ROUNDS = Number(process.env['PALIMPSEST_ROUNDS'] ?? '8');
const SEED = Number(process.env['PALIMPSEST_SEED'] ?? randomInt(2 ** 31));
const RUN_MS_MAX = 2_500;
const SUM = 4_000;

const BANK = [
  'Smalltalk at: #Accounts put: (Array new: 4 withAll: 1000)',
  'Smalltalk at: #Vault put: Mutex new',
  'Smalltalk at: #Transfers put: (Array new: 3 withAll: 0)',
  'Smalltalk at: #Lines put: OrderedCollection new',
  'Smalltalk at: #Beats put: 0',
  '1 to: 3 do: [:i | [| random | random := Random seed: i. [true] whileTrue: [| from to | ' +
    'from := random nextInteger: 4. to := random nextInteger: 4. Vault critical: [' +
    'Accounts at: from put: (Accounts at: from) - 1. Processor yield. ' +
    'Accounts at: to put: (Accounts at: to) + 1. ' +
    'Transfers at: i put: (Transfers at: i) + 1]. Processor yield]] forkAt: 30]',
  '[[true] whileTrue: [(Delay forMilliseconds: 20) wait. Smalltalk at: #Beats put: Beats + 1]] ' +
    'forkAt: 50. 0',
];

/** A small generator of our own, so that a seed is a run. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

async function numbers(program: HostProgram, source: string): Promise<number[]> {
  const text = await program.type(source);
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
  let before = [0, 0, 0, 0];
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
      for (const [index, count] of now.entries()) {
        expect(count).toBeGreaterThanOrEqual(before[index] ?? 0);
      }
      before = now;
      for (;;) {
        expect(await program.type(`Lines add: ${answered + 1}`)).toBe(String(answered + 1));
        answered++;
        if (random(4) > 0) continue;
        const generation = Number(await program.type('Journal commit'));
        expect(generation).toBeGreaterThan(committed);
        committed = generation;
      }
    } catch (error) {
      if (!/it ended \(SIGKILL\)/.test(String(error))) throw error;
    }
    await killed;
  }
  await using program = await journal.start({ words: ['--recovery'], prompt: 'recovery> ' });
  const list = await program.type('list all', 'recovery> ');
  const newest = Number(/\n\* *(\d+)/.exec(list)?.[1]);
  expect(newest).toBeGreaterThanOrEqual(committed);
  expect(await program.type('verify', 'recovery> ')).toMatch(/all is well\.$/);
  await program.type('continue');
  const [lines = 0] = await numbers(program, '{Lines size}');
  expect(lines).toBeGreaterThanOrEqual(answered);
  expect(await program.type('Lines asArray = (1 to: Lines size) asArray')).toBe('true');
  expect(answered).toBeGreaterThan(ROUNDS / 2);
  // Everybody works on.
  const earlier = await numbers(program, 'Transfers copyWith: Beats');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const later = await numbers(program, 'Transfers copyWith: Beats');
  for (const [index, count] of later.entries()) expect(count).toBeGreaterThan(earlier[index] ?? 0);
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
