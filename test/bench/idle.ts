/**
 * `npm run bench -- idle`: what a machine that rests, or only ticks, costs its card.
 *
 * At rest the real program is left alone (PALIMPSEST_IDLE_SECONDS, ten minutes if not given) and
 * the journal compared byte by byte. A process that updates a global each second is committed every
 * five minutes; what such a commit writes is measured over twelve, one a second instead: they
 * differ only in how often the same pages were changed before.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadAddon } from '../../vm/host/addon.ts';
import { openJournalFile } from '../../vm/host/storage-file.ts';
import { Journal } from '../../vm/store/journal.ts';
import { TICKING_INTERVAL_MS, TICKING_PAGES_MAX } from '../../vm/supervisor/checkpoint-policy.ts';
import { JournalCopy } from '../host/host-program.ts';
import { atMost, type Bench, type BenchPart, valueRow } from './bench.ts';

const REST_SECONDS = Number(process.env['PALIMPSEST_IDLE_SECONDS'] ?? '600');
const COMMITS = 12;
const DAY_MS = 86_400_000;
const DAY_BYTES_MAX = 10e6;
/** What came from outside before is committed by then. */
const SETTLE_MS = 8_000;

const restPart: BenchPart = {
  name: 'rest',
  about: 'bytes of the journal that change while nothing runs',
  run: async ({ progress }) => {
    await using journal = await JournalCopy.fresh();
    await using program = await journal.start();
    await program.type('3 + 4');
    await sleep(SETTLE_MS);
    const digest = async (): Promise<string> =>
      createHash('sha256')
        .update(await journal.bytes())
        .digest('hex');
    const [before, modified] = [await digest(), await journal.modifiedMs()];
    progress(`${REST_SECONDS} s of rest`);
    await sleep(REST_SECONDS * 1000);
    const writes = (await journal.modifiedMs()) === modified ? 0 : 1;
    const changed = (await digest()) === before ? 0 : 1;
    return [
      valueRow({ name: `writes in ${REST_SECONDS} s of rest`, value: writes, unit: '' }, atMost(0)),
      valueRow({ name: 'bytes that differ', value: changed, unit: '' }, atMost(0)),
    ];
  },
};

const tickPart: BenchPart = {
  name: 'tick',
  about: 'bytes a day of a process that wakes each second and updates a global',
  run: async () => {
    await using journal = await JournalCopy.fresh();
    {
      await using program = await journal.start();
      await program.type('Smalltalk at: #n put: 0');
      await program.type(
        '[[true] whileTrue: [(Delay forSeconds: 1) wait. Smalltalk at: #n put: n + 1]] fork. 0',
      );
      await program.type(
        `[${COMMITS + 2} timesRepeat: [(Delay forSeconds: 1) wait. Journal commit]. ` +
          'Smalltalk powerOff] fork. 0',
      );
      await program.ended;
    }
    const addon = loadAddon();
    const opened = Journal.open(openJournalFile(journal.path, { write: false, addon }), {
      write: false,
      wallClockMs: 0,
      random: (count) => new Uint8Array(count),
    });
    // The newest is what powerOff left; the twelve before are those of the ticking process.
    const commits = opened.generations(COMMITS + 1).slice(1);
    const bytes = commits.reduce((sum, generation) => sum + generation.bytes, 0) / commits.length;
    const pages = Math.max(...commits.map((generation) => generation.pages));
    opened.close();
    return [
      valueRow(
        { name: 'pages of a commit at most', value: pages, unit: '' },
        atMost(TICKING_PAGES_MAX),
      ),
      valueRow(
        {
          name: 'bytes a day',
          value: Math.round((bytes * DAY_MS) / TICKING_INTERVAL_MS),
          unit: 'B',
        },
        atMost(DAY_BYTES_MAX),
      ),
    ];
  },
};

export const idleBench: Bench = { parts: [restPart, tickPart] };
