/**
 * Literal arrays and byte arrays: `#(1 $a 'x' foo foo:bar: + true #(2) (3) #[4] [5] -6)`, `#[0
 * 255]`.
 *
 * Inside, bare words are symbols but for true, false and nil; parentheses and brackets need no `#`.
 */
import type { Literal } from './method-spec.ts';
import type { Parser } from './parser.ts';

const CONSTANTS: ReadonlyMap<string, Literal> = new Map<string, Literal>([
  ['true', { kind: 'true' }],
  ['false', { kind: 'false' }],
  ['nil', { kind: 'nil' }],
]);

/** Parses from `#(` or `(` to the closing parenthesis. */
export function parseArray(parser: Parser): Literal {
  return parser.nested(() => {
    parser.advance();
    const elements: Literal[] = [];
    while (!parser.accept('special', ')')) {
      if (parser.is('end')) throw parser.wanted('")" after the literal array');
      elements.push(parseElement(parser));
    }
    return { kind: 'array', elements };
  });
}

/** Parses from `#[` or `[` to the closing bracket. */
export function parseBytes(parser: Parser): Literal {
  parser.advance();
  const bytes: number[] = [];
  while (!parser.accept('special', ']')) {
    const value = parser.token.value;
    if (value?.kind !== 'integer' || value.value > 255n) {
      throw parser.wanted(parser.is('end') ? '"]"' : 'an integer from 0 to 255');
    }
    bytes.push(Number(value.value));
    parser.advance();
  }
  return { kind: 'bytes', value: Uint8Array.from(bytes) };
}

/** Parses one literal where bare words are symbols; pragma arguments too. */
export function parseElement(parser: Parser): Literal {
  parser.acceptSign();
  const { kind, text, value } = parser.token;
  if (value !== null) {
    parser.advance();
    return value;
  }
  if (kind === 'arrayStart' || (kind === 'special' && text === '(')) return parseArray(parser);
  if (kind === 'bytesStart' || (kind === 'special' && text === '[')) return parseBytes(parser);
  if (kind === 'binary') return { kind: 'symbol', value: parser.advance().text };
  if (kind !== 'identifier' && kind !== 'keyword') throw parser.wanted('a literal');
  return CONSTANTS.get(text) !== undefined
    ? constant(parser)
    : { kind: 'symbol', value: word(parser) };
}

function constant(parser: Parser): Literal {
  return CONSTANTS.get(parser.advance().text) ?? { kind: 'nil' };
}

/** Names and keywords written without a blank between them make one symbol. */
function word(parser: Parser): string {
  let text = parser.advance().text;
  while (
    text.endsWith(':') &&
    (parser.is('identifier') || parser.is('keyword')) &&
    parser.token.start === parser.previousEnd
  ) {
    text += parser.advance().text;
  }
  return text;
}
