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
import type { Generation } from '../store/generation.ts';
import { Journal } from '../store/journal.ts';
import { salvage } from '../store/salvage.ts';
import { StoreError } from '../store/store-error.ts';
import { decodeChangeRecord } from '../supervisor/change-record.ts';
import { type Addon, loadAddon } from './addon.ts';
import { openJournalFile } from './storage-file.ts';

interface Command {
  /** Arguments after the file, for the usage line. */
  usage: string;
  does: string;
  write: boolean;
  argumentsMin: number;
  run: (journal: Journal, rest: readonly string[], output: Output) => number;
}

interface Output {
  json: boolean;
  line: (text: string) => void;
  value: (value: unknown) => void;
  progress: (text: string) => void;
}

class UsageError extends Error {}

const COMMANDS: Record<string, Command> = {
  log: {
    usage: '[COUNT]',
    does: 'lists generations, newest first',
    write: false,
    argumentsMin: 0,
    run: (journal, [count], output) => {
      const limit = count === undefined ? Number.POSITIVE_INFINITY : whole(count, 'COUNT');
      const generations = journal.generations(limit);
      output.value(generations.map(plain));
      for (const generation of generations) output.line(lineOf(generation));
      return 0;
    },
  },
  show: {
    usage: 'GENERATION',
    does: 'shows one generation',
    write: false,
    argumentsMin: 1,
    run: (journal, [number], output) => {
      const generation = required(journal, number);
      const pages = journal.pageCount(generation);
      output.value({ ...plain(generation), pagesTotal: pages });
      output.line(lineOf(generation));
      output.line(`parent ${generation.parent ?? 'none'}, ${pages} pages in all`);
      return 0;
    },
  },
  verify: {
    usage: '[GENERATION]',
    does: 'reads and proves everything, or one generation',
    write: false,
    argumentsMin: 0,
    run: (journal, [number], output) => {
      const report = journal.verify(
        ({ generations, of, blocks }) =>
          output.progress(`${generations} of ${of} generations, ${blocks} blocks`),
        number === undefined ? undefined : required(journal, number).number,
      );
      output.value(report);
      for (const notice of report.notices) output.line(`noticed: ${notice}`);
      for (const problem of report.problems) {
        output.line(`generation ${problem.generation}: ${problem.message}`);
      }
      const what = `${report.generations} generations, ${report.blocks} blocks`;
      output.line(report.ok ? `${what}: all is well` : `${what}: damage was found`);
      return report.ok ? 0 : 1;
    },
  },
  rollback: {
    usage: 'GENERATION',
    does: 'makes a new generation with the pages of an earlier one',
    write: true,
    argumentsMin: 1,
    run: (journal, [number], output) => {
      const { journalMs } = journal.head;
      const target = required(journal, number).number;
      const made = journal.rollback(target, { wallMs: Date.now(), journalMs });
      output.value(plain(made));
      output.line(`generation ${made.number} is generation ${target} again`);
      return 0;
    },
  },
  label: {
    usage: 'GENERATION [TEXT]',
    does: 'labels a generation (and keeps it); without TEXT takes the label away',
    write: true,
    argumentsMin: 1,
    run: (journal, [number, ...words], output) => {
      const text = words.join(' ');
      const { number: target } = required(journal, number);
      const made = journal.label(target, text === '' ? null : text);
      output.value(plain(made));
      output.line(lineOf(made));
      return 0;
    },
  },
  stats: {
    usage: '',
    does: 'shows sizes and free space',
    write: false,
    argumentsMin: 0,
    run: (journal, _rest, output) => {
      const statistics = { id: journal.id, ...journal.statistics() };
      output.value({ ...statistics, notices: journal.notices });
      for (const [name, value] of Object.entries(statistics)) output.line(`${name}: ${value}`);
      for (const notice of journal.notices) output.line(`noticed: ${notice}`);
      return 0;
    },
  },
  changes: {
    usage: '[FROM]',
    does: 'lists the change log from a record on',
    write: false,
    argumentsMin: 0,
    run: (journal, [from], output) => {
      const records = [];
      for (const { number, record } of journal.changes(
        from === undefined ? 0 : whole(from, 'FROM'),
      )) {
        const text = new TextDecoder().decode(record);
        const parsed = decodeChangeRecord(number, record);
        records.push({ number, record: parsed ?? text });
        output.line(
          `${number}  ${parsed ? `${parsed.kind} ${parsed.author}: ${parsed.text}` : text}`,
        );
      }
      output.value(records);
      return 0;
    },
  },
  vacuum: {
    usage: '[PRESSURE]',
    does: 'thins old generations by the rules and gives space back; PRESSURE 1 to 8 thins more',
    write: true,
    argumentsMin: 0,
    run: (journal, [pressure], output) => {
      const strength = pressure === undefined ? 0 : whole(pressure, 'PRESSURE');
      const thinned = journal.thin(journal.head.journalMs, strength);
      let copied = 0;
      for (const step of journal.vacuum()) {
        copied += step.blocksCopied;
        output.progress(`${step.segmentsFree} segments free`);
      }
      const { segmentsFree, segments } = journal.statistics();
      output.value({ thinned, copied, segmentsFree, segments });
      output.line(`let go of ${thinned} generations, copied ${copied} blocks; `);
      output.line(`${segmentsFree} of ${segments} segments are free`);
      return 0;
    },
  },
};

