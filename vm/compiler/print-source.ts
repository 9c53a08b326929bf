/**
 * From the syntax tree back to source: for tools, and to test the parser (what is printed parses to
 * the same tree). Comments and layout are not kept; parentheses appear where precedence asks for
 * them.
 */
import { assert } from '../base/assert.ts';
import type {
  BlockNode,
  Expression,
  MessagePart,
  MethodNode,
  PrimitiveNode,
  Statement,
  VariableNode,
} from './ast.ts';
import type { Literal } from './method-spec.ts';
import { Scanner } from './scanner.ts';

/** How tightly an expression binds, tightest first. */
const PRIMARY = 0;
const UNARY = 1;
const BINARY = 2;
const KEYWORD = 3;
const LOOSEST = 4;

/** The source of a whole method, its pattern on a line of its own. */
export function printMethod(method: MethodNode): string {
  const pattern = printPattern(method);
  return `${pattern}\n${printDoIt(method)}`;
}

/** The source of a method's body: pragmas, temporaries, statements. */
export function printDoIt(method: MethodNode): string {
  const lines = method.pragmas.map(({ selector, args }) => {
    if (args.length === 0) return `<${selector}>`;
    const parts = keywordsOf(selector).map((keyword, index) => {
      const arg = args[index];
      assert(arg !== undefined, 'a pragma has an argument for every keyword');
      return `${keyword} ${printLiteral(arg)}`;
    });
    return `<${parts.join(' ')} >`;
  });
  if (method.primitive !== null) lines.push(printPrimitive(method.primitive));
  const body = printBody(method.temporaries, method.statements, '.\n');
  return [...lines, body].join('\n');
}

/** The source of one expression. */
export function printExpression(node: Expression): string {
  return print(node, LOOSEST);
}

/** A literal as the scanner reads it. */
export function printLiteral(literal: Literal): string {
  switch (literal.kind) {
    case 'integer':
      return String(literal.value);
    case 'float':
      return printFloat(literal.value);
    case 'scaled':
      return printScaled(literal);
    case 'character':
      return `$${String.fromCodePoint(literal.codePoint)}`;
    case 'string':
      return quote(literal.value);
    case 'symbol':
      return isBareSymbol(literal.value) ? `#${literal.value}` : `#${quote(literal.value)}`;
    case 'array':
      return `#(${literal.elements.map(printLiteral).join(' ')})`;
    case 'bytes':
      return `#[${[...literal.value].join(' ')}]`;
    case 'nil':
    case 'true':
    case 'false':
      return literal.kind;
    default:
      throw new Error(`Bug: a literal of kind ${literal.kind} has no source`);
  }
}

function printPattern({ selector, parameters }: MethodNode): string {
  if (parameters.length === 0) return selector;
  if (!selector.endsWith(':')) return `${selector} ${parameters[0]?.name}`;
  return keywordsOf(selector)
    .map((keyword, index) => `${keyword} ${parameters[index]?.name}`)
    .join(' ');
}

function printPrimitive(primitive: PrimitiveNode): string {
  const what = primitive.name === null ? String(primitive.number) : quote(primitive.name);
  const module = primitive.module === null ? '' : ` module: ${quote(primitive.module)}`;
  const error = primitive.error === null ? '' : ` error: ${primitive.error.name}`;
  return `<primitive: ${what}${module}${error}>`;
}

function printBody(
  temporaries: readonly VariableNode[],
  statements: readonly Statement[],
  separator: string,
): string {
  const names = temporaries.map((temporary) => temporary.name).join(' ');
  const text = statements
    .map((node) =>
      node.kind === 'return' ? `^ ${print(node.value, LOOSEST)}` : print(node, LOOSEST),
    )
    .join(separator);
  return names === '' ? text : `| ${names} | ${text}`;
}

/** `node`, in parentheses when it binds more loosely than `limit`. */
function print(node: Expression, limit: number): string {
  const pending: MessagePart[] = [];
  let inner = node;
  while (inner.kind === 'message') {
    pending.push(inner);
    inner = inner.receiver;
  }
  let level = levelOf(inner);
  let text = printInnermost(inner);
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    const own = partLevel(part);
    if (level > receiverLimit(part)) text = `(${text})`;
    text = `${text} ${printPart(part)}`;
    level = own;
  }
  return level > limit ? `(${text})` : text;
}

