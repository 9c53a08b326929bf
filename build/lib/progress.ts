/**
 * What the person sees of a running build: one moving line on a terminal, plain lines in a log.
 * Nothing here changes what is built.
 */

const BAR_CELLS = 24;
const REDRAW_MS_MIN = 80;

export interface Progress {
  /** A step whose output is there already. */
  skip(name: string): void;
  /** Begins a step; `detail` says what kind of work it is. */
  start(name: string, detail: string): void;
  /** Moves inside the running step: `fraction` from 0 to 1, or null when it is unknown. */
  update(fraction: number | null, detail?: string): void;
  /** Ends the running step. */
  finish(detail: string): void;
  /** A line that stays. */
  note(text: string): void;
}

/** Answers the progress for a stream: a bar when it is a terminal, else lines. */
export function createProgress(stream: NodeJS.WriteStream, stepCount: number): Progress {
  return stream.isTTY ? new TerminalProgress(stream, stepCount) : new LineProgress(stream);
}

/** For steps that run inside another command: says nothing. */
export const silentProgress: Progress = {
  skip() {},
  start() {},
  update() {},
  finish() {},
  note() {},
};

class LineProgress implements Progress {
  readonly #stream: NodeJS.WritableStream;
  #name = '';
  #startedMs = 0;
  #quarter = 0;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  skip(name: string): void {
    this.note(`${name}: up to date`);
  }

  start(name: string, detail: string): void {
    this.#name = name;
    this.#startedMs = performance.now();
    this.#quarter = 0;
    this.note(`${name}: ${detail}`);
  }

  update(fraction: number | null): void {
    const quarter = fraction === null ? 0 : Math.floor(fraction * 4);
    if (quarter <= this.#quarter || quarter >= 4) return;
    this.#quarter = quarter;
    this.note(`${this.#name}: ${quarter * 25} %`);
  }

  finish(detail: string): void {
    this.note(`${this.#name}: ${detail} (${seconds(this.#startedMs)})`);
  }

  note(text: string): void {
    this.#stream.write(`${text}\n`);
  }
}

class TerminalProgress implements Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #stepCount: number;
  #finished = 0;
  #name = '';
  #detail = '';
  #startedMs = 0;
  #drawnMs = 0;

  constructor(stream: NodeJS.WriteStream, stepCount: number) {
    this.#stream = stream;
    this.#stepCount = stepCount;
  }

  skip(name: string): void {
    this.#finished++;
    this.#name = name;
    this.#detail = 'up to date';
    this.#draw(0);
  }

  start(name: string, detail: string): void {
    this.#name = name;
    this.#detail = detail;
    this.#startedMs = performance.now();
    this.#draw(0);
  }

  update(fraction: number | null, detail?: string): void {
    if (detail !== undefined) this.#detail = detail;
    if (performance.now() - this.#drawnMs >= REDRAW_MS_MIN) this.#draw(fraction ?? 0);
  }

  finish(detail: string): void {
    this.#finished++;
    this.note(`${this.#name}: ${detail} (${seconds(this.#startedMs)})`);
  }

  note(text: string): void {
    this.#stream.write(`\r\x1b[K${text}\n`);
  }

  #draw(fraction: number): void {
    this.#drawnMs = performance.now();
    const whole = Math.min(1, (this.#finished + fraction) / this.#stepCount);
    const cells = Math.round(whole * BAR_CELLS);
    const bar = '#'.repeat(cells) + '.'.repeat(BAR_CELLS - cells);
    const percent = fraction > 0 ? ` ${Math.floor(fraction * 100)} %` : '';
    const text = `[${bar}] ${this.#name}: ${this.#detail}${percent}`;
    this.#stream.write(`\r\x1b[K${text.slice(0, (this.#stream.columns || 80) - 1)}`);
  }
}

function seconds(startedMs: number): string {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
}
