/**
 * The commands of `npm run journal`: each takes an open journal, says what it found or did, and
 * answers the exit status. They throw StoreError, and UsageError for arguments nobody can mean.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { SPACE_SIZE } from '../store/format.ts';
import type { Generation } from '../store/generation.ts';
import { journalHealth } from '../store/health.ts';
import type { Journal } from '../store/journal.ts';
import { PAGE_BYTES } from '../store/storage.ts';
import { StoreError } from '../store/store-error.ts';
import { exportGeneration, importGeneration, type Source } from '../store/transfer.ts';
import { decodeChangeRecord } from '../supervisor/change-record.ts';

export interface Command {
  /** Arguments after the file, for the usage line. */
  usage: string;
  does: string;
  write: boolean;
  argumentsMin: number;
  argumentsMax: number;
  run: (journal: Journal, rest: readonly string[], output: Output) => number;
}

export interface Output {
  /** One line for people. */
  line: (text: string) => void;
  /** What --json prints. */
  value: (value: unknown) => void;
  /** How far it is: `done` of `of` (null: nobody knows). */
  progress: (what: string, done: number, of: number | null) => void;
}

/** An argument that cannot be meant; the message is the sentence to print. */
export class UsageError extends Error {}

const STANDARD = '-';
const GENERATIONS_FOR_HEALTH = 1000;

