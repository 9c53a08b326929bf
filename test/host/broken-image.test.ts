/**
 * Smalltalk breaks itself: the console and the recovery prompt go on, and the generation before it
 * has everything in it. What the broken image still answers is its own affair.
 */
import { randomInt } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type HostProgram, JournalCopy } from './host-program.ts';

/** Longer than a healthy evaluation takes; a stuck one is then interrupted as a person would. */
const STUCK_MS = 2_000;
const PROMPTS_MAX = 40;
const PROMPT = /^([\s\S]*?)(?:^|\n)(st|debug|recovery)> /;

/** Types a line and comes back to `st> ` whatever happens, with Ctrl-C and `abandon`. */
async function survive(program: HostProgram, line: string): Promise<void> {
  program.write(`${line}\n`);
  for (let count = 0; count < PROMPTS_MAX; count++) {
    const stuck = setInterval(() => program.write('\x03'), STUCK_MS);
    const match = await program.waitFor(PROMPT).finally(() => clearInterval(stuck));
    if (match[2] === 'st') return;
    program.write(match[2] === 'debug' ? 'abandon\n' : 'continue\n');
  }
  throw new Error(`no way back to the prompt:\n${program.output.slice(-1000)}`);
}

const ALWAYS = [
  'Smalltalk at: #Object put: nil',
  'Object become: UndefinedObject',
  'Smalltalk removeKey: #OrderedCollection',
  'Smalltalk at: #Processor put: nil',
  'Object allSubclassesDo: [:each | each instVarAt: 2 put: MethodDictionary new]',
];
const SOMETIMES = [
  'UndefinedObject become: Object',
  'Processor become: Object new',
  'Processor instVarAt: 1 put: nil',
  'Object instVarAt: 1 put: Object',
  'Object instVarAt: 2 put: 42',
  'UndefinedObject instVarAt: 1 put: nil',
  'ProtoObject removeSelector: #doesNotUnderstand:. Object removeSelector: #printString',
  'Context instVarAt: 2 put: MethodDictionary new',
  'BlockClosure instVarAt: 2 put: MethodDictionary new',
  'CompiledMethod become: Array',
  'SmallInteger become: Array',
  'Symbol become: String',
  'Metaclass become: Class',
  'Smalltalk become: Array new',
  'Smalltalk keysDo: [:key | Smalltalk at: key put: nil]',
];
const SAMPLE = 3;

/** Some of them, other ones in every run; all with PALIMPSEST_LONG. */
function sample(sources: readonly string[]): string[] {
  if (process.env['PALIMPSEST_LONG']) return [...sources];
  const rest = [...sources];
  return Array.from({ length: SAMPLE }, () => rest.splice(randomInt(rest.length), 1)).flat();
}

describe('an image that is broken', () => {
  test.each([...ALWAYS, ...sample(SOMETIMES)])('%s', async (source) => {
    await using journal = await JournalCopy.fresh();
    let generation = '';
    {
      await using program = await journal.start();
      await program.type("Smalltalk at: #inbox put: (OrderedCollection with: 'hello')");
      generation = await program.type('Journal commit');
      for (const line of [source, '3 + 4', 'nil foo', 'inbox first']) await survive(program, line);
      // Everything was said by us, in sentences: no stack of our own program.
      expect(program.output).not.toMatch(/\.ts:\d+|\bat file:/);
      expect(program.errors).toBe('');
    }
    await using program = await journal.start({ words: ['--recovery'], prompt: 'recovery> ' });
    expect(await program.type('list', 'recovery> ')).toContain(generation);
    expect(await program.type(`boot ${generation}`)).toContain(`${generation} is back`);
    expect(await program.type('inbox first')).toBe("'hello'");
    expect(await program.type('(Array new: 3) size + 4')).toBe('7');
    expect(await program.type('nil foo', 'debug> ')).toMatch(/^MessageNotUnderstood/);
  });
});

describe('going back', () => {
  test('a commit answers its number, negated when resumed from it', async () => {
    await using journal = await JournalCopy.fresh();
    let generation = '';
    {
      await using program = await journal.start();
      await program.type('Smalltalk at: #log put: OrderedCollection new');
      await program.type('[log add: Journal commit. log add: #after] fork. Processor yield. 0');
      generation = await program.type('log first printString');
      expect(generation).toMatch(/^'\d+'$/);
      generation = generation.slice(1, -1);
      expect(await program.type('log asArray')).toBe(`#(${generation} #after)`);
    }
    await using program = await journal.start({ words: ['--recovery'], prompt: 'recovery> ' });
    await program.type(`boot ${generation}`);
    expect(await program.type('log asArray')).toBe(`#(-${generation} #after)`);
  });

  test('nothing is lost by it, and it can be undone', async () => {
    await using journal = await JournalCopy.fresh();
    const numbers: string[] = [];
    {
      await using program = await journal.start();
      for (const value of ['1', '2', '3']) {
        await program.type(`Smalltalk at: #x put: ${value}`);
        numbers.push(await program.type('Journal commit'));
      }
    }
    for (const index of [0, 2, 1]) {
      await using program = await journal.start({ words: ['--recovery'], prompt: 'recovery> ' });
      const list = await program.type('list', 'recovery> ');
      for (const number of numbers) expect(list).toMatch(new RegExp(`\\n. +${number} `));
      await program.type(`boot ${numbers[index]}`);
      expect(await program.type('x')).toBe(String(index + 1));
    }
  });

  test('looking changes nothing, wrong words are answered', async () => {
    await using journal = await JournalCopy.fresh();
    await using program = await journal.start({ words: ['--recovery'], prompt: 'recovery> ' });
    const before = await journal.bytes();
    expect(await program.type('list', 'recovery> ')).toMatch(/generation {2}when[\s\S]*\* +1 /);
    expect(await program.type('verify', 'recovery> ')).toMatch(/all is well\.$/);
    expect(await program.type('changes', 'recovery> ')).toContain('Nothing has been changed');
    expect(await program.type('help', 'recovery> ')).toContain('boot N');
    for (const line of ['boot', 'boot x', 'boot 4711', 'label 1', 'fnord', 'changes x']) {
      expect(await program.type(line, 'recovery> ')).toMatch(/^Cannot [^\n]*$/);
    }
    expect(before.equals(await journal.bytes())).toBe(true);
  });
});