function main(): number {
  let values: { json?: boolean | undefined; salvage?: string | undefined };
  let positionals: string[];
  try {
    ({ values, positionals } = parseArgs({
      options: { json: { type: 'boolean' }, salvage: { type: 'string' } },
      allowPositionals: true,
    }));
  } catch (error) {
    return fail((error as Error).message, 2);
  }
  const [name, file, ...rest] = positionals;
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command || file === undefined || rest.length < command.argumentsMin) {
    process.stderr.write(usage());
    return 2;
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
    output.progress(`${generations} of ${of} generations`),
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
  const tty = process.stderr.isTTY === true;
  return {
    json,
    line: (text) => void (json || process.stdout.write(`${text}\n`)),
    value: (value) => void (json && process.stdout.write(`${JSON.stringify(value)}\n`)),
    progress: (text) => void (tty && process.stderr.write(`\r\x1b[K${text}\r`)),
  };
}

function required(journal: Journal, number: string | undefined): Generation {
  const wanted = whole(number ?? '', 'GENERATION');
  const found = journal.generation(wanted);
  if (found) return found;
  throw new StoreError(
    'NO_SUCH_GENERATION',
    `Cannot find generation ${wanted}: it is not kept; log shows those that are`,
  );
}

function whole(text: string, name: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new UsageError(`Cannot read ${name}: found "${text}", wanted a whole number`);
}

function plain(generation: Generation): Record<string, unknown> {
  const { meta, ...rest } = generation;
  return { ...rest, metaHex: Buffer.from(meta).toString('hex') };
}

function lineOf(generation: Generation): string {
  const { number, wallMs, kind, pages, label, pinned, knownGood } = generation;
  const time = new Date(wallMs).toISOString().slice(0, 19).replace('T', ' ');
  const marks = [pinned ? 'pinned' : '', knownGood ? 'known good' : '', label ?? ''];
  const said = marks.filter((mark) => mark !== '').join(', ');
  return `${String(number).padStart(6)}  ${time}  ${kind.padEnd(10)} ${pages} pages  ${said}`.trimEnd();
}

function usage(): string {
  const lines = Object.entries(COMMANDS).map(
    ([name, { usage: rest, does }]) => `  ${`${name} FILE ${rest}`.padEnd(34)} ${does}`,
  );
  const salvaging = `  ${'verify FILE --salvage NEW'.padEnd(34)} copies what is left to a new file`;
  return `Usage: npm run journal -- COMMAND FILE [--json]\n${lines.join('\n')}\n${salvaging}\n`;
}

function fail(sentence: string, status: number): number {
  process.stderr.write(`${sentence}\n`);
  return status;
}

process.exitCode = main();
