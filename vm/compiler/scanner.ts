/**
 * From text to tokens, one at a time and on demand.
 *
 * The parser may ask to read again from an offset (`seek`), because two things cannot be told here:
 * how much of `||` or `><` belongs to one token, and whether `-` before a digit is a sign. The rule
 * for the latter: a run of operator characters that ends in `-` right before a digit gives that `-`
 * up when the run is longer, so `3--1` is 3 - -1, and `a>-1` is a > -1.
 */
import { CompileError, type CompileErrorCode } from './error.ts';
import type { Literal } from './method-spec.ts';
import { scanNumber } from './number.ts';

export type TokenKind =
  | 'end'
  | 'identifier'
  | 'keyword' // foo:
  | 'colon'
  | 'assign'
  | 'binary'
  | 'literal' // number, character, string, symbol
  | 'arrayStart' // #(
  | 'bytesStart' // #[
  | 'special'; // ( ) [ ] { } . ; ^

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly value: Literal | null;
}

const BINARY_CHARACTER = /[~!@%&*\-+=|\\<>,?/]|(?![\p{ASCII}←→↑↓])\p{Sm}/u;
const IDENTIFIER = /[\p{L}_][\p{L}\p{Mn}\p{Nd}_]*/uy;
const SYMBOL = /[\p{L}_](?:[\p{L}\p{Mn}\p{Nd}_]|:(?!=))*/uy;
const BLANK = /\s/;

/** Whether a character may be part of a binary selector. */
export function isBinaryCharacter(character: string): boolean {
  return BINARY_CHARACTER.test(character);
}

export class Scanner {
  readonly source: string;
  /** Start and end offset of every comment passed, ascending. */
  readonly comments: number[] = [];
  #position: number;

  constructor(source: string, position = 0) {
    this.source = source;
    this.#position = position;
  }

  /** Reads on from `position`. */
  seek(position: number): void {
    this.#position = position;
  }

  /** The next token; past the end, one of kind 'end'. Throws CompileError. */
  next(): Token {
    this.#skipBlanks();
    const start = this.#position;
    const character = this.source[start];
    if (character === undefined) return this.#token('end', start);
    if (isDigit(character)) return this.#number(start, start);
    const name = matchAt(IDENTIFIER, this.source, start);
    if (name !== null) return this.#identifier(start, name);
    if ('()[]{}.;^'.includes(character)) return this.#token('special', start + 1);
    if (character === '←') return this.#token('assign', start + 1);
    if (character === "'") {
      const { text, end } = this.#quoted(start, "'");
      return this.#literal(end, { kind: 'string', value: text });
    }
    if (character === '$') return this.#character(start);
    if (character === '#') return this.#hash(start);
    if (character === ':') {
      return this.source[start + 1] === '='
        ? this.#token('assign', start + 2)
        : this.#token('colon', start + 1);
    }
    const end = this.#binaryEnd(start);
    if (end > start) return this.#token('binary', end);
    throw this.error('COMPILE_SYNTAX', start, describeCharacter(this.source, start), 'Smalltalk');
  }

  /** A negative number whose `-` is at `start`; the digits follow at once. */
  negativeNumber(start: number): Token {
    return this.#number(start, start + 1);
  }

  error(code: CompileErrorCode, position: number, found: string, wanted: string): CompileError {
    return new CompileError(code, this.source, { position, found, wanted });
  }

  #token(kind: TokenKind, end: number, value: Literal | null = null): Token {
    const start = this.#position;
    this.#position = end;
    return { kind, text: this.source.slice(start, end), start, end, value };
  }

  #literal(end: number, value: Literal): Token {
    return this.#token('literal', end, value);
  }

  #identifier(start: number, name: string): Token {
    const end = start + name.length;
    return this.source[end] === ':' && this.source[end + 1] !== '='
      ? this.#token('keyword', end + 1)
      : this.#token('identifier', end);
  }

  #number(start: number, digits: number): Token {
    const { value, end } = scanNumber(this.source, digits, start !== digits);
    this.#position = start;
    return this.#literal(end, value);
  }

  #character(start: number): Token {
    const codePoint = this.source.codePointAt(start + 1);
    if (codePoint === undefined) {
      throw this.error('COMPILE_SYNTAX', start, '"$" at the end', 'a character after it');
    }
    const end = start + 1 + (codePoint > 0xffff ? 2 : 1);
    return this.#literal(end, { kind: 'character', codePoint });
  }

  #hash(first: number): Token {
    let start = first;
    while (this.source[start + 1] === '#') start += 1;
    const character = this.source[start + 1];
    if (character === '(') return this.#token('arrayStart', start + 2);
    if (character === '[') return this.#token('bytesStart', start + 2);
    if (character === "'") {
      const { text, end } = this.#quoted(start + 1, "'");
      return this.#literal(end, { kind: 'symbol', value: text });
    }
    const name = matchAt(SYMBOL, this.source, start + 1);
    const end = name === null ? this.#binaryEnd(start + 1) : start + 1 + name.length;
    if (end === start + 1) {
      const found = character === undefined ? '"#" at the end' : '"#"';
      throw this.error('COMPILE_SYNTAX', start, found, 'a symbol, "#(" or "#["');
    }
    return this.#literal(end, { kind: 'symbol', value: this.source.slice(start + 1, end) });
  }

  #binaryEnd(start: number): number {
    let end = start;
    for (;;) {
      const codePoint = this.source.codePointAt(end);
      if (codePoint === undefined || !isBinaryCharacter(String.fromCodePoint(codePoint))) break;
      end += codePoint > 0xffff ? 2 : 1;
    }
    const long = end - start > 1;
    return long && this.source[end - 1] === '-' && isDigit(this.source[end] ?? '') ? end - 1 : end;
  }

  /** The text between quotes, doubled quotes made single. */
  #quoted(start: number, quote: string): { text: string; end: number } {
    let text = '';
    let from = start + 1;
    for (;;) {
      const close = this.source.indexOf(quote, from);
      if (close < 0) {
        const what = quote === "'" ? 'a string' : 'a comment';
        throw this.error('COMPILE_SYNTAX', start, `${what} without an end`, `a closing ${quote}`);
      }
      text += this.source.slice(from, close);
      if (this.source[close + 1] !== quote) return { text, end: close + 1 };
      text += quote;
      from = close + 2;
    }
  }

  #skipBlanks(): void {
    for (;;) {
      const character = this.source[this.#position];
      if (character === undefined) return;
      if (character === '"') this.#comment();
      else if (BLANK.test(character)) this.#position += 1;
      else return;
    }
  }

  /** A comment met again after `seek` is noted once. */
  #comment(): void {
    const start = this.#position;
    this.#position = this.#quoted(start, '"').end;
    if (start >= (this.comments.at(-1) ?? 0)) this.comments.push(start, this.#position);
  }
}

/** How an error names the character at `position`. */
export function describeCharacter(source: string, position: number): string {
  const codePoint = source.codePointAt(position) ?? 0;
  const visible = codePoint > 32 && codePoint !== 127;
  return visible
    ? `"${String.fromCodePoint(codePoint)}"`
    : `character U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}`;
}

function matchAt(pattern: RegExp, source: string, position: number): string | null {
  pattern.lastIndex = position;
  return pattern.exec(source)?.[0] ?? null;
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9' && character.length === 1;
}
