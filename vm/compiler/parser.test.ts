/**
 * The parser: what it accepts, what it refuses and in which words, and that printing round-trips.
 */
import { describe, expect, test } from 'vitest';
import { Random, randomMethod } from '../../test/machine/random-source.ts';
import { CompileError } from './error.ts';
import { parseDoIt, parseMethod } from './parser.ts';
import { printDoIt, printExpression, printMethod } from './print-source.ts';

/** The tree without its places. */
function shape(node: unknown): unknown {
  return JSON.parse(
    JSON.stringify(node, (key, value) => {
      if (['start', 'end', 'at', 'patternEnd', 'places'].includes(key)) return undefined;
      if (typeof value === 'bigint') return `${value}n`;
      if (Object.is(value, -0)) return '-0';
      return value;
    }),
  );
}

/** Fully parenthesised, to see how an expression was read. */
function read(source: string): string {
  const [statement] = parseDoIt(source).statements;
  if (statement === undefined || statement.kind === 'return') throw new Error('no expression');
  return printExpression(statement);
}

function refusal(source: string, parse: (source: string) => unknown = parseDoIt): string {
  try {
    parse(source);
  } catch (error) {
    if (error instanceof CompileError) return error.message;
    throw error;
  }
  return 'accepted';
}

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

describe('parseMethod()', () => {
  test(`reads back what printMethod() wrote (SEED=${seed})`, () => {
    const random = new Random(seed);
    for (let run = 0; run < 1500; run++) {
      const method = randomMethod(random, 5);
      const source = printMethod(method);
      expect(shape(parseMethod(source)), source).toEqual(shape(method));
    }
  });

  test(`answers any text with a tree or a CompileError (SEED=${seed})`, () => {
    const random = new Random(seed);
    const pieces =
      'foo bar: := ^ . ; ( ) [ ] { } | || #( #[ # \' " $ - -1 16r 1e 3.4s2 : < > 1 \n é 😀'.split(
        ' ',
      );
    for (let run = 0; run < 3000; run++) {
      const source = random.many(30, () => random.pick(pieces)).join(random.pick(['', ' ']));
      expect(() => refusal(source), source).not.toThrow();
    }
  });

  test.each([
    ['foo', 'foo', 0],
    ['+ other', '+', 1],
    ['- other ^other', '-', 1],
    ['| other', '|', 1],
    ['at: i put: v', 'at:put:', 2],
  ])('reads the pattern of %s', (source, selector, count) => {
    const method = parseMethod(source);
    expect([method.selector, method.parameters.length]).toEqual([selector, count]);
  });

  test('reads pragmas before and after the temporaries', () => {
    const method = parseMethod('foo <a> <b: #(1 x) c: -2> | t | <d: #+ > ^t');
    expect(method.pragmas.map((pragma) => pragma.selector)).toEqual(['a', 'b:c:', 'd:']);
    expect(method.temporaries.map((temporary) => temporary.name)).toEqual(['t']);
  });

  test.each([
    ['<primitive: 60>', [60, null, null, null]],
    ['<primitive: 60 error: ec>', [60, null, null, 'ec']],
    ["<primitive: 'a' module: 'm'>", [117, 'a', 'm', null]],
    ["<primitive: 'a' error: ec module: 'm'>", [117, 'a', 'm', 'ec']],
  ])('reads %s', (source, expected) => {
    const { primitive } = parseMethod(`foo ${source}`);
    const { number, name, module, error } = primitive ?? {};
    expect([number, name, module, error?.name ?? null]).toEqual(expected);
  });
});

