/**
 * Files named on the command line: chunk format and Tonel, in order, with places for what is wrong.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JournalCopy, runHost } from './host-program.ts';

const COUNTER = `"A counter, in chunk format"
Object subclass: #Counter
  instanceVariableNames: 'count'
  classVariableNames: ''
  poolDictionaries: ''
  category: 'Counters'!

!Counter methodsFor: 'counting'!
count
  ^ count ifNil: [ 0 ]!

shout
  "Wow!!"
  count := self count + 1.
  ^ self count printString , '!!'! !

Transcript show: Counter new shout; cr!
`;

const TONEL: Readonly<Record<string, string>> = {
  'Animals/package.st': 'Package { #name : #Animals }\n',
  'Animals/Dog.class.st': `"I bark."
Class {
	#name : #Dog,
	#superclass : #Animal,
	#instVars : [ 'name' ],
	#classInstVars : [ 'count' ],
	#category : #Animals
}

{ #category : #'class initialization' }
Dog class >> initialize [
	count := 40
]

{ #category : #accessing }
Dog class >> count [
	^ count
]

{ #category : #accessing }
Dog >> sound [
	^ 'it''s me!'
]
`,
  'Animals/Animal.class.st': `Class { #name : #Animal, #superclass : #Object, #category : #Animals }

{ #category : #accessing }
Animal >> talk [
	^ self sound , ' ' , 2 legs printString
]
`,
  'Numbers/Integer.extension.st': `Extension { #name : #Integer }

{ #category : #'*Numbers' }
Integer >> legs [
	^ self * 2
]
`,
};

/** A repository as Pharo 12 writes it: sources in a folder, a baseline, traits. */
const REPOSITORY: Readonly<Record<string, string>> = {
  '.project': "{\n\t'srcDirectory' : 'src'\n}",
  'src/.properties': '{\n\t#format : #tonel\n}',
  'src/BaselineOfBank/BaselineOfBank.class.st': `Class {
	#name : 'BaselineOfBank',
	#superclass : 'BaselineOf',
	#category : 'BaselineOfBank',
	#package : 'BaselineOfBank'
}

{ #category : 'baselines' }
BaselineOfBank >> baseline: spec [

	<baseline>
	spec for: #common do: [
		spec
			package: 'A-Tests' with: [ spec requires: #( 'Core' ) ];
			package: 'Core' ].
	spec for: #gemstone do: [ spec package: 'Stone' ]
]
`,
  'src/A-Tests/Audit.class.st': `Class {
	#name : 'Audit',
	#superclass : 'Object',
	#classInstVars : [ 'first' ],
	#category : 'A-Tests',
	#package : 'A-Tests'
}

{ #category : 'class initialization' }
Audit class >> initialize [

	first := Account rate
]

{ #category : 'accessing' }
Audit class >> first [

	^ first
]
`,
  'src/Core/Account.class.st': `"
I am an account.
"
Class {
	#name : 'Account',
	#superclass : 'Object',
	#traits : 'TNamed + (TOther - {#foo})',
	#classTraits : 'TNamed classTrait + TOther classTrait',
	#instVars : [
		'balance',
		'#limit => InstanceVariableSlot'
	],
	#classVars : [
		'Rate'
	],
	#category : 'Core-Model',
	#package : 'Core',
	#tag : 'Model'
}

{ #category : 'class initialization' }
Account class >> initialize [

	Rate := 3
]

{ #category : 'accessing' }
Account class >> rate [

	^ Rate
]
`,
  'src/Core/TNamed.trait.st': `Trait {\r\n\t#name : #TNamed,\r
\t#instVars : [ 'name' ],\r\n\t#category : #Core\r\n}\r
\r\n{ #category : #accessing }\r\nTNamed classSide >> named: aString [\r
\t^ self new name: aString\r\n]\r
\r\n{ #category : #accessing }\r\nTNamed >> name: aString [\r
\tname := aString\r\n]\r\n`,
  'src/Core/TOther.trait.st': `Trait { #name : #TOther, #category : #Core }

{ #category : #x }
TOther >> foo [ ^ Acount rate ]

{ #category : #x }
TOther >> printOn: aStream [ super printOn: aStream. aStream nextPutAll: ' named ' ,
	name ]
`,
  'src/Stone/Nothing.class.st': 'Class { #name : #Nothing, #superclass : #GsObject }',
};

