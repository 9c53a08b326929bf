/**
 * The parser, asked from inside the image: a syntax tree as a flat program in postfix order, which
 * RBParser turns into nodes. Records of six words each; offsets count from 0, ends are exclusive:
 *
 *     op            start end   a                b                   c
 *     1 literal     start end   literal          0                   0
 *     2 variable    start end   0                0                   0
 *     3 assignment  start end   0                0                   0            [variable value]
 *     4 message     start end   selector         arguments           its offset   [receiver args]
 *     5 part        start 0     selector         arguments           its offset   [args]
 *     6 cascade     start end   parts            0                   0            [receiver parts]
 *     7 brace       start end   elements         0                   0            [elements]
 *     8 block       start end   parameters       temporaries         statements
 *     9 return      start end   0                0                   0            [value]
 *    10 pragma      start end   selector         arguments           0            [args]
 *    11 method      start end   selector         parameters          temporaries
 *    12 body        0     end   pragmas          statements          0
 *
 * `literal` and `selector` are indices, from 1, in the Array of literals that comes with it. The
 * last two records are one: [parameters temporaries pragmas statements] make the method, whose
 * pattern ends at `end` of the body.
 */
import type {
  Expression,
  MessagePart,
  MethodNode,
  PragmaNode,
  PrimitiveNode,
  Statement,
  VariableNode,
} from '../compiler/ast.ts';
import { CompileError } from '../compiler/error.ts';
import type { Literal } from '../compiler/method-spec.ts';
import { parseWithComments } from '../compiler/parser.ts';
import {
  PRIM_ERROR,
  type Primitive,
  type PrimitiveContext,
} from '../interpreter/primitive-interface.ts';
import type { Oop } from '../memory/object-memory.ts';
import { storeBytes } from '../memory/strings.ts';
import { CHAR0, HEADER_WORDS } from '../objects/layout.ts';
import { SHAPE } from '../objects/well-known.ts';

import {
  fail,
  isString,
  isSymbol,
  newArray,
  newFloat,
  newInteger,
  newString,
  ofOperands,
  smallInteger,
} from './checks.ts';
import { mistake } from './compile.ts';
import { oldWordsLeft } from './system.ts';

const SOURCE_LENGTH_MAX = 1024 * 1024;
const WORDS_PER_CHARACTER = 16;
const OP = {
  literal: 1,
  variable: 2,
  assignment: 3,
  message: 4,
  part: 5,
  cascade: 6,
  brace: 7,
  block: 8,
  return: 9,
  pragma: 10,
  method: 11,
  body: 12,
} as const;

/**
 * primitiveParse(source, #method or #doIt): an Array of the program (WordArray), its literals and
 * the comments (WordArray of start and end offsets); or what is wrong, as primitiveCompile does.
 */
export const parse: Primitive = ofOperands(2, (vm, source, kind) => {
  const { memory } = vm;
  if (!isString(vm, source) || !isSymbol(vm, kind)) return fail(vm, PRIM_ERROR.badArgument);
  const what = memory.stringValue(kind);
  if (what !== 'doIt' && what !== 'method') return fail(vm, PRIM_ERROR.badArgument);
  const text = memory.stringValue(source);
  if (text.length > SOURCE_LENGTH_MAX) return fail(vm, PRIM_ERROR.limitExceeded);
  if (oldWordsLeft(vm) < text.length * WORDS_PER_CHARACTER) return fail(vm, PRIM_ERROR.noMemory);
  const points = codePointOffsets(text);
  try {
    const { node, comments } = parseWithComments(text, what);
    const flat = new Flattener();
    flat.method(node);
    const words = flat.words;
    for (let i = 0; i < words.length; i += 6) {
      words[i + 1] = points(words[i + 1]!);
      words[i + 2] = points(words[i + 2]!);
      if (words[i] === OP.message || words[i] === OP.part) words[i + 5] = points(words[i + 5]!);
    }
    const literals = newArray(
      vm,
      flat.literals.map((literal) => literalOop(vm, literal)),
    );
    return newArray(vm, [wordArray(vm, words), literals, wordArray(vm, comments.map(points))]);
  } catch (error) {
    if (error instanceof CompileError) return mistake(vm, error, text);
    throw error;
  }
});

/** Offsets in UTF-16 units to offsets in characters, which is what Strings in the image count. */
function codePointOffsets(text: string): (offset: number) => number {
  const isPlain = !/[\u{10000}-\u{10ffff}]/u.test(text);
  return isPlain ? (offset) => offset : (offset) => [...text.slice(0, offset)].length;
}

class Flattener {
  readonly words: number[] = [];
  readonly literals: Literal[] = [];
  readonly #selectors = new Map<string, number>();

  method(node: MethodNode): void {
    for (const variable of node.parameters) this.#variable(variable);
    for (const variable of node.temporaries) this.#variable(variable);
    const pragmas = [...node.pragmas, ...(node.primitive === null ? [] : [node.primitive])];
    pragmas.sort((first, second) => first.start - second.start);
    for (const pragma of pragmas) {
      if ('selector' in pragma) this.#pragma(pragma);
      else this.#primitive(pragma);
    }
    for (const statement of node.statements) this.#statement(statement);
    const { start, end, parameters, temporaries, statements, patternEnd } = node;
    const selector = this.#selector(node.selector);
    this.#add(OP.method, { start, end }, selector, parameters.length, temporaries.length);
    this.#add(OP.body, { start: 0, end: patternEnd }, pragmas.length, statements.length);
  }

