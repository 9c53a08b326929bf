/** The Tonel reader: what it yields, and what it says about files that are not Tonel. */
import { describe, expect, test } from 'vitest';
import { readTonel, TonelError } from './tonel.ts';

const FOO = `"
I am a ""Foo"".

    Foo new
"
Class {
	#name : #Foo,
	#superclass : #Object,
	#type : #variable,
	#traits : 'TBar + TBaz',
	#instVars : [
		'a',
		'b'
	],
	#classVars : [ 'Shared' ],
	#classInstVars : [ 'count' ],
	#pools : [ 'Pool' ],
	#category : #'Kernel-Objects'
}

{ #category : #'instance creation' }
Foo class >> a: anObject [

	"a ] in a comment, a ']' in a string, a $] and $' too"
	| t |
	t := #[1 2]. ^ [ self new a: ']''' ] value; with: $" with: "]" $[
]

{ #category : #accessing }
Foo >> + other [ ^other ]

{ #category : #accessing }
Foo >> | other [^other]

Foo >> empty [
]
`;

function refusal(source: string): string {
  try {
    readTonel(source, 'Foo.class.st');
  } catch (error) {
    if (error instanceof TonelError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('readTonel()', () => {
  test('reads a class', () => {
    const unit = readTonel(FOO, 'Foo.class.st');
    if (unit.kind !== 'class') throw new Error('not a class');
    const { methods, ...definition } = unit;
    expect(definition).toEqual({
      kind: 'class',
      name: 'Foo',
      superclass: 'Object',
      layout: 'variable',
      instVars: ['a', 'b'],
      classVars: ['Shared'],
      classInstVars: ['count'],
      pools: ['Pool'],
      traits: 'TBar + TBaz',
      classTraits: null,
      category: 'Kernel-Objects',
      package: 'Kernel-Objects',
      comment: 'I am a "Foo".\n\n    Foo new',
    });
    expect(methods.map(({ source: _, ...method }) => method)).toEqual([
      { className: 'Foo', isMeta: true, category: 'instance creation', line: 22 },
      { className: 'Foo', isMeta: false, category: 'accessing', line: 30 },
      { className: 'Foo', isMeta: false, category: 'accessing', line: 33 },
      { className: 'Foo', isMeta: false, category: 'as yet unclassified', line: 35 },
    ]);
    expect(methods.map((method) => method.source)).toEqual([
      `a: anObject

	"a ] in a comment, a ']' in a string, a $] and $' too"
	| t |
	t := #[1 2]. ^ [ self new a: ']''' ] value; with: $" with: "]" $[`,
      '+ other ^other',
      '| other ^other',
      'empty',
    ]);
  });

  test('line k of a source is line `line + k - 1` of the file', () => {
    const unit = readTonel(FOO, 'Foo.class.st');
    const [method] = unit.kind === 'package' ? [] : unit.methods;
    const lines = FOO.split('\n');
    for (const [index, text] of (method?.source ?? '').split('\n').entries()) {
      expect(lines[(method?.line ?? 0) + index - 1]).toContain(text);
    }
  });

  test('reads packages, extensions, traits, roots', () => {
    expect(readTonel("Package { #name : 'Kernel' }\n", 'package.st')).toEqual({
      kind: 'package',
      name: 'Kernel',
      comment: '',
    });
    const extension = readTonel('Extension { #name : #Object }\n\nObject >> foo [ ^1 ]', 'x.st');
    expect(extension).toMatchObject({ kind: 'extension', superclass: null });
    expect(readTonel('Trait { #name : #TFoo }', 'x.st')).toMatchObject({ kind: 'trait' });
    const root = readTonel(
      "Class { #name : 'R', #superclass : #nil, #package : 'K', #tag : 'T' }",
      'x.st',
    );
    expect(root).toMatchObject({
      superclass: null,
      layout: 'normal',
      category: 'K-T',
      package: 'K',
    });
  });

  test.each([
    ['', 'found the end at line 1 column 1, wanted "Class", "Trait", "Extension" or "Package"'],
    [
      'Class { #name : #Foo }',
      'found "{" at line 1 column 7, wanted #superclass (#nil for a root)',
    ],
    ['Class { #superclass : #Foo }', 'found "{" at line 1 column 7, wanted a map with #name'],
    ["Class { #name : #''x'' }", 'found "x\'\'" at line 1 column 20, wanted ","'],
    [
      'Extension { #name : #Foo }\nBar >> x [ ]',
      'found "Bar" at line 2 column 1, wanted a method of Foo',
    ],
    [
      'Extension { #name : #Foo }\nFoo >> x [ [ ]',
      'found "[" at line 2 column 10, wanted a "]" that closes the method',
    ],
    [
      'Extension { #name : #Foo }\nFoo >> [ ]',
      'found "[" at line 2 column 8, wanted a method pattern',
    ],
    [
      'Extension { #name : #Foo }\nFoo',
      'found "Foo" at line 2 column 1, wanted a method, such as "Foo >> bar ["',
    ],
    [
      `Extension { #name : ${'['.repeat(10_000)}`,
      'found "[[[[[[[[[[[[[[[[[[[[" at line 1 column 71, wanted less nesting',
    ],
  ])('refuses %s', (source, problem) => {
    expect(refusal(source)).toBe(`Cannot read "Foo.class.st": ${problem}`);
  });
});
