/**
 * A journal with a page that the medium does not give back: the process that touches it meets an
 * error, everything else goes on, and nothing is saved that could come from what was not read.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openJournalFile } from '../../vm/host/storage-file.ts';
import { OLD_START, PAGE_SHIFT } from '../../vm/objects/layout.ts';
import { Journal } from '../../vm/store/journal.ts';
import { JournalCopy } from './host-program.ts';

function openForReading(path: string): Journal {
  const storage = openJournalFile(path, { write: false, addon: null });
  return Journal.open(storage, { write: false, wallClockMs: 0, random: randomBytes });
}

/** Overwrites a page in the middle of what was committed last; answers its number. */
function damage(path: string): number {
  const journal = openForReading(path);
  const pages = [...journal.pageMap(journal.head)].filter(
    ({ page }) => page > OLD_START >> PAGE_SHIFT,
  );
  const victim = pages.at(-20);
  journal.close();
  const fd = openSync(path, 'r+');
  writeSync(fd, randomBytes(4096), 0, 4096, victim?.offsetBytes ?? 0);
  closeSync(fd);
  return victim?.page ?? 0;
}

test('an error in the process that touched it, and no commit', async () => {
  await using journal = await JournalCopy.fresh();
  {
    await using program = await journal.start();
    await program.type('Smalltalk at: #good put: 42');
    await program.type('Smalltalk at: #big put: (Array new: 100000 withAll: 7)');
    await program.kill();
  }
  const page = damage(journal.path);
  const head = openForReading(journal.path).head.number;
  await using program = await journal.start();
  expect(await program.type('good')).toBe('42');
  expect(await program.type('[big inject: 0 into: [:a :b | a + b]] value', 'debug> ')).toContain(
    `UnreadablePage: page ${page} of memory cannot be read`,
  );
  await program.type('abandon');
  await program.type('Smalltalk at: #good put: 43');
  expect(await program.type('good')).toContain('43');
  const caught = '[big inject: 0 into: [:a :b | a + b]] on: UnreadablePage do: [:e | e page]';
  expect(await program.type(`${caught}. good + 1`)).toContain('44');
  expect(program.errors + program.output).toMatch(
    new RegExp(`Not saved since generation \\d+: page ${page} of the journal cannot be read`),
  );
  await program.kill();
  const after = openForReading(journal.path);
  const generations = after.generations().map(({ number }) => number);
  expect(after.head.number - head).toBeLessThanOrEqual(1);
  expect(generations.length).toBeGreaterThan(1);
  await using again = await journal.start();
  expect(await again.type('good')).toBe('42');
});
