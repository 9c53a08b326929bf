import { describe, expect, test } from 'vitest';
import { Console, type Terminal } from './console.ts';

/** A terminal in memory: what is typed into it, what it shows. */
class MemoryTerminal implements Terminal {
  readonly interactive: boolean;
  shown = '';
  #listener: (bytes: Uint8Array | null) => void = () => {};

  constructor(interactive: boolean) {
    this.interactive = interactive;
  }

  write(text: string): void {
    this.shown += text;
  }

  onInput(listener: (bytes: Uint8Array | null) => void): void {
    this.#listener = listener;
  }

  type(text: string | null): void {
    this.#listener(text === null ? null : new TextEncoder().encode(text));
  }
}

describe('Console.readLine()', () => {
  test('reads lines that came together one at a time, and the end after the last', async () => {
    const terminal = new MemoryTerminal(false);
    const console = new Console(terminal);
    terminal.type('one\ntwo\r\nthree\r');
    terminal.type(null);
    expect(await console.readLine('> ')).toEqual({ kind: 'line', text: 'one' });
    expect(await console.readLine('> ')).toEqual({ kind: 'line', text: 'two' });
    expect(await console.readLine('> ')).toEqual({ kind: 'line', text: 'three' });
    expect(await console.readLine('> ')).toEqual({ kind: 'end' });
    expect(await console.readLine('> ')).toEqual({ kind: 'end' });
  });

  test('shows output above the line being typed', async () => {
    const terminal = new MemoryTerminal(true);
    const console = new Console(terminal);
    const line = console.readLine('> ');
    terminal.type('3 +');
    console.write('ding');
    console.write('\n');
    terminal.type(' 4\r');
    expect(await line).toEqual({ kind: 'line', text: '3 + 4' });
    expect(terminal.shown.match(/ding/g)).toHaveLength(1);
    expect(terminal.shown.match(/> 3 \+/g)).toHaveLength(2);
    expect(terminal.shown.endsWith('> 3 + 4\n') || terminal.shown.endsWith('> 3 + 4\r\n')).toBe(
      true,
    );
  });

  test('is ended by cancelRead(); what was typed is gone', async () => {
    const terminal = new MemoryTerminal(true);
    const console = new Console(terminal);
    const line = console.readLine('> ');
    terminal.type('never mind');
    console.cancelRead();
    expect(await line).toEqual({ kind: 'interrupt' });
    const next = console.readLine('> ');
    terminal.type('3\r');
    expect(await next).toEqual({ kind: 'line', text: '3' });
  });
});

describe('Ctrl-C', () => {
  test('reaches onInterrupt while nobody reads, and drops what was typed ahead', async () => {
    const terminal = new MemoryTerminal(true);
    const console = new Console(terminal);
    let interrupts = 0;
    console.onInterrupt = () => interrupts++;
    terminal.type('typed ahead\r');
    terminal.type('\x03after\r');
    expect(interrupts).toBe(1);
    expect(await console.readLine('> ')).toEqual({ kind: 'line', text: 'after' });
  });
});

describe('Console.readLineWithin()', () => {
  test('gives up when nothing is typed, but not on a person who thinks', async () => {
    const terminal = new MemoryTerminal(true);
    const console = new Console(terminal);
    expect(await console.readLineWithin('> ', 1)).toBe(null);
    const line = console.readLineWithin('> ', 50);
    terminal.type('x');
    await new Promise((resolve) => setTimeout(resolve, 100));
    terminal.type('y\r');
    expect(await line).toEqual({ kind: 'line', text: 'xy' });
    terminal.type(null);
    expect(await console.readLineWithin('> ', 60_000)).toEqual({ kind: 'end' });
  });
});

describe('Console.keyWithin()', () => {
  test('swallows the key; nothing typed is none, an input that has ended neither', async () => {
    const terminal = new MemoryTerminal(true);
    const console = new Console(terminal);
    const key = console.keyWithin(60_000);
    terminal.type('q');
    expect(await key).toBe(true);
    terminal.type('3\r');
    expect(await console.readLine('> ')).toEqual({ kind: 'line', text: '3' });
    expect(await console.keyWithin(1)).toBe(false);
    terminal.type(null);
    expect(await console.keyWithin(60_000)).toBe(false);
  });
});
