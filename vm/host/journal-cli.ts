/**
 * `npm run journal -- COMMAND FILE [ARGUMENTS] [--json]`: the recovery tools on a journal file, a
 * card image or a card. Works without an image, a VM, or (for reading) the native addon.
 *
 * Output: lines for people, or with --json one JSON value. Exit status 0 = done, 1 = could not or
 * found damage, 2 = wrong usage. Errors are one sentence on stderr.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Journal } from '../store/journal.ts';
import { salvage } from '../store/salvage.ts';
import { StoreError } from '../store/store-error.ts';
import { type Addon, loadAddon } from './addon.ts';
import { COMMANDS, type Output, UsageError } from './journal-commands.ts';
import { openJournalFile } from './storage-file.ts';

const PLAIN_EVERY_MS = 10_000;
const BAR_COLUMNS = 30;

function main(): number {
  let values: { json?: boolean; live?: boolean; salvage?: string };
  let positionals: string[];
  try {
    ({ values, positionals } = parseArgs({
      options: {
        json: { type: 'boolean' },
        live: { type: 'boolean' },
        salvage: { type: 'string' },
      },
      allowPositionals: true,
    }));
  } catch (error) {
    return fail((error as Error).message, 2);
  }
  const [name, file, ...further] = positionals;
  const rest = values.live === true ? [...further, '--live'] : further;
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command || file === undefined || rest.length < command.argumentsMin) {
    process.stderr.write(usage());
    return 2;
  }
  if (rest.length > command.argumentsMax) {
    const [surplus] = rest.slice(command.argumentsMax);
    return fail(
      `Cannot ${name}: found "${surplus}" too much; wanted ${command.usage || 'no more'}`,
      2,
    );
  }
  let journal: Journal | null = null;
  try {
    if (values.salvage !== undefined) {
      return salvageTo(file, values.salvage, makeOutput(values.json === true));
    }
    const storage = openJournalFile(file, {
      write: command.write,
      addon: command.write ? addonOrNull() : null,
    });
    try {
      journal = openJournal(storage, command.write);
    } catch (error) {
      storage.close();
      throw error;
    }
    return command.run(journal, rest, makeOutput(values.json === true));
  } catch (error) {
    if (error instanceof StoreError) return fail(error.message, 1);
    if (error instanceof UsageError) return fail(error.message, 2);
    throw error;
  } finally {
    journal?.close();
  }
}

/** Copies what is left of a damaged journal into a new file. */
function salvageTo(file: string, target: string, output: Output): number {
  if (existsSync(target)) {
    throw new UsageError(`Cannot salvage to "${target}": it exists, wanted the name of a new file`);
  }
  const options = { wallClockMs: () => Date.now(), random: (count: number) => randomBytes(count) };
  const source = openJournalFile(file, { write: false });
  const damaged = Journal.openForSalvage(source, options);
  const fresh = openJournalFile(target, {
    write: true,
    createBytes: source.sizeBytes,
    addon: addonOrNull(),
  });
  Journal.format(fresh, options);
  const journal = Journal.open(fresh, { ...options, write: true });
  const report = salvage(damaged, journal, ({ generations, of }) =>
    output.progress('generations', generations, of),
  );
  journal.close();
  damaged.close();
  output.value(report);
  for (const line of report.lost) output.line(`lost: ${line}`);
  output.line(
    `copied ${report.generations} generations, ${report.pages} pages, ${report.changes} changes`,
  );
  return report.lost.length === 0 ? 0 : 1;
}

function openJournal(storage: ReturnType<typeof openJournalFile>, write: boolean): Journal {
  return Journal.open(storage, {
    write,
    wallClockMs: () => Date.now(),
    random: (count) => randomBytes(count),
  });
}

/** Without the addon nothing is lost but the lock: locks others hold are still noticed. */
function addonOrNull(): Addon | null {
  try {
    return loadAddon();
  } catch {
    return null;
  }
}

function makeOutput(json: boolean): Output {
  return {
    line: (text) => void (json || process.stdout.write(`${text}\n`)),
    value: (value) => void (json && process.stdout.write(`${JSON.stringify(value)}\n`)),
    progress: process.stderr.isTTY === true ? bar() : plainLines(),
  };
}

/** One line that is drawn over and over. */
function bar(): Output['progress'] {
  return (what, done, of) => {
    const full = of === null || of === 0 ? 0 : Math.round((done / of) * BAR_COLUMNS);
    const drawn = `[${'#'.repeat(full)}${'.'.repeat(BAR_COLUMNS - full)}] `;
    const text = of === null ? `${done} ${what}` : `${drawn}${what} ${done} of ${of}`;
    process.stderr.write(`\r\x1b[K${text}\r`);
  };
}

/** A line now and then, for logs. */
function plainLines(): Output['progress'] {
  let next = Date.now() + PLAIN_EVERY_MS;
  return (what, done, of) => {
    if (Date.now() < next) return;
    next = Date.now() + PLAIN_EVERY_MS;
    process.stderr.write(`${what} ${done}${of === null ? '' : ` of ${of}`}\n`);
  };
}

function usage(): string {
  const lines = Object.entries(COMMANDS).map(
    ([name, { usage: rest, does }]) => `  ${`${name} FILE ${rest}`.padEnd(36)} ${does}`,
  );
  const salvaging = `  ${'verify FILE --salvage NEW'.padEnd(36)} copies what is left to a new file`;
  return `Usage: npm run journal -- COMMAND FILE [--json]\n${lines.join('\n')}\n${salvaging}\n`;
}

function fail(sentence: string, status: number): number {
  process.stderr.write(`${sentence}\n`);
  return status;
}

process.exitCode = main();
