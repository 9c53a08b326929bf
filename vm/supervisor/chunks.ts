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

/** Cuts a text in chunk format. A text without any `!` is one expression. */
export function readChunks(text: string): SourcePiece[] {
  const pieces: SourcePiece[] = [];
  let at = 0;
  let reader: string | null = null;
  while (at < text.length) {
    at = skipBlanks(text, at);
    const makesReader = reader === null && text[at] === '!';
    if (makesReader) at = skipBlanks(text, at + 1);
    const line = lineOf(text, at);
    const chunk = chunkAt(text, at);
    at = chunk.end;
    const source = chunk.text.trimEnd();
    if (source === '') reader = null;
    else if (makesReader) reader = source;
    else if (reader === null) pieces.push(doIt(source, line));
    else pieces.push({ source: readBy(reader, source), line, kind: 'method' });
  }
  return pieces;
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

function chunkAt(text: string, start: number): { text: string; end: number } {
  let result = '';
  for (let at = start; at < text.length; at++) {
    if (text[at] !== '!') result += text[at];
    else if (text[at + 1] === '!') {
      result += '!';
      at++;
    } else return { text: result, end: at + 1 };
  }
  return { text: result, end: text.length };
}

function skipBlanks(text: string, start: number): number {
  let at = start;
  while (at < text.length && /\s/.test(text[at] ?? '')) at++;
  return at;
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
