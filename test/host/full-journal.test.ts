/** A journal without room, a disk that refuses, a file that has grown, and a machine that rests. */
import { truncate } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type HostProgram, JournalCopy } from './host-program.ts';

const MIB = 2 ** 20;
const IDLE_MS = 15_000;
const PIECES_MAX = 40;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Keeps more and more, until the journal has no room for it; what was said then. */
async function fill(program: HostProgram): Promise<string> {
  await program.type('Smalltalk at: #keep put: OrderedCollection new. nil');
  for (let piece = 0; piece < PIECES_MAX; piece++) {
    const said = await program.type('keep add: ((1 to: 1000000) collect: [:k | k]). 0');
    if (said !== '0') return said;
  }
  throw new Error('it is never full');
}

describe('a full journal', () => {
  test('is said once, nothing old is lost, Smalltalk goes on, there is a way out', async () => {
    await using journal = await JournalCopy.fresh();
    let saved = '';
    let last = '';
    {
      await using program = await journal.start();
      await program.type('Smalltalk at: #x put: 1');
      saved = await program.type('Journal commit');
      const said = await fill(program);
      expect(said).toMatch(/^Not saved since generation \d+: Cannot (commit|write) [^\n]*\n0$/);
      last = /\d+/.exec(said)?.[0] ?? '';
      expect(await program.type('Smalltalk at: #x put: 2')).toBe(
        `Not saved since generation ${last}.\n2`,
      );
      expect(await program.type('[Journal commit] on: OutOfStorage do: [:e | #full]')).toMatch(
        /\n#full$/,
      );
      expect(await program.type('x')).toMatch(/\n2$/);
    }
    {
      await using program = await journal.start({ words: ['--recovery'], prompt: 'recovery> ' });
      expect(await program.type('list', 'recovery> ')).toMatch(new RegExp(`\\* +${last} `));
      expect(await program.type('verify', 'recovery> ')).toMatch(/all is well\.$/);
      await program.type('continue');
      expect(await program.type('x')).toBe('1');
    }
    {
      await using program = await journal.start({ words: ['--recovery'], prompt: 'recovery> ' });
      expect(await program.type(`boot ${saved}`)).toContain(`${saved} is back`);
      expect(await program.type('Smalltalk at: #x put: 3')).toBe('3');
    }
    await truncate(journal.path, 256 * MIB);
    {
      await using program = await journal.start({ words: ['--recovery'], prompt: 'recovery> ' });
      await program.type(`boot ${last}`);
      expect(await program.type('keep size > 3')).toBe('true');
      expect(await program.type('keep add: (1 to: 5000000) asArray. 0')).toBe('0');
    }
    await using program = await journal.start();
    expect(await program.type('keep last last')).toBe('5000000');
  });

  test('a disk that refuses is said; what was saved stays', async () => {
    await using journal = await JournalCopy.fresh();
    {
      const through = ['bash', '-c', 'ulimit -f 16384; exec "$@"', 'bash'];
      await using program = await journal.start({ through });
      await program.type('Smalltalk at: #x put: 1');
      const said = await fill(program);
      expect(said).toMatch(/^Not saved since generation \d+: Cannot [^\n]*\n0$/);
      expect(await program.type('x')).toMatch(/1$/);
    }
    await using program = await journal.start({ words: ['--recovery'], prompt: 'recovery> ' });
    expect(await program.type('verify', 'recovery> ')).toMatch(/all is well\.$/);
    await program.type('continue');
    expect(await program.type('x')).toBe('1');
    expect(await program.type('Smalltalk at: #x put: 2')).toBe('2');
  });
});

describe('a machine that rests', () => {
  test('writes nothing, and hardly anything when it only ticks', async () => {
    await using journal = await JournalCopy.fresh();
    await using program = await journal.start();
    await program.type('3 + 4');
    const [bytes, modified] = [await journal.bytes(), await journal.modifiedMs()];
    await sleep(IDLE_MS);
    expect(await journal.modifiedMs()).toBe(modified);
    expect(bytes.equals(await journal.bytes())).toBe(true);
    await program.type('Smalltalk at: #n put: 0');
    await program.type(
      '[[true] whileTrue: [(Delay forSeconds: 1) wait. Smalltalk at: #n put: n + 1]] fork. 0',
    );
    // The evaluation came from outside: one commit of what it started is due, then none for
    // minutes.
    await sleep(8_000);
    const ticking = await journal.modifiedMs();
    await sleep(8_000);
    expect(await journal.modifiedMs()).toBe(ticking);
    expect(Number(await program.type('n'))).toBeGreaterThan(10);
  });
});