function printInnermost(node: Exclude<Expression, { kind: 'message' }>): string {
  switch (node.kind) {
    case 'literal':
      return printLiteral(node.value);
    case 'variable':
      return node.name;
    case 'assignment':
      return `${node.variable.name} := ${print(node.value, LOOSEST)}`;
    case 'cascade': {
      const [first] = node.parts;
      assert(first !== undefined, 'a cascade has parts');
      const receiver = print(node.receiver, receiverLimit(first));
      return `${receiver} ${node.parts.map(printPart).join('; ')}`;
    }
    case 'brace':
      return `{${node.elements.map((element) => print(element, LOOSEST)).join('. ')}}`;
    case 'block':
      return printBlock(node);
  }
}

function printBlock(node: BlockNode): string {
  const parameters = node.parameters.map((parameter) => `:${parameter.name}`).join(' ');
  const body = printBody(node.temporaries, node.statements, '. ');
  return parameters === '' ? `[${body}]` : `[${parameters} | ${body}]`;
}

function printPart(part: MessagePart): string {
  const level = partLevel(part);
  if (level === UNARY) return part.selector;
  const keywords = level === BINARY ? [part.selector] : keywordsOf(part.selector);
  return keywords
    .map((keyword, index) => {
      const arg = part.args[index];
      assert(arg !== undefined, 'a message has an argument for every keyword');
      return `${keyword} ${print(arg, level === BINARY ? UNARY : BINARY)}`;
    })
    .join(' ');
}

function partLevel(part: MessagePart): number {
  if (part.args.length === 0) return UNARY;
  return part.selector.endsWith(':') ? KEYWORD : BINARY;
}

function receiverLimit(part: MessagePart): number {
  return partLevel(part) === UNARY ? UNARY : BINARY;
}

function levelOf(node: Expression): number {
  return node.kind === 'assignment' || node.kind === 'cascade' ? LOOSEST : PRIMARY;
}

function keywordsOf(selector: string): string[] {
  return selector.match(/[^:]+:/g) ?? [selector];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function isBareSymbol(value: string): boolean {
  if (!/^[^\s'"()[\]{}$#.;^]+$/.test(value)) return false;
  try {
    const token = new Scanner(`#${value} `).next();
    return token.end === value.length + 1 && token.value?.kind === 'symbol';
  } catch {
    return false;
  }
}

function printFloat(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  const [mantissa = '', exponent] = String(value).split('e');
  const point = mantissa.includes('.') ? mantissa : `${mantissa}.0`;
  return exponent === undefined ? point : `${point}e${exponent.replace('+', '')}`;
}

/** A radix in which the fraction ends: ten if it will do. */
function printScaled(literal: Extract<Literal, { kind: 'scaled' }>): string {
  const { numerator, denominator, scale } = literal;
  const radices = [10, ...Array.from({ length: 35 }, (_, index) => index + 2)];
  for (const radix of radices) {
    for (let digits = 0, power = 1n; digits <= denominator.toString(2).length; digits++) {
      if (power % denominator === 0n) {
        return printFixed({ value: (numerator * power) / denominator, digits, radix, scale });
      }
      power *= BigInt(radix);
    }
  }
  throw new Error(`Bug: no literal has the denominator ${denominator}`);
}

function printFixed(fixed: {
  value: bigint;
  digits: number;
  radix: number;
  scale: number;
}): string {
  const { value, digits, radix, scale } = fixed;
  const magnitude = (value < 0n ? -value : value).toString(radix).toUpperCase();
  const padded = magnitude.padStart(digits + 1, '0');
  const whole = padded.slice(0, padded.length - digits);
  const fraction = digits === 0 ? '' : `.${padded.slice(-digits)}`;
  return `${value < 0n ? '-' : ''}${radix === 10 ? '' : `${radix}r`}${whole}${fraction}s${scale}`;
}
