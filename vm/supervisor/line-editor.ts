/**
 * A line editor for a serial line: it knows bytes in and bytes out, no terminal. It never asks the
 * terminal anything and only uses backspace, printable text and "erase to end of line", so it works
 * on a dumb UART, on the kernel's own console and on any emulator.
 *
 * Invariant: the terminal's cursor stands `cursor` characters after the prompt.
 */

/** What a run of input bytes amounts to. */
export type EditorEvent =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'end' };

const HISTORY_MAX = 500;
const ESCAPE_SEQUENCE_MAX = 8;

export class LineEditor {
  readonly #echo: (text: string) => void;
  readonly #decoder = new TextDecoder();
  #characters: string[] = [];
  #cursor = 0;
  #escape = '';
  #skipLineFeed = false;
  readonly #history: string[] = [];
  #historyIndex = 0;
  #draft = '';

  /** `echo` receives what the terminal must show. */
  constructor(echo: (text: string) => void) {
    this.#echo = echo;
  }

  /** The line as typed so far. */
  get text(): string {
    return this.#characters.join('');
  }

  /** Shows the line again after something else was written, with the cursor where it was. */
  redraw(): void {
    this.#echo(this.text + '\b'.repeat(this.#characters.length - this.#cursor));
  }

  /** Drops the line being typed; what the terminal shows of it stays. */
  cancel(): void {
    this.#escape = '';
    this.#reset();
  }

  /** Takes bytes from the terminal; answers the events they complete, in order. */
  feed(bytes: Uint8Array): EditorEvent[] {
    const events: EditorEvent[] = [];
    for (const character of this.#decoder.decode(bytes, { stream: true })) {
      const event = this.#escape === '' ? this.#type(character) : this.#inEscape(character);
      if (event !== null) events.push(event);
    }
    return events;
  }

  #type(character: string): EditorEvent | null {
    const afterReturn = this.#skipLineFeed;
    this.#skipLineFeed = false;
    switch (character) {
      case '\r':
        this.#skipLineFeed = true;
        return this.#enter();
      case '\n':
        return afterReturn ? null : this.#enter();
      case '\x03':
        this.#echo('^C\n');
        this.#reset();
        return { kind: 'interrupt' };
      case '\x04':
        if (this.#characters.length === 0) return { kind: 'end' };
        this.#deleteForward();
        return null;
      case '\x1b':
        this.#escape = character;
        return null;
      default:
        this.#edit(character);
        return null;
    }
  }

  #edit(character: string): void {
    switch (character) {
      case '\x01':
        return this.#moveTo(0);
      case '\x02':
        return this.#moveTo(this.#cursor - 1);
      case '\x05':
        return this.#moveTo(this.#characters.length);
      case '\x06':
        return this.#moveTo(this.#cursor + 1);
      case '\x7f':
      case '\b':
        return this.#deleteBack(1);
      case '\x0b':
        return this.#replace(this.#characters.slice(0, this.#cursor), this.#cursor);
      case '\x0e':
        return this.#recall(1);
      case '\x10':
        return this.#recall(-1);
      case '\x15':
        return this.#deleteBack(this.#cursor);
      case '\x17':
        return this.#deleteBack(this.#cursor - this.#wordStart());
      case '\t':
        return this.#insert(' ');
      default:
        if (character >= ' ') this.#insert(character);
    }
  }

  #inEscape(character: string): EditorEvent | null {
    this.#escape += character;
    const sequence = this.#escape.slice(1);
    const done = /^(\[[0-9;]*[A-Za-z~]|O[A-Za-z]|[^[O])$/.test(sequence);
    if (!done && sequence.length < ESCAPE_SEQUENCE_MAX) return null;
    this.#escape = '';
    if (sequence === '[A' || sequence === 'OA') this.#recall(-1);
    else if (sequence === '[B' || sequence === 'OB') this.#recall(1);
    else if (sequence === '[C' || sequence === 'OC') this.#moveTo(this.#cursor + 1);
    else if (sequence === '[D' || sequence === 'OD') this.#moveTo(this.#cursor - 1);
    else if (sequence === '[H' || sequence === 'OH' || sequence === '[1~') this.#moveTo(0);
    else if (sequence === '[F' || sequence === 'OF' || sequence === '[4~')
      this.#moveTo(this.#characters.length);
    else if (sequence === '[3~') this.#deleteForward();
    return null;
  }

  #enter(): EditorEvent {
    this.#echo('\n');
    const text = this.text;
    if (text.trim() !== '' && this.#history.at(-1) !== text) this.#history.push(text);
    if (this.#history.length > HISTORY_MAX) this.#history.shift();
    this.#reset();
    return { kind: 'line', text };
  }

  #reset(): void {
    this.#characters = [];
    this.#cursor = 0;
    this.#draft = '';
    this.#historyIndex = this.#history.length;
  }

  #moveTo(position: number): void {
    const target = Math.min(Math.max(position, 0), this.#characters.length);
    if (target < this.#cursor) this.#echo('\b'.repeat(this.#cursor - target));
    else this.#echo(this.#characters.slice(this.#cursor, target).join(''));
    this.#cursor = target;
  }

  #insert(character: string): void {
    this.#characters.splice(this.#cursor, 0, character);
    this.#cursor++;
    const rest = this.#characters.slice(this.#cursor);
    this.#echo(character + rest.join('') + '\b'.repeat(rest.length));
  }

  #deleteBack(count: number): void {
    const target = Math.max(this.#cursor - count, 0);
    const kept = [...this.#characters.slice(0, target), ...this.#characters.slice(this.#cursor)];
    this.#replace(kept, target);
  }

  #deleteForward(): void {
    if (this.#cursor === this.#characters.length) return;
    this.#characters.splice(this.#cursor, 1);
    const rest = this.#characters.slice(this.#cursor);
    this.#echo(`${rest.join('')}\x1b[K${'\b'.repeat(rest.length)}`);
  }

  #wordStart(): number {
    let start = this.#cursor;
    while (start > 0 && this.#characters[start - 1] === ' ') start--;
    while (start > 0 && this.#characters[start - 1] !== ' ') start--;
    return start;
  }

  #replace(characters: string[], cursor: number): void {
    this.#moveTo(0);
    this.#characters = characters;
    this.#echo(`${this.text}\x1b[K`);
    this.#cursor = characters.length;
    this.#moveTo(cursor);
  }

  #recall(step: number): void {
    const target = this.#historyIndex + step;
    if (target < 0 || target > this.#history.length) return;
    if (this.#historyIndex === this.#history.length) this.#draft = this.text;
    this.#historyIndex = target;
    const characters = [...(this.#history[target] ?? this.#draft)];
    this.#replace(characters, characters.length);
  }
}
