/**
 * Chunk format, the text in which Smalltalk source has always been exchanged: pieces ended by `!`,
 * a `!` in them doubled. A piece after a leading `!` answers a reader for the pieces that follow
 * it, up to an empty one: that is how methods come.
 *
 *     Object subclass: #Foo instanceVariableNames: '' classVariableNames: '' category: 'Bar'!
 *     !Foo methodsFor: 'accessing'!
 *     answer
 *         ^ 42! !
 *     Foo new answer!
 *
 * The cutting is done here, outside the image, so that every piece is evaluated by itself and a
 * fault can be told with the line of the file.
 */

/** One expression to evaluate, and where it comes from. */
export interface SourcePiece {
  readonly source: string;
  /** Line of the file in which it begins, from 1. */
  readonly line: number;
  /**
   * 'doit': line k of `source` is line k of the file (it is padded). 'method': it carries the
   * source of a method whose first line is `line`.
   */
  readonly kind: 'doit' | 'method';
}

/** Readers of one chunk only: `!Foo commentStamp: 'ab 1/1/2000' prior: 0!`, `!Foo reorganize!`. */
const READS_ONE = /\s(commentStamp:.*|reorganize)$/s;
/** What old Squeak files say about fonts, behind the chunk they belong to. */
const STYLE = /^\]style\[/;

/**
 * Cuts a text in chunk format. A text without any `!` is one expression. Lines may end as they do
 * anywhere; in the pieces they end with a line feed.
 */
export function readChunks(file: string): SourcePiece[] {
  const text = withLineFeeds(file);
  const pieces: SourcePiece[] = [];
  const lines = new LineCounter(text);
  let at = 0;
  let reader: string | null = null;
  while (at < text.length) {
    at = skipBlanks(text, at);
    const makesReader = reader === null && text[at] === '!';
    if (makesReader) at = skipBlanks(text, at + 1);
    const line = lines.lineOf(at);
    const chunk = chunkAt(text, at);
    at = chunk.end;
    const source = chunk.text.trimEnd();
    if (STYLE.test(source)) continue;
    if (source === '') reader = null;
    else if (makesReader) reader = source;
    else if (reader === null) pieces.push(doIt(source, line));
    else {
      pieces.push({ source: readBy(reader, source), line, kind: 'method' });
      if (READS_ONE.test(reader)) reader = null;
    }
  }
  return pieces;
}

/** Without a byte order mark, and with every line's end, CR LF or CR, made a LF. */
export function withLineFeeds(text: string): string {
  return text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
}

/** An expression that begins in that line of its file. */
export function doIt(source: string, line: number): SourcePiece {
  return { source: '\n'.repeat(line - 1) + source, line, kind: 'doit' };
}

/** A string as Smalltalk source. */
export function stringLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function readBy(reader: string, source: string): string {
  const chunk = stringLiteral(`${source.replaceAll('!', '!!')}!`);
  return `(${reader}) scanFrom: (ChunkReader on: (ReadStream on: ${chunk}))`;
}

/** The text up to the next single `!`, doubled ones halved, and where it goes on behind that. */
function chunkAt(text: string, start: number): { text: string; end: number } {
  let result = '';
  for (let at = start; ; ) {
    const mark = text.indexOf('!', at);
    if (mark < 0) return { text: result + text.slice(at), end: text.length };
    result += text.slice(at, mark);
    if (text[mark + 1] !== '!') return { text: result, end: mark + 1 };
    result += '!';
    at = mark + 2;
  }
}

function skipBlanks(text: string, start: number): number {
  let at = start;
  while (at < text.length && /\s/.test(text[at] ?? '')) at++;
  return at;
}

/** Line numbers, from 1, of offsets that only grow. */
class LineCounter {
  readonly #text: string;
  #line = 1;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  lineOf(offset: number): number {
    for (; this.#at < offset; this.#at++) if (this.#text[this.#at] === '\n') this.#line++;
    return this.#line;
  }
}
