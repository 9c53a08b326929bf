/**
 * The conversation with the person at the terminal: prompts, lines, and output that comes while a
 * line is being typed. One reader at a time; bytes that come while nobody reads wait, except
 * Ctrl-C, which always reaches `onInterrupt` at once.
 */
import { assert } from '../base/assert.ts';
import { type EditorEvent, LineEditor } from './line-editor.ts';

/** The terminal as the console needs it; vm/host implements it. */
export interface Terminal {
  /** False for a pipe: nothing is echoed. */
  readonly interactive: boolean;
  write(text: string): void;
  /** Where news that nobody asked for go, when they are not to be mixed with the answers. */
  notice?(text: string): void;
  /** Called with each piece of input; with null at its end. */
  onInput(listener: (bytes: Uint8Array | null) => void): void;
}

const INTERRUPT_BYTE = 0x03;
const PENDING_BYTES_MAX = 1 << 20;

interface Reader {
  readonly prompt: string;
  readonly done: (event: EditorEvent) => void;
}

export class Console {
  /** Called when Ctrl-C comes while no line is being read. */
  onInterrupt: () => void = () => {};

  readonly #terminal: Terminal;
  readonly #editor: LineEditor;
  #pending: number[] = [];
  #ended = false;
  #reader: Reader | null = null;
  #keyWaiter: (() => void) | null = null;
  #atLineStart = true;
  #lineEnded = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.#editor = new LineEditor((text) => {
      if (terminal.interactive) terminal.write(text);
    });
    terminal.onInput((bytes) => this.#input(bytes));
  }

  /**
   * Shows text; a line being typed is moved below it. Lines end in \n: a terminal in raw mode still
   * makes that a new line at its left edge.
   */
  write(text: string): void {
    if (text === '') return;
    if (this.#reader === null) {
      this.#terminal.write(text);
      this.#atLineStart = text.endsWith('\n');
      return;
    }
    if (!this.#terminal.interactive) {
      this.#terminal.write(text);
      return;
    }
    // A line that came without its end was given one, so that the prompt stands below it.
    const rest = this.#lineEnded && text.startsWith('\n') ? text.slice(1) : text;
    this.#lineEnded = rest !== '' && !rest.endsWith('\n');
    if (rest === '') return;
    const newline = this.#lineEnded ? '\n' : '';
    this.#terminal.write(`\r\x1b[K${rest}${newline}${this.#reader.prompt}`);
    this.#editor.redraw();
  }

  /** Shows news that nobody asked for. */
  notice(text: string): void {
    if (this.#terminal.notice === undefined) this.write(text);
    else this.#terminal.notice(text);
  }

  /** Shows a line of its own. */
  print(line: string): void {
    if (!this.#atLineStart && this.#reader === null) this.write('\n');
    this.write(`${line}\n`);
  }

  /** Asks for a line. Only one caller may ask at a time. */
  readLine(prompt: string): Promise<EditorEvent> {
    assert(this.#reader === null, 'two readers of one console');
    if (!this.#atLineStart) this.write('\n');
    this.#lineEnded = false;
    return new Promise((resolve) => {
      this.#terminal.write(prompt);
      this.#reader = { prompt, done: resolve };
      this.#editor.redraw();
      this.#drain();
    });
  }

  /** Asks for a line; answers null when nothing at all is typed for that long. */
  async readLineWithin(prompt: string, idleMs: number): Promise<EditorEvent | null> {
    let idle = false;
    const line = this.readLine(prompt);
    const timer = setTimeout(() => {
      idle = true;
      this.#terminal.write('\n');
      this.cancelRead();
      this.#atLineStart = true;
    }, idleMs);
    this.#keyWaiter = () => clearTimeout(timer);
    const event = await line;
    clearTimeout(timer);
    this.#keyWaiter = null;
    return idle ? null : event;
  }

  /** Ends a readLine that is going on, as Ctrl-C would; what was typed is dropped. */
  cancelRead(): void {
    if (this.#reader === null) return;
    this.#editor.cancel();
    this.#finish({ kind: 'interrupt' });
    this.#atLineStart = false;
  }

  /** Resolves true when a key is pressed (the key is swallowed), false after the time is over. */
  async keyWithin(timeoutMs: number): Promise<boolean> {
    assert(this.#reader === null && this.#keyWaiter === null, 'somebody reads already');
    if (this.#pending.length === 0 && !this.#ended) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, timeoutMs);
      this.#keyWaiter = resolve;
      await promise;
      clearTimeout(timer);
      this.#keyWaiter = null;
    }
    const pressed = this.#pending.length > 0;
    this.#pending = [];
    return pressed;
  }

  #input(bytes: Uint8Array | null): void {
    if (bytes === null) {
      this.#ended = true;
      this.#keyWaiter?.();
      this.#drain();
      return;
    }
    if (this.#reader === null && this.#keyWaiter === null) {
      const interrupt = bytes.lastIndexOf(INTERRUPT_BYTE);
      if (interrupt >= 0) {
        this.#pending = [...bytes.subarray(interrupt + 1)];
        this.onInterrupt();
        return;
      }
    }
    for (const byte of bytes)
      if (this.#pending.length < PENDING_BYTES_MAX) this.#pending.push(byte);
    this.#keyWaiter?.();
    this.#drain();
  }

  /**
   * Feeds waiting bytes to the editor until a line is complete; the rest waits for the next one.
   */
  #drain(): void {
    while (this.#reader !== null && this.#pending.length > 0) {
      const end = this.#pending.findIndex((byte) => byte === 0x0a || byte === 0x0d || byte < 0x05);
      const count = end < 0 ? this.#pending.length : end + 1;
      const taken = Uint8Array.from(this.#pending.splice(0, count));
      for (const event of this.#editor.feed(taken)) this.#finish(event);
    }
    if (this.#reader !== null && this.#ended) {
      for (const event of this.#editor.feed(new TextEncoder().encode('\r'))) {
        this.#finish(event.kind === 'line' && event.text === '' ? { kind: 'end' } : event);
      }
    }
  }

  #finish(event: EditorEvent): void {
    const reader = this.#reader;
    assert(reader !== null, 'a line nobody reads');
    this.#reader = null;
    this.#atLineStart = true;
    reader.done(event);
  }
}
