/** The compiler's edges: names, warnings, limits, the data beside the bytecodes. */
import { describe, expect, test } from 'vitest';
import {
  CompileError,
  type CompileWarning,
  compileDoIt,
  compileMethod,
  type Scope,
} from './compiler.ts';
import { verifySpec } from './verify-spec.ts';

const scope: Scope = {
  instanceVariables: ['a', 'b'],
  binding: (name) => (/^[A-Z]/.test(name) ? 'found' : 'undeclared'),
  suggestions: (name) => (name === 'fooo' ? ['foo', 'food'] : []),
  isReserved: (name) => name === 'thisProcess',
};

function refusal(compile: () => unknown): CompileError {
  try {
    compile();
  } catch (error) {
    if (error instanceof CompileError) return error;
    throw error;
  }
  throw new Error('it compiled');
}

describe('names', () => {
  test('an unknown name is warned of once, and compiled', () => {
    const warnings: CompileWarning[] = [];
    const onWarning = (warning: CompileWarning): void => void warnings.push(warning);
    const spec = compileMethod('foo\n  ^fooo + fooo', scope, { onWarning });
    expect(spec.literals[0]).toEqual({ kind: 'binding', name: 'fooo' });
    expect(warnings).toEqual([
      {
        kind: 'undeclared',
        name: 'fooo',
        message: '"fooo" is undeclared; perhaps "foo" or "food"',
        position: 7,
        line: 2,
        column: 4,
      },
    ]);
  });

  test('an assignment to an unknown name is refused at the console, unless asked for', () => {
    const error = refusal(() => compileDoIt('fooo := 3', scope));
    expect(error.code).toBe('COMPILE_NAME');
    expect(error.message).toBe(
      'Cannot compile: found an assignment to the unknown name "fooo" at line 1 column 1, ' +
        'wanted a declared variable; perhaps "foo" or "food"',
    );
    const spec = compileDoIt('fooo := 3', scope, { assignUndeclared: true });
    expect(spec.literals[0]).toEqual({ kind: 'binding', name: 'fooo' });
    expect(compileMethod('foo fooo := 3', scope).literals[0]).toEqual(spec.literals[0]);
  });

  test('a shadowed variable is warned of; the inner one counts', () => {
    const kinds: string[] = [];
    const spec = compileMethod('foo: a ^[:a | a]', scope, {
      onWarning: ({ kind, name, position }) => void kinds.push(`${kind} ${name} ${position}`),
    });
    expect(kinds).toEqual(['shadowed a 5']);
    expect(verifySpec(spec, 2)).toBeNull();
  });

  test.each([
    ['foo: x x := 3', 'an assignment to the argument "x" at line 1 column 8'],
    ['foo ^[:x | x := 3]', 'an assignment to the argument "x" at line 1 column 12'],
    ['foo self := 3', 'an assignment to "self" at line 1 column 5'],
    ['foo true := 3', 'an assignment to "true" at line 1 column 5'],
    ['foo | nil |', '"nil", a reserved name at line 1 column 7'],
    ['foo: super', '"super", a reserved name at line 1 column 6'],
    ['foo | thisProcess |', '"thisProcess", a reserved name at line 1 column 7'],
    ['foo | x x |', 'a second variable called "x" at line 1 column 9'],
    ['foo ^[:x | | x | x]', 'a second variable called "x" at line 1 column 14'],
    ['foo ^super', '"super" without a message at line 1 column 6'],
    ['foo ^self foo: super', '"super" without a message at line 1 column 16'],
    ['foo: x <primitive: 1 error: x>', 'the argument "x" at line 1 column 29'],
  ])('refuses %s', (source, found) => {
    const error = refusal(() => compileMethod(source, scope));
    expect(error.message).toContain(`Cannot compile: found ${found}, wanted`);
    expect(error.code).toBe('COMPILE_NAME');
  });

  test('a do-it sees the variables of its receiver', () => {
    const spec = compileDoIt('y := x', scope, { receiverVariables: ['x', 'y'] });
    expect([...spec.bytecodes]).toEqual([0x00, 0xf3, 1, 0x5c]);
  });
});