describe('precedence', () => {
  test.each([
    ['a b + c d: e + f', 'a b + c d: e + f'],
    ['a+b*c', 'a + b * c'],
    ['a + (b * c)', 'a + (b * c)'],
    ['(a foo: b) bar', '(a foo: b) bar'],
    ['a foo: (b bar: c)', 'a foo: (b bar: c)'],
    ['3--1', '3 - -1'],
    ['3 -1', '3 - 1'],
    ['3-1', '3 - 1'],
    ['a>-1', 'a > -1'],
    ['- 1', 'refused'],
    ['x:=y:=3', 'x := y := 3'],
    ['x _ y←3', 'x := y := 3'],
    ['##foo', '#foo'],
    ['a foo; bar: 1; + 2', 'a foo; bar: 1; + 2'],
    ['a + b foo; bar', 'a + b foo; bar'],
    ['(a := 3) foo', '(a := 3) foo'],
    ['[:a||b|a]', '[:a | | b | a]'],
    ['[:a | | b c | ]', '[:a | | b c | ]'],
    ['[:a]', '[:a | ]'],
    ['{1. .2 .}', '{1. 2}'],
    ['a "comment ""quoted""" b', 'a b'],
    [
      '#(foo foo:bar: #foo:bar #+ + - -1 $a (1 (2)) [3] #[4] true #true nil)',
      '#(#foo #foo:bar: #foo:bar #+ #+ #- -1 $a #(1 #(2)) #[3] #[4] true #true nil)',
    ],
    ['größe', 'größe'],
    ["'grün 😀'", "'grün 😀'"],
  ])('reads %s as %s', (source, expected) => {
    const found = expected === 'refused' ? refusal(source) : read(source);
    if (expected === 'refused') expect(found).toMatch(/^Cannot compile/);
    else expect(found).toBe(expected);
  });
});

describe('refusals', () => {
  test.each([
    ['3 + 4 + )', 'found ")" at line 1 column 9, wanted an expression'],
    ['(1 + 2))', 'found ")" at line 1 column 8, wanted the end'],
    ['foo bar ]', 'found "]" at line 1 column 9, wanted the end'],
    ['(1 + 2', 'found the end at line 1 column 7, wanted ")" or an operator'],
    ['x\n  foo: :', 'found ":" at line 2 column 8, wanted an expression'],
    ["'abc", "found a string without an end at line 1 column 1, wanted a closing '"],
    ['"abc', 'found a comment without an end at line 1 column 1, wanted a closing "'],
    ['#[1 256]', 'found "256" at line 1 column 5, wanted an integer from 0 to 255'],
    ['# foo', 'found "#" at line 1 column 1, wanted a symbol, "#(" or "#["'],
    ['#(1 2', 'found the end at line 1 column 6, wanted ")" after the literal array'],
    ['37r12', 'found radix 37 at line 1 column 1, wanted a radix from 2 to 36'],
    ['2r12', 'found "2" at line 1 column 4, wanted a digit of radix 2'],
    ['a ; foo', 'found ";" at line 1 column 3, wanted a message before the cascade'],
    ['| a b', 'found the end at line 1 column 6, wanted a variable name or "|"'],
    ['[:a b]', 'found "b" at line 1 column 5, wanted "|" after the block arguments'],
    ['x § y', 'found "§" at line 1 column 3, wanted Smalltalk'],
    ['$', 'found "$" at the end at line 1 column 1, wanted a character after it'],
    ['1.0e999', 'found a Float beyond the largest at line 1 column 1, wanted a smaller exponent'],
  ])('%s', (source, expected) => {
    expect(refusal(source)).toBe(`Cannot compile: ${expected}`);
  });

  test.each(['(', '[', '{', '#(', 'a := ', 'x ifTrue: [', 'x foo: ('])(
    'ten thousand times "%s" is one sentence',
    (piece) => {
      expect(refusal(piece.repeat(10_000))).toContain('more than 200 levels of nesting');
    },
  );

  test('long chains are no nesting', () => {
    const source = `1${' foo'.repeat(20_000)}${' + 1'.repeat(20_000)}`;
    expect(printDoIt(parseDoIt(source))).toBe(source);
  });

  test('columns count characters, lines end in any way', () => {
    const error = (() => {
      try {
        return parseDoIt("'😀'.\r\n'😀' )");
      } catch (thrown) {
        return thrown as CompileError;
      }
    })();
    expect(error).toMatchObject({ line: 2, column: 5, position: 12, code: 'COMPILE_SYNTAX' });
  });
});