export const COMMANDS: Record<string, Command> = {
  log: {
    usage: '[COUNT]',
    does: 'lists generations, newest first',
    write: false,
    argumentsMin: 0,
    argumentsMax: 1,
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
    argumentsMax: 1,
    run: (journal, [number], output) => {
      const generation = required(journal, number);
      const pages = journal.pageCount(generation);
      output.value({ ...plain(generation), pagesTotal: pages });
      output.line(lineOf(generation));
      output.line(`parent ${generation.parent ?? 'none'}, ${pages} pages in all`);
      return 0;
    },
  },
  diff: {
    usage: 'BEFORE AFTER',
    does: 'lists the pages that differ between two generations',
    write: false,
    argumentsMin: 2,
    argumentsMax: 2,
    run: (journal, [from, to], output) => {
      const [before, after] = [required(journal, from), required(journal, to)];
      const pages = [];
      for (const { page, ...places } of journal.differences(before.number, after.number)) {
        const change =
          places.before === null ? 'added' : places.after === null ? 'dropped' : 'changed';
        pages.push({ space: Math.floor(page / SPACE_SIZE), page: page % SPACE_SIZE, change });
      }
      output.value({ before: before.number, after: after.number, pages });
      for (const { space, page, change } of pages) output.line(`${space}/${page}  ${change}`);
      output.line(`${pages.length} pages differ (${bytesText(pages.length * PAGE_BYTES)})`);
      return 0;
    },
  },
  verify: {
    usage: '[GENERATION]',
    does: 'reads and proves everything, or one generation',
    write: false,
    argumentsMin: 0,
    argumentsMax: 1,
    run: (journal, [number], output) => {
      const report = journal.verify(
        ({ generations, of, blocks }) =>
          output.progress(`${blocks} blocks, generations`, generations, of),
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
    argumentsMax: 1,
    run: (journal, [number], output) => {
      const target = required(journal, number).number;
      const made = journal.rollback(target, now(journal));
      output.value(plain(made));
      output.line(`generation ${made.number} is generation ${target} again`);
      return 0;
    },
  },
  undo: {
    usage: '',
    does: 'makes a new generation with the pages of the one before the newest',
    write: true,
    argumentsMin: 0,
    argumentsMax: 0,
    run: (journal, _rest, output) => {
      const { number, parent } = journal.head;
      const made = journal.undo(now(journal));
      output.value(plain(made));
      output.line(`generation ${made.number} is generation ${parent} again, without ${number}`);
      return 0;
    },
  },
  label: {
    usage: 'GENERATION [TEXT]',
    does: 'labels a generation (and keeps it); without TEXT takes the label away',
    write: true,
    argumentsMin: 1,
    argumentsMax: Number.POSITIVE_INFINITY,
    run: (journal, [number, ...words], output) => {
      const text = words.join(' ');
      const { number: target } = required(journal, number);
      const made = journal.label(target, text === '' ? null : text);
      output.value(plain(made));
      output.line(lineOf(made));
      return 0;
    },
  },
  pin: pinning('pin', true, 'keeps a generation for ever'),
  unpin: pinning('unpin', false, 'lets the rules of retention decide again'),
  stats: {
    usage: '[--live]',
    does: 'shows sizes, free space, writing and latency; --live counts live bytes too',
    write: false,
    argumentsMin: 0,
    argumentsMax: 1,
    run: (journal, [option], output) => {
      if (option !== undefined && option !== '--live') {
        throw new UsageError(`Cannot show stats: found "${option}", wanted --live or nothing`);
      }
      const sizes = { id: journal.id, ...journal.statistics() };
      const health = journalHealth(journal.generations(GENERATIONS_FOR_HEALTH));
      const live = option === undefined ? null : measureLive(journal, output);
      output.value({ ...sizes, health, live, notices: journal.notices });
      for (const [name, value] of Object.entries(sizes)) output.line(`${name}: ${value}`);
      if (live) output.line(`liveBytes: ${live.liveBytes} of ${live.usedBytes} in use`);
      output.line(`bytes written in all: ${bytesText(health.bytes)}`);
      const { writeAmplification: factor, bytesPerDay, latencyTrend } = health;
      output.line(`write amplification: ${factor === null ? 'unknown' : factor.toFixed(2)}`);
      output.line(`bytes a day: ${bytesPerDay === null ? 'unknown' : bytesText(bytesPerDay)}`);
      for (const { from, to, meanMicros, slowestMicros } of health.latency) {
        const span = `generations ${from} to ${to}`;
        output.line(`flushes, ${span}: ${ms(meanMicros)} on average, ${ms(slowestMicros)} at most`);
      }
      if (latencyTrend !== null) {
        output.line(`flushes now for flushes then: ${latencyTrend.toFixed(2)}`);
      }
      for (const notice of journal.notices) output.line(`noticed: ${notice}`);
      return 0;
    },
  },
  changes: {
    usage: '[FROM]',
    does: 'lists the change log from a record on',
    write: false,
    argumentsMin: 0,
    argumentsMax: 1,
    run: (journal, [from], output) => {
      const records = [];
      const first = from === undefined ? 0 : whole(from, 'FROM');
      for (const { number, record } of journal.changes(first)) {
        const text = new TextDecoder().decode(record);
        const parsed = decodeChangeRecord(number, record);
        records.push({ number, record: parsed ?? text });
        const said = parsed ? `${parsed.kind} ${parsed.author}: ${parsed.text}` : text;
        output.line(`${number}  ${said}`);
      }
      output.value(records);
      return 0;
    },
  },
  export: {
    usage: 'GENERATION TO [SINCE]',
    does: 'writes a generation, or what differs from SINCE, to the file TO, or "-"',
    write: false,
    argumentsMin: 2,
    argumentsMax: 3,
    run: (journal, [number, to, since], output) => {
      const { number: generation } = required(journal, number);
      const base = since === undefined ? {} : { base: required(journal, since).number };
      const pages = writingTo(to as string, (sink) =>
        exportGeneration(journal, { generation, ...base }, sink, (done) =>
          output.progress('pages', done, null),
        ),
      );
      if (to === STANDARD) return 0;
      output.value({ generation, ...base, pages });
      output.line(`wrote generation ${generation} to ${to}: ${pages} pages`);
      return 0;
    },
  },
  import: {
    usage: 'FROM',
    does: 'makes what export wrote to the file FROM, or "-", the newest generation',
    write: true,
    argumentsMin: 1,
    argumentsMax: 1,
    run: (journal, [from], output) => {
      const made = readingFrom(from as string, (source) =>
        importGeneration(journal, source, now(journal), (done) =>
          output.progress('pages', done, null),
        ),
      );
      output.value(plain(made));
      output.line(lineOf(made));
      return 0;
    },
  },
  thin: {
    usage: '[PRESSURE]',
    does: 'lets go of old generations by the rules of retention; PRESSURE 1 to 8 of more',
    write: true,
    argumentsMin: 0,
    argumentsMax: 1,
    run: (journal, [pressure], output) => {
      const thinned = journal.thin(journal.head.journalMs, pressureOf(pressure));
      output.value({ thinned });
      output.line(`let go of ${thinned} generations`);
      return 0;
    },
  },
  vacuum: {
    usage: '[PRESSURE]',
    does: 'thins, then gives back the space nothing kept needs',
    write: true,
    argumentsMin: 0,
    argumentsMax: 1,
    run: (journal, [pressure], output) => {
      const thinned = journal.thin(journal.head.journalMs, pressureOf(pressure));
      let copied = 0;
      for (const step of journal.vacuum()) {
        copied += step.blocksCopied;
        output.progress('segments free', step.segmentsFree, null);
      }
      const { segmentsFree, segments } = journal.statistics();
      output.value({ thinned, copied, segmentsFree, segments });
      output.line(`let go of ${thinned} generations, copied ${copied} blocks; `);
      output.line(`${segmentsFree} of ${segments} segments are free`);
      return 0;
    },
  },
};

function pinning(name: string, pinned: boolean, does: string): Command {
  return {
    usage: 'GENERATION',
    does,
    write: true,
    argumentsMin: 1,
    argumentsMax: 1,
    run: (journal, [number], output) => {
      const made = journal.mark(required(journal, number).number, { pinned });
      output.value(plain(made));
      output.line(`${name}ned: ${lineOf(made)}`);
      return 0;
    },
  };
}

function measureLive(journal: Journal, output: Output): { liveBytes: number; usedBytes: number } {
  const steps = journal.measureLive();
  for (let count = 1; ; count++) {
    const step = steps.next();
    if (step.done) return step.value;
    output.progress('steps', count, null);
  }
}

/** Runs `body` with a sink into a new file, which appears only whole, or standard output. */
function writingTo<T>(path: string, body: (sink: (bytes: Uint8Array) => void) => T): T {
  if (path === STANDARD) return body((bytes) => writeWhole(1, bytes));
  if (existsSync(path)) {
    throw new UsageError(`Cannot export to "${path}": it exists, wanted the name of a new file`);
  }
  const fd = openNamed('export to', path, 'wx');
  try {
    const result = body((bytes) => writeWhole(fd, bytes));
    fsyncSync(fd);
    return result;
  } catch (error) {
    unlinkSync(path);
    if (!isSystemError(error)) throw error;
    throw new StoreError(
      'IO_FAILED',
      `Cannot export to "${path}": ${error.message}; nothing is left there`,
    );
  } finally {
    closeSync(fd);
  }
}

function readingFrom<T>(path: string, body: (source: Source) => T): T {
  const fd = path === STANDARD ? 0 : openNamed('import from', path, 'r');
  try {
    return body((count) => {
      const bytes = new Uint8Array(count);
      let length = 0;
      for (let read = -1; length < count && read !== 0; length += read) {
        read = readSync(fd, bytes, length, count - length, null);
      }
      return bytes.subarray(0, length);
    });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new StoreError('IO_FAILED', `Cannot import from "${path}": ${error.message}`);
  } finally {
    if (fd !== 0) closeSync(fd);
  }
}

function openNamed(action: string, path: string, flags: string): number {
  try {
    return openSync(path, flags, 0o666);
  } catch (error) {
    const reason = (error as Error).message;
    throw new StoreError(
      'IO_FAILED',
      `Cannot ${action} "${path}": ${reason}; wanted a file of yours`,
    );
  }
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

function now(journal: Journal): { wallMs: number; journalMs: number } {
  return { wallMs: Date.now(), journalMs: journal.head.journalMs };
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

function pressureOf(text: string | undefined): number {
  const pressure = text === undefined ? 0 : whole(text, 'PRESSURE');
  if (pressure <= 8) return pressure;
  throw new UsageError(`Cannot read PRESSURE: found "${text}", wanted 0 to 8`);
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

function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

function ms(micros: number): string {
  return `${(micros / 1000).toFixed(2)} ms`;
}
