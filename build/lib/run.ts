/**
 * Runs the host's tools. Every tool gets the same environment wherever it runs (locale, time zone,
 * a fixed "now" for those that ask SOURCE_DATE_EPOCH), because the image must not depend on it.
 */
import { execa } from 'execa';
import { BuildError } from './failure.ts';

/** The moment stamped into everything we make: 2025-01-01 00:00:00 UTC, in seconds. */
export const SOURCE_DATE_EPOCH = 1_735_689_600;

const LAST_LINES = 12;

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  input?: string;
  /** Called with each line of standard output and standard error as it appears. */
  onLine?: (line: string) => void;
  /** The tool talks to the person: its three streams are ours. */
  interactive?: boolean;
}

/** Answers the environment in which the build runs tools. */
export function toolEnvironment(): Record<string, string> {
  return { LC_ALL: 'C.UTF-8', TZ: 'UTC', SOURCE_DATE_EPOCH: String(SOURCE_DATE_EPOCH) };
}

/**
 * Runs a tool and answers its standard output. A tool that cannot be started or fails is a
 * BuildError with its last lines of output.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { cwd, env, input, onLine, interactive } = options;
  const child = execa(command, [...args], {
    reject: false,
    all: true,
    env: { ...toolEnvironment(), ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(interactive ? { stdio: 'inherit' } : {}),
    ...(interactive ? {} : input === undefined ? { stdin: 'ignore' } : { input }),
    maxBuffer: 64 << 20,
  });
  if (onLine && child.all) {
    let rest = '';
    child.all.on('data', (chunk: Buffer | string) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
  }
  const result = await child;
  if (result.failed) {
    const text = typeof result.all === 'string' ? result.all.trimEnd() : '';
    const tail = text.split('\n').slice(-LAST_LINES).join('\n');
    const how =
      result.exitCode === undefined
        ? `could not be started or was stopped (${result.signal ?? result.code ?? 'unknown'})`
        : `ended with status ${result.exitCode}`;
    throw new BuildError(
      'COMMAND_FAILED',
      `Cannot run ${command} ${args.slice(0, 4).join(' ')}: it ${how}${tail ? `\n${tail}` : ''}`,
    );
  }
  return typeof result.stdout === 'string' ? result.stdout : '';
}

/**
 * Answers the first line a tool prints about its version: an input of whatever it makes. Standard
 * output only, because mkfs.fat says its version there while it complains about the option, and the
 * order of the two streams is a matter of chance.
 */
export async function toolVersion(command: string, args = ['--version']): Promise<string> {
  const result = await execa(command, args, { reject: false, env: toolEnvironment() });
  const text = typeof result.stdout === 'string' ? result.stdout : '';
  return text.split('\n')[0]?.trim() ?? '';
}