describe('filing in', () => {
  let dir = '';

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'palimpsest-files-'));
    for (const [name, text] of Object.entries(TONEL)) {
      await mkdir(join(dir, 'tonel', name, '..'), { recursive: true });
      await writeFile(join(dir, 'tonel', name), text);
    }
    for (const [name, text] of Object.entries(REPOSITORY)) {
      await mkdir(join(dir, 'repository', name, '..'), { recursive: true });
      await writeFile(join(dir, 'repository', name), text);
    }
  });

  afterAll(() => rm(dir, { recursive: true, force: true }));

  async function file(name: string, text: string): Promise<string> {
    const path = join(dir, name);
    await writeFile(path, text);
    return path;
  }

  test('chunks: classes, methods, expressions; kept in the journal, and in its change log', async () => {
    await using journal = await JournalCopy.fresh();
    const path = await file('counter.st', COUNTER);
    expect(await journal.run(path, '--eval', 'Counter new count')).toMatchObject({
      status: 0,
      output: '1!\n0\n',
      errors: '',
    });
    await using program = await journal.start();
    expect(await program.type('Counter new shout')).toBe("'1!'");
    expect(await program.type('(Counter >> #shout) sourceCode lines last')).toContain("'!'");
    await program.kill();
    await using menu = await journal.start({ words: ['--recovery'], prompt: 'recovery> ' });
    expect(await menu.type('changes', 'recovery> ')).toMatch(/subclass: #Counter[\s\S]*finished/);
  });

  test('a repository: packages in the order of its baseline, traits, warnings with places', async () => {
    const questions = ["Account named: 'x'", 'Account rate', 'Account category', 'Audit first'];
    const repository = join(dir, 'repository');
    const words = [repository, ...questions.flatMap((each) => ['--eval', each])];
    const ended = await runHost(words);
    expect(ended).toMatchObject({
      status: 0,
      output: "an Account named x\n3\n#'Core-Model'\n3\n",
    });
    const places = ended.errors.trim().split('\n');
    expect(places).toEqual([
      `${repository}/src/Core/TOther.trait.st:4: warning: "Acount" is undeclared; perhaps "Account"`,
      `${repository}/src/Core/TOther.trait.st:8:2: warning: "name" is undeclared; perhaps "Date" or "TNamed" or "Time"`,
    ]);
  });

  test('a name that a later file defines is no warning; a superclass must be there', async () => {
    const early = await file(
      'early.st',
      "Object subclass: #Early!\n!Early methodsFor: 'x'!\na ^ Late! !",
    );
    const late = await file('late.st', 'Object subclass: #Late.');
    expect(await runHost([early, late, '--eval', 'Early new a'])).toMatchObject({
      output: 'Late\n',
      errors: '',
    });
    const orphan = await file('orphan.st', '\nObjct subclass: #Orphan!');
    expect((await runHost([orphan])).errors).toMatch(
      /orphan.st:2: Cannot compile: .*undefined superclass "Objct" .*perhaps "Object"/,
    );
  });

  test('a folder of Tonel packages, superclasses first, then initialize', async () => {
    const words = [join(dir, 'tonel'), '--eval', 'Dog new talk', '--eval', 'Dog count + 2'];
    expect(await runHost(words)).toMatchObject({
      status: 0,
      output: "'it''s me! 4'\n42\n",
      errors: '',
    });
    const animal = join(dir, 'tonel', 'Animals', 'Animal.class.st');
    expect(await runHost([animal, '--eval', 'Animal comment'])).toMatchObject({ status: 0 });
  });

  test('what is wrong is told with file and line', async () => {
    const wrong: readonly (readonly [string, string, RegExp])[] = [
      ['syntax.st', '3 + 4!\n\n3 + !\n', /:3: .*line 3/],
      ['error.st', '3 + 4!\n\n3 foo.\n\nnil bar: 4!\n', /:3: MessageNotUnderstood/],
      ['deep.st', '#(1 2) do: [:each |\n  each\n    zork ]!\n', /:3: MessageNotUnderstood/],
      [
        'method.st',
        "!Object methodsFor: 'x'!\nfine\n  ^ 1!\n\nwrong\n  | a |\n  ^ a + + ! !\n",
        /:7: .*line 7/,
      ],
      [
        'Wrong.class.st',
        'Class { #name : #Wrong, #superclass : #Object }\n{ #category : #x }\nWrong >> a [\n\t^ ]\n',
        /:\d+: /,
      ],
      ['Broken.class.st', 'Class { #name : ', /^Cannot file in: /],
    ];
    for (const [name, text, pattern] of wrong) {
      const path = await file(name, text);
      const ended = await runHost([path, '--eval', '3 + 4']);
      expect(ended, name).toMatchObject({ status: 1, output: '' });
      expect(ended.errors).toMatch(pattern);
      expect(ended.errors).toContain(name);
      expect(ended.errors).not.toMatch(/\.ts:\d+/);
    }
    const missing = await runHost([join(dir, 'nothing.st')]);
    expect(missing.status).toBe(1);
    expect(missing.errors).toMatch(
      /^Cannot file in ".*nothing.st": there is no such file[^\n]*\n$/,
    );
  });
});
