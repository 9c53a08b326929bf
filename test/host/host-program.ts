/**
 * The harness of the tests on a PC: the real program, `npm run host`, on a journal in a file of its
 * own, driven over a pipe, or over a pseudo-terminal as a person at a keyboard would. `kill` is the
 * pulled plug; the file is the card that stays.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareHost } from '../../build/host.ts';
import { checkoutDir } from '../../build/lib/paths.ts';
import { slowness } from '../../ci/qemu.ts';

/** Generous: a wait that is over means that something hangs, not that the machine is slow. */
export const ANSWER_MS = 60_000;

const NODE = [process.execPath, '--disable-warning=ExperimentalWarning'];
const PROGRAM = [join(checkoutDir, 'build', 'host.ts')];

/** How a program ended. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

export interface ProgramOptions {
  /** On a pseudo-terminal instead of pipes: lines are edited and echoed, Ctrl-C is a key. */
  readonly terminal?: boolean;
  /** Put before the program: another user, a limit. */
  readonly through?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  /** Another checkout's program. */
  readonly program?: readonly string[];
}

/** A program that runs, and what it has said. */
export class HostProgram {
  readonly ended: Promise<Ended>;
  #output = '';
  #errors = '';
  #seen = 0;
  #over: Ended | null = null;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiters = new Set<() => void>();

  constructor(words: readonly string[], options: ProgramOptions = {}) {
    const { terminal = false, through = [], environment = {}, program = PROGRAM } = options;
    const command = [...through, ...NODE, ...program, ...words];
    const [file = '', ...rest] = terminal
      ? ['script', '-qfec', command.map(quoted).join(' '), '/dev/null']
      : command;
    const env = { ...process.env, TERM: 'xterm', ...environment };
    this.#child = spawn(file, rest, { cwd: checkoutDir, env, detached: true });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      this.#look();
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    this.#child.stdin.on('error', () => {}); // It may end before it has read everything.
    this.ended = once(this.#child, 'close').then(([status, signal]) => {
      this.#over = { status, signal, output: this.#output, errors: this.#errors };
      this.#look();
      return this.#over;
    });
  }

  /** Everything said so far. */
  get output(): string {
    return this.#output;
  }

  get errors(): string {
    return this.#errors;
  }

  /** Bytes to the program, as they are. */
  write(text: string): void {
    this.#child.stdin.write(text);
  }

  /** The end of its input. */
  end(): void {
    this.#child.stdin.end();
  }

  /** Waits for what comes after what was waited for before; answers the match. */
  waitFor(pattern: string | RegExp, timeoutMs = ANSWER_MS): Promise<RegExpExecArray> {
    const regexp = typeof pattern === 'string' ? new RegExp(escaped(pattern)) : pattern;
    return new Promise((resolve, reject) => {
      const done = (finish: () => void): void => {
        clearTimeout(timer);
        this.#waiters.delete(look);
        finish();
      };
      const fail = (why: string): void =>
        done(() =>
          reject(
            new Error(
              `${why} while waiting for ${regexp}:\n${this.#output.slice(-2000)}\n${this.#errors}`,
            ),
          ),
        );
      const look = (): void => {
        const match = regexp.exec(this.#output.slice(this.#seen));
        if (match !== null) {
          this.#seen += match.index + match[0].length;
          done(() => resolve(match));
        } else if (this.#over !== null) {
          const { status, signal } = this.#over;
          fail(`it ended (${status ?? signal})`);
        }
      };
      const timer = setTimeout(() => fail('nothing came'), timeoutMs * slowness());
      this.#waiters.add(look);
      look();
    });
  }

  /** Answers what is said up to the next prompt, without it. */
  async untilPrompt(prompt = 'st> ', timeoutMs = ANSWER_MS): Promise<string> {
    const match = await this.waitFor(
      new RegExp(`^([\\s\\S]*?)(?:^|\\n)${escaped(prompt)}`),
      timeoutMs,
    );
    return (match[1] ?? '').replaceAll('\r', '').trim();
  }

  /** Types a line and answers what is said before the next prompt. */
  type(line: string, prompt = 'st> ', timeoutMs = ANSWER_MS): Promise<string> {
    this.write(`${line}\n`);
    return this.untilPrompt(prompt, timeoutMs);
  }

  /** The pulled plug: nothing runs on, nothing is said any more. */
  async kill(): Promise<Ended> {
    if (this.#over === null && this.#child.pid !== undefined) {
      try {
        process.kill(-this.#child.pid, 'SIGKILL');
      } catch {
        // It has just ended by itself.
      }
    }
    return this.ended;
  }

  /** Sends a signal to the program alone. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #look(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }
}

/** A journal file that a test may do anything to. */
export class JournalCopy {
  readonly path: string;
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.path = join(dir, 'test.journal');
  }

  /** A copy of the fresh journal that `npm run host` starts from. */
  static async fresh(): Promise<JournalCopy> {
    const copy = new JournalCopy(await mkdtemp(join(tmpdir(), 'palimpsest-host-')));
    await copyFile(await prepareHost(), copy.path);
    return copy;
  }

  /** Starts the program on it and waits for a prompt. */
  async start(
    options: ProgramOptions & { prompt?: string; words?: readonly string[] } = {},
  ): Promise<HostProgram> {
    const { prompt = 'st> ', words = [] } = options;
    const program = new HostProgram(['--journal', this.path, ...words], options);
    try {
      await program.untilPrompt(prompt);
    } catch (error) {
      await program.kill();
      throw error;
    }
    return program;
  }

  /** Runs the program on it to its end, with nothing to read. */
  run(...words: string[]): Promise<Ended> {
    return runHost(['--journal', this.path, ...words]);
  }

  bytes(): Promise<Buffer> {
    return readFile(this.path);
  }

  async modifiedMs(): Promise<number> {
    return (await stat(this.path)).mtimeMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** Runs the program to its end, with `input` as all it can read. */
export async function runHost(
  words: readonly string[],
  options: ProgramOptions & { input?: string } = {},
): Promise<Ended> {
  await using program = new HostProgram(words, options);
  if (options.input !== undefined) program.write(options.input);
  program.end();
  const over = setTimeout(() => program.signal('SIGKILL'), ANSWER_MS * slowness());
  const ended = await program.ended;
  clearTimeout(over);
  return ended;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
