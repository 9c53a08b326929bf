/**
 * Terminals as the console needs them: standard input and output, or the appliance's serial line
 * and HDMI screen together as one conversation.
 */
import { openSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import type { Terminal } from '../supervisor/console.ts';

/** Writes all of `text` at once: a slow serial line is waited for, nothing is dropped. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      else return; // The terminal is gone; Smalltalk goes on without it.
    }
  }
}

/** The terminal this program was started from, or the pipe. */
export function standardTerminal(): Terminal & { restore(): void } {
  const input = process.stdin;
  const interactive = input.isTTY === true;
  return {
    interactive,
    write: (text) => writeAll(1, text),
    onInput: (listener) => {
      if (interactive) input.setRawMode(true);
      input.on('data', (bytes: Buffer) => listener(bytes));
      input.on('end', () => listener(null));
      input.on('error', () => listener(null));
    },
    restore: () => {
      if (interactive) input.setRawMode(false);
      input.pause();
      input.unref?.();
    },
  };
}

/**
 * Several character devices as one terminal: what is shown goes to all, any of them can type. A
 * device that cannot be opened (no screen) is left out.
 */
export function deviceTerminal(paths: readonly string[]): Terminal {
  const devices: { fd: number; stream: ReadStream }[] = [];
  for (const path of paths) {
    try {
      const fd = openSync(path, 'r+');
      devices.push({ fd, stream: new ReadStream(openSync(path, 'r+')) });
    } catch {
      // Not there on this machine; the others serve.
    }
  }
  return {
    interactive: true,
    write: (text) => {
      for (const { fd } of devices) writeAll(fd, text);
    },
    onInput: (listener) => {
      for (const { stream } of devices) {
        stream.setRawMode(true);
        stream.on('data', (bytes: Buffer) => listener(bytes));
        stream.on('error', () => {});
      }
    },
  };
}