  #add(op: number, at: { start: number; end: number }, a = 0, b = 0, c = 0): void {
    this.words.push(op, at.start, at.end, a, b, c);
  }

  #literal(literal: Literal): number {
    return this.literals.push(literal);
  }

  #selector(selector: string): number {
    const known = this.#selectors.get(selector);
    if (known !== undefined) return known;
    const index = this.#literal({ kind: 'symbol', value: selector });
    this.#selectors.set(selector, index);
    return index;
  }

  #variable(node: VariableNode): void {
    this.#add(OP.variable, node);
  }

  #statement(node: Statement): void {
    if (node.kind !== 'return') return this.#expression(node);
    this.#expression(node.value);
    this.#add(OP.return, node);
  }

  /** Receivers nest without limit, so they are walked in a loop. */
  #expression(node: Expression): void {
    const pending: Extract<Expression, { kind: 'message' }>[] = [];
    let inner = node;
    while (inner.kind === 'message') {
      pending.push(inner);
      inner = inner.receiver;
    }
    this.#innermost(inner);
    for (let message = pending.pop(); message !== undefined; message = pending.pop()) {
      for (const arg of message.args) this.#expression(arg);
      const selector = this.#selector(message.selector);
      this.#add(OP.message, message, selector, message.args.length, message.at);
    }
  }

  #innermost(node: Exclude<Expression, { kind: 'message' }>): void {
    switch (node.kind) {
      case 'literal':
        return this.#add(OP.literal, node, this.#literal(node.value));
      case 'variable':
        return this.#variable(node);
      case 'assignment':
        this.#variable(node.variable);
        this.#expression(node.value);
        return this.#add(OP.assignment, node);
      case 'cascade':
        this.#expression(node.receiver);
        for (const part of node.parts) this.#part(part);
        return this.#add(OP.cascade, node, node.parts.length);
      case 'brace':
        for (const element of node.elements) this.#expression(element);
        return this.#add(OP.brace, node, node.elements.length);
      case 'block': {
        for (const variable of node.parameters) this.#variable(variable);
        for (const variable of node.temporaries) this.#variable(variable);
        for (const statement of node.statements) this.#statement(statement);
        const { parameters, temporaries, statements } = node;
        const counts = [parameters.length, temporaries.length, statements.length] as const;
        return this.#add(OP.block, node, ...counts);
      }
    }
  }

  #part({ selector, args, at }: MessagePart): void {
    for (const arg of args) this.#expression(arg);
    this.#add(OP.part, { start: at, end: 0 }, this.#selector(selector), args.length, at);
  }

  #pragma({ selector, args, places, start, end }: PragmaNode): void {
    for (const [index, arg] of args.entries()) {
      const [first, last] = places[index] ?? [start, end];
      this.#add(OP.literal, { start: first, end: last }, this.#literal(arg));
    }
    this.#add(OP.pragma, { start, end }, this.#selector(selector), args.length);
  }

  #primitive({ number, name, module, error, start, end }: PrimitiveNode): void {
    const at = { start, end };
    const what: Literal =
      name === null ? { kind: 'integer', value: BigInt(number) } : { kind: 'string', value: name };
    this.#add(OP.literal, at, this.#literal(what));
    let selector = 'primitive:';
    let count = 1;
    if (module !== null) {
      this.#add(OP.literal, at, this.#literal({ kind: 'string', value: module }));
      selector += 'module:';
      count++;
    }
    if (error !== null) {
      this.#variable(error);
      selector += 'error:';
      count++;
    }
    this.#add(OP.pragma, at, this.#selector(selector), count);
  }
}

function wordArray(vm: PrimitiveContext, words: readonly number[]): Oop {
  const oop = vm.memory.instantiate(SHAPE.WordArray, words.length);
  if (oop === 0) return fail(vm, PRIM_ERROR.noMemory);
  vm.memory.H.set(words, oop + HEADER_WORDS);
  return oop;
}

/** A literal as a young object. */
function literalOop(vm: PrimitiveContext, literal: Literal): Oop {
  const { memory } = vm;
  switch (literal.kind) {
    case 'integer':
      return newInteger(vm, literal.value);
    case 'float':
      return newFloat(vm, literal.value);
    case 'scaled': {
      const { numerator, denominator, scale } = literal;
      const oop = memory.instantiate(SHAPE.ScaledDecimal, 3);
      memory.store(oop, 0, newInteger(vm, numerator));
      memory.store(oop, 1, newInteger(vm, denominator));
      memory.store(oop, 2, smallInteger(scale));
      return oop;
    }
    case 'character':
      return CHAR0 + 2 * literal.codePoint;
    case 'string':
      return newString(vm, literal.value);
    case 'symbol':
      return memory.internSymbol(literal.value);
    case 'array':
      return newArray(
        vm,
        literal.elements.map((element) => literalOop(vm, element)),
      );
    case 'bytes': {
      const { value } = literal;
      const oop = memory.instantiate(
        SHAPE.ByteArray,
        (value.length + 3) >> 2,
        -1,
        -value.length & 3,
      );
      storeBytes(memory, oop, value);
      return oop;
    }
    case 'true':
      return memory.true;
    case 'false':
      return memory.false;
    default:
      return memory.nil;
  }
}
