/**
 * Random syntax trees for tests, from a seed. Names are drawn from few, so that closures capture,
 * variables shadow, and control structures are compiled in place as well as sent.
 */
import type {
  BlockNode,
  Expression,
  MessagePart,
  MethodNode,
  Statement,
  VariableNode,
} from '../../vm/compiler/ast.ts';
import type { Literal } from '../../vm/compiler/method-spec.ts';

/** A small generator of random numbers (mulberry32): the same seed, the same numbers. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('Bug: nothing to pick from');
    return item;
  }

  many<Item>(limit: number, make: () => Item): Item[] {
    return Array.from({ length: this.below(limit) }, make);
  }
}

const PLACE = { start: 0, end: 0 };
const NAMES = ['a', 'b', 'count', 'Foo', 'self', 'nil', 'thisContext', 'äö', 'x_1'];
const SELECTORS = [
  ...['foo', 'size', 'not', 'whileTrue', 'repeat', 'class'],
  ...['+', '-', '->', '==', '>=', '|', ',', '//', '~~', '&'],
  ...['at:', 'at:put:', 'ifTrue:', 'ifTrue:ifFalse:', 'and:', 'or:', 'ifNil:', 'ifNotNil:'],
  ...[
    'ifNil:ifNotNil:',
    'whileTrue:',
    'whileFalse:',
    'to:do:',
    'to:by:do:',
    'timesRepeat:',
    'a:b:c:',
  ],
];

/** A method that parses, though it need not compile: names may be misused. */
export function randomMethod(random: Random, depth: number): MethodNode {
  const selector = random.pick(['foo', '+', 'a:b:', 'at:', '|']);
  const names = ['p', 'q'].slice(0, argumentCount(selector));
  return {
    kind: 'method',
    patternEnd: 0,
    selector,
    parameters: names.map((name) => variable(name)),
    temporaries: random.many(4, () => variable(random.pick(['t', 'u', 'v']))),
    statements: random.many(5, () => randomStatement(random, depth)),
    pragmas: random.many(3, () => randomPragma(random)),
    primitive: null,
    ...PLACE,
  };
}

/** Any expression, nesting at most `depth` deep. */
export function randomExpression(random: Random, depth: number): Expression {
  if (depth <= 0 || random.below(5) === 0) {
    if (random.below(2) === 0) return variable(random.pick(NAMES));
    return { kind: 'literal', value: topLevelLiteral(random), ...PLACE };
  }
  const inner = (): Expression => randomExpression(random, depth - 1);
  switch (random.below(8)) {
    case 0:
      return {
        kind: 'assignment',
        variable: variable(random.pick(NAMES)),
        value: inner(),
        ...PLACE,
      };
    case 1: {
      const parts = [
        randomPart(random, depth),
        randomPart(random, depth),
        ...random.many(3, () => randomPart(random, depth)),
      ];
      return { kind: 'cascade', receiver: inner(), parts, ...PLACE };
    }
    case 2:
      return { kind: 'brace', elements: random.many(4, inner), ...PLACE };
    case 3:
    case 4:
      return randomBlock(random, depth);
    default:
      return { kind: 'message', receiver: inner(), ...randomPart(random, depth), ...PLACE };
  }
}

/** A literal of any kind that source can express. */
export function randomLiteral(random: Random, depth: number): Literal {
  switch (random.below(depth > 0 ? 13 : 9)) {
    case 0:
      return { kind: 'integer', value: BigInt(random.below(70_000) - 35_000) };
    case 1:
      return { kind: 'integer', value: BigInt(random.below(2 ** 31) - 2 ** 30) ** 3n };
    case 2:
      return { kind: 'float', value: randomFloat(random) };
    case 3:
      return {
        kind: 'scaled',
        numerator: BigInt(random.below(1000) * 2 - 999),
        denominator: random.pick([1n, 2n, 4n, 1024n]),
        scale: random.below(5),
      };
    case 4:
      return {
        kind: 'character',
        codePoint: random.pick([0, 32, 36, 39, 34, 65, 93, 0xe9, 0x1f600]),
      };
    case 5:
      return { kind: 'string', value: random.pick(['', "it's", 'a\nb', '"', '😀', ']']) };
    case 6:
    case 7:
      return {
        kind: 'symbol',
        value: random.pick([
          'foo',
          'a:b:',
          'foo:bar',
          '+',
          '-',
          '->',
          '',
          'x y',
          'true',
          "'",
          '1',
          'ä',
          'a:=',
        ]),
      };
    case 8:
      return { kind: random.pick(['nil', 'true', 'false']) };
    case 9:
      return { kind: 'bytes', value: Uint8Array.from(random.many(5, () => random.below(256))) };
    default:
      return { kind: 'array', elements: random.many(5, () => randomLiteral(random, depth - 1)) };
  }
}

/** A finite double with all bits random. */
export function randomFloat(random: Random): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint32(0, random.below(2 ** 32));
  view.setUint32(4, random.below(2 ** 32));
  const value = view.getFloat64(0);
  return Number.isFinite(value) ? value : 0.1;
}

function topLevelLiteral(random: Random): Literal {
  const literal = randomLiteral(random, 3);
  const isWord = literal.kind === 'nil' || literal.kind === 'true' || literal.kind === 'false';
  return isWord ? { kind: 'integer', value: 7n } : literal;
}

function randomStatement(random: Random, depth: number): Statement {
  const value = randomExpression(random, depth);
  return random.below(6) === 0 ? { kind: 'return', value, ...PLACE } : value;
}

function randomBlock(random: Random, depth: number): BlockNode {
  return {
    kind: 'block',
    parameters: random.many(3, () => variable(random.pick(['a', 'b', 'each']))),
    temporaries: random.many(3, () => variable(random.pick(['a', 't', 'u']))),
    statements: random.many(4, () => randomStatement(random, depth - 1)),
    ...PLACE,
  };
}

function randomPart(random: Random, depth: number): MessagePart {
  const selector = random.pick(SELECTORS);
  const length = argumentCount(selector);
  const args = Array.from({ length }, () => randomExpression(random, depth - 1));
  return { selector, args, at: 0 };
}

function randomPragma(random: Random): MethodNode['pragmas'][number] {
  const selector = random.pick(['script', 'foo:', 'foo:bar:']);
  const args = Array.from({ length: argumentCount(selector) }, () => randomLiteral(random, 2));
  return { selector, args, places: [], ...PLACE };
}

function argumentCount(selector: string): number {
  if (selector.includes(':')) return selector.split(':').length - 1;
  return /^\w/.test(selector) ? 0 : 1;
}

function variable(name: string): VariableNode {
  return { kind: 'variable', name, ...PLACE };
}
