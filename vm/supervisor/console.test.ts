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
    terminal.type('one\ntwo\nthree');
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
    terminal.type(' 4\r');
    expect(await line).toEqual({ kind: 'line', text: '3 + 4' });
    expect(terminal.shown).toContain('ding');
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

describe('Console.typesWithin() and keyWithin()', () => {
  test('the first keeps what is typed, the second swallows it', async () => {
    const terminal = new MemoryTerminal(true);
    const console = new Console(terminal);
    const typed = console.typesWithin(60_000);
    terminal.type('x');
    expect(await typed).toBe(true);
    terminal.type('yz\r');
    expect(await console.readLine('> ')).toEqual({ kind: 'line', text: 'xyz' });
    const key = console.keyWithin(60_000);
    terminal.type('q');
    expect(await key).toBe(true);
    terminal.type('3\r');
    expect(await console.readLine('> ')).toEqual({ kind: 'line', text: '3' });
  });

  test('nothing typed is no key; an input that has ended is none either', async () => {
    const terminal = new MemoryTerminal(true);
    const console = new Console(terminal);
    expect(await console.typesWithin(1)).toBe(false);
    terminal.type(null);
    expect(await console.keyWithin(60_000)).toBe(false);
  });
});
