/**
 * Pragmas: `<script>`, `<foo: 1 bar: #x>`, and the ones the compiler itself obeys,
 *
 *     <primitive: 60>   <primitive: 60 error: code>
 *     <primitive: 'name'>   <primitive: 'name' module: 'module'>   … with error: code
 *
 * A named primitive is number 117, whose description is the method's first literal.
 */
import type { PragmaNode, PrimitiveNode, VariableNode } from './ast.ts';
import { parseElement } from './literals.ts';
import type { Literal } from './method-spec.ts';
import type { Parser } from './parser.ts';

/** The primitive that calls one by name. */
export const NAMED_PRIMITIVE = 117;
const PRIMITIVE_MAX = 65535;

/** Parses from `<` to `>`. */
export function parsePragma(parser: Parser): PragmaNode | PrimitiveNode {
  const start = parser.token.start;
  parser.acceptOperatorCharacter('<');
  if (parser.is('keyword', 'primitive:')) return parsePrimitive(parser, start);
  let selector = '';
  const args: Literal[] = [];
  const places: [number, number][] = [];
  if (parser.is('identifier')) {
    selector = parser.advance().text;
  } else {
    if (!parser.is('keyword')) throw parser.wanted('the selector of a pragma');
    while (parser.is('keyword')) {
      selector += parser.advance().text;
      parser.acceptSign();
      const argStart = parser.token.start;
      args.push(parseElement(parser));
      places.push([argStart, parser.previousEnd]);
    }
  }
  return { selector, args, places, start, end: closing(parser) };
}

function parsePrimitive(parser: Parser, start: number): PrimitiveNode {
  parser.advance();
  const value = parser.token.value;
  let number = NAMED_PRIMITIVE;
  let name: string | null = null;
  if (value?.kind === 'string' || value?.kind === 'symbol') {
    name = value.value;
  } else if (value?.kind === 'integer' && value.value > 0n && value.value <= PRIMITIVE_MAX) {
    number = Number(value.value);
  } else {
    throw parser.wanted(`a primitive number from 1 to ${PRIMITIVE_MAX}, or a name`);
  }
  parser.advance();
  let module: string | null = null;
  let error: VariableNode | null = null;
  while (parser.is('keyword')) {
    if (parser.is('keyword', 'module:') && name !== null && module === null) {
      module = moduleName(parser);
    } else if (parser.is('keyword', 'error:') && error === null) {
      parser.advance();
      error = parser.name('the name of the variable for the error code');
    } else {
      throw parser.wanted(name === null ? '"error:" or ">"' : '"module:", "error:" or ">"');
    }
  }
  return { number, name, module, error, start, end: closing(parser) };
}

function moduleName(parser: Parser): string {
  parser.advance();
  const value = parser.token.value;
  if (value?.kind !== 'string' && value?.kind !== 'symbol') {
    throw parser.wanted('the name of a module');
  }
  parser.advance();
  return value.value;
}

function closing(parser: Parser): number {
  if (!parser.acceptOperatorCharacter('>')) throw parser.wanted('">" after the pragma');
  return parser.previousEnd;
}
