/**
 * The program with less RAM than its heap needs: pages leave and come back as they were, dirty ones
 * by way of the journal, and what is committed then is whole.
 */
import { truncate } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { JournalCopy } from './host-program.ts';

const ARRAYS = 1500;
/** 60 MB in all; with --ram 32M about a third of it has room. */
const MAKE =
  '(Smalltalk at: #all put: ((1 to: 1500) collect: [:i | (Array new: 10000) at: 1 put: i; ' +
  'at: 9999 put: i * 2; yourself])) size';
const SUM =
  'all inject: 0 into: [:sum :each | (each at: 9999) = ((each at: 1) * 2) ' +
  'ifTrue: [sum + (each at: 1)] ifFalse: [-1000000000]]';
const CHANGE = 'all do: [:each | each at: 1 put: (each at: 1) + 1; at: 9999 put: (each at: 1) * 2]';

test('a program dirties more than RAM, and finds it again after the pulled plug', async () => {
  await using journal = await JournalCopy.fresh();
  await truncate(journal.path, 512 * 2 ** 20);
  const sum = (ARRAYS * (ARRAYS + 1)) / 2;
  {
    await using program = await journal.start({ words: ['--ram', '32M'] });
    expect(await program.type(MAKE)).toBe(String(ARRAYS));
    expect(await program.type(SUM)).toBe(String(sum));
    await program.type(`${CHANGE}. 0`);
    expect(await program.type(SUM)).toBe(String(sum + ARRAYS));
    await program.kill();
  }
  await using program = await journal.start({ words: ['--ram', '32M'] });
  expect(await program.type(SUM)).toBe(String(sum + ARRAYS));
});
