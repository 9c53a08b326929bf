/** Classes that have asked for it hear of the machine's start and of its end. */
import { expect, test } from 'vitest';
import { JournalCopy } from './host-program.ts';

test('startUp: after each start, shutDown: before the machine is switched off', async () => {
  await using journal = await JournalCopy.fresh();
  const define = [
    'Object subclass: #Bell',
    "Bell class compile: 'startUp: resumed Transcript show: ''up '', resumed printString; cr'",
    "Bell class compile: 'shutDown: quits Transcript show: ''down '', quits printString; cr'",
    'Smalltalk addToStartUpList: Bell; addToShutDownList: Bell',
    'Smalltalk snapshot: true andQuit: false',
  ];
  const first = await journal.run(...define.flatMap((each) => ['--eval', each]));
  expect(first.output).toMatch(/down false\nup false\nfalse\n$/);
  const second = await journal.run('--eval', '(Delay forMilliseconds: 1) wait. 3 + 4');
  expect(second.output).toBe('up true\n7\n');
  const gone = 'Smalltalk removeFromStartUpList: Bell. SessionManager default startList';
  expect((await journal.run('--eval', gone)).output).toBe('up true\n#()\n');
  expect((await journal.run('--eval', '3 + 4')).output).toBe('7\n');
});