describe('limits', () => {
  const numbered = (count: number, text: string): string =>
    Array.from({ length: count }, (_, index) => text.replaceAll('#', String(index))).join(' ');

  test.each([
    ['arguments', `${numbered(16, 'k#: a#')} ^1`, 1],
    ['arguments of a message', `foo\n ^self ${numbered(16, 'k#: 1')}`, 12],
    ['variables', `foo | ${numbered(64, 't#')} |`, 1],
    ['frame', `foo | ${numbered(56, 't#')} | ^1 + 2`, 1],
    ['jump', `foo a ifTrue: [${'a foo. '.repeat(12_000)}]`, 1],
    ['literals', `foo ${Array.from({ length: 33_000 }, (_, i) => `a x${i}`).join('. ')}`, 1],
    ['nesting', `foo ^${'('.repeat(201)}1${')'.repeat(201)}`, 1],
  ])('too many: %s', (_, source) => {
    expect(refusal(() => compileMethod(source, scope)).code).toBe('COMPILE_LIMIT');
  });

  test.each([
    ['15 arguments', `${numbered(15, 'k#: a#')} ^[a0]`],
    ['nesting of 200', `foo ^${'['.repeat(200)}1${']'.repeat(200)}`],
    [
      '300 literals',
      `foo ${Array.from({ length: 300 }, (_, i) => `a x${i}: $a y${i}: 1.${i}`).join('. ')}`,
    ],
    ['5000 selectors', `foo ${Array.from({ length: 5000 }, (_, i) => `a x${i}`).join('. ')}`],
    ['10000 selectors', `foo ${Array.from({ length: 10_000 }, (_, i) => `a x${i}`).join('. ')}`],
    ['a long jump', `foo a ifTrue: [${'a foo. '.repeat(9000)}]`],
    ['a long loop', `foo [${'a foo. '.repeat(9000)} a] whileTrue`],
    ['a long chain', `foo ^a${' foo'.repeat(30_000)}${' + 1'.repeat(30_000)}`],
  ])('enough room: %s', (_, source) => {
    expect(verifySpec(compileMethod(source, scope), 2)).toBeNull();
  });

  test('instance variables beyond what a byte names', () => {
    const instanceVariables = Array.from({ length: 700 }, (_, index) => `v${index}`);
    const spec = compileMethod('foo v699 := v15 := v16 := v7. ^v699', {
      ...scope,
      instanceVariables,
    });
    expect(verifySpec(spec, 700)).toBeNull();
    expect(verifySpec(spec, 699)).toContain('index is 699');
  });
});

describe('literals', () => {
  test('equal immutable literals are one, mutable ones are not', () => {
    const spec = compileMethod(
      "foo a x: 'x'. a x: 'x'. a y: #x. a y: #x. a y: 1.5. a y: 1.5. a y: 0.0. a y: -0.0",
      scope,
    );
    const kinds = spec.literals.map((literal) => literal.kind).join(' ');
    expect(kinds).toBe(
      'string symbol string symbol symbol float float float symbol selfMethodClass',
    );
  });

  test('selector and class come last, the place of the outer code in a block', () => {
    const spec = compileMethod('foo: x ^[super foo: x]', scope);
    expect(spec.literals.slice(-2)).toEqual([
      { kind: 'symbol', value: 'foo:' },
      { kind: 'selfMethodClass' },
    ]);
    const [block] = spec.literals;
    expect(block?.kind === 'block' && block.method.literals.at(-1)).toEqual({ kind: 'nil' });
    expect(spec.usesSuper).toBe(true);
  });

  test('a named primitive is described by the first literal', () => {
    const spec = compileMethod("foo <primitive: 'p' module: 'M'>", scope);
    expect(spec.primitive).toBe(117);
    expect(spec.literals[0]).toEqual({
      kind: 'array',
      elements: [
        { kind: 'symbol', value: 'M' },
        { kind: 'symbol', value: 'p' },
        { kind: 'integer', value: 0n },
        { kind: 'integer', value: 0n },
      ],
    });
  });

  test('pragmas are kept, the primitive is not among them', () => {
    const spec = compileMethod('foo <primitive: 1> <script: #(1 nil)> <b>', scope);
    expect(spec.pragmas).toEqual([
      {
        selector: 'script:',
        args: [{ kind: 'array', elements: [{ kind: 'integer', value: 1n }, { kind: 'nil' }] }],
      },
      { selector: 'b', args: [] },
    ]);
  });
});

describe('sourceMap', () => {
  test('a send maps to its selector', () => {
    const source = 'foo ^self bar: 3 + a baz';
    const { sourceMap, bytecodes } = compileMethod(source, scope);
    const text = new Map<number, string>();
    for (let i = 0; i < sourceMap.length; i += 2) {
      text.set(sourceMap[i] ?? -1, source.slice(sourceMap[i + 1], (sourceMap[i + 1] ?? 0) + 3));
    }
    expect([...bytecodes]).toEqual([0x4c, 0xe8, 3, 0x00, 0x80, 0x60, 0x91, 0x5c]);
    expect([...text]).toEqual([
      [0, 'sel'],
      [1, '3 +'],
      [3, 'a b'],
      [4, 'baz'],
      [5, '+ a'],
      [6, 'bar'],
      [7, '^se'],
    ]);
  });
});
