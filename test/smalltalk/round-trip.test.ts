/** What is filed out files in as what it was, byte for byte and bytecode for bytecode. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readTonel } from '../../vm/bootstrap/tonel.ts';
import { readSources, tonelSources } from '../../vm/host/source-files.ts';
import { Machine } from './machine.ts';
import { fileIn, rememberingPages, roundTrip, text } from './round-trip.ts';

const pages = rememberingPages();
const dir = mkdtempSync(join(tmpdir(), 'palimpsest-trip-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Programs elsewhere in this folder: files of chunks and folders of Tonel. */
function programs(): string[] {
  return ['chunk', 'tonel'].flatMap((format) => {
    const folder = join(import.meta.dirname, 'programs', format);
    if (!existsSync(folder)) return [];
    const names = readdirSync(folder).filter((name) => !name.endsWith('.out'));
    return names.sort().map((name) => join(folder, name));
  });
}

/** What programs seldom have, all at once. */
const EVERYTHING = `SharedPool subclass: #Sizes
	instanceVariableNames: '' classVariableNames: 'Small Large' package: 'Trip-Pools'!
Trait named: #TRoot uses: {} package: 'Trip'!
Trait named: #TLeaf uses: TRoot - { #gone } instanceVariableNames: 'leaf' package: 'Trip'!
ByteArray variableByteSubclass: #Bytes
	instanceVariableNames: '' classVariableNames: '' package: 'Trip-Bits'!
Object weakSubclass: #Weak instanceVariableNames: '' classVariableNames: '' package: 'Trip'!
Object subclass: #User
	uses: TLeaf @ { #alias: -> #leaf: }
	instanceVariableNames: 'own'
	classVariableNames: 'Shared Other'
	poolDictionaries: 'Sizes'
	category: 'Trip-Users'!
User class instanceVariableNames: 'count'!
!User commentStamp: 'someone 1/1/2020 10:00' prior: 0!
I am "quoted", I exclaim!! And I go on:

	indented.!
!TRoot methodsFor: 'x' stamp: 'someone 1/2/2020 11:00'!
gone ^ 1!
stays ^ super printString! !
!TRoot class methodsFor: 'x'!
make ^ self new! !
!TLeaf methodsFor: 'x'!
leaf: x leaf := x! !
!User methodsFor: 'it''s odd'!
+ aNumber
	"A comment with ]] and ' and !!"
	| block |
	block := [ :each | each = $] or: [ each = $' or: [ each == #[1 2] first ] ] ].
	^ #(#a #'b c' $" 'it''s' (1 2 -3.5e10 16r1F) #[9 8]) -> (block value: aNumber), Small
! !
!User methodsFor!
at: i put: x <pragma: 'p' with: #(1 $a)> ^ own at: i put: x; yourself! !
!User class methodsFor: '*Trip-Extra'!
initialize
	Shared := count := 3s2! !
!Integer methodsFor: '*Trip-Users'!
größe ^ 'groß € 😀', self printString! !
!Integer class methodsFor: '*Trip'!
trip ^ self! !
`;

/** As Pharo writes them: until version 11, and since. */
const SYMBOLS = `"
I am ""quoted"".
"
Class {
	#name : #Stable,
	#superclass : #Object,
	#instVars : [
		'a',
		'b'
	],
	#classVars : [
		'C'
	],
	#classInstVars : [
		'd'
	],
	#category : #'Stable-Things'
}

{ #category : #'instance creation' }
Stable class >> on: anObject [

	^ self new a: anObject
]

{ #category : #accessing }
Stable >> a: anObject [
	"With a [ bracket"

	a := anObject
]

{ #category : #'*Stable' }
Stable >> other [
	^ $]
]
`;
const STRINGS = SYMBOLS.replace("#category : #'Stable-Things'", "#category : 'Stable-Things'")
  .replace(/^(\t#(?:name|superclass) : )#(\w+)/gm, "$1'$2'")
  .replace(/#category : #'?([^'\n}]*?)'? }/g, "#category : '$1' }")
  .replace("'Stable-Things'\n", "'Stable-Things',\n\t#package : 'Stable',\n\t#tag : 'Things'\n");

describe('filing out', () => {
  test('everything at once', () => {
    const path = join(dir, 'everything.st');
    writeFileSync(path, EVERYTHING);
    expect(roundTrip(path, pages)).toEqual({ complaints: [], methods: 15 });
  });

  test.each(programs().map((path) => [basename(path), path]))('%s', (_, path) => {
    const { complaints, methods } = roundTrip(path, pages);
    expect(complaints).toEqual([]);
    const hasMethods = readSources(path).some(({ pieces }) =>
      pieces.some(({ kind }) => kind === 'method'),
    );
    expect(methods > 0).toBe(hasMethods);
  });

  test.each([
    ['symbols', SYMBOLS],
    ['strings', STRINGS],
  ])('Tonel with names as %s is written as it was read', (style, source) => {
    const machine = new Machine(pages);
    const definition = readTonel(source, 'Stable.class.st');
    if (definition.kind === 'package') throw new Error('no class');
    fileIn(machine, tonelSources([{ name: 'Stable.class.st', definition }]));
    const writer = `TonelWriter new style: #${style}`;
    const written = `((${writer}) filesOfPackage: 'Stable') at: 'Stable/Stable.class.st'`;
    expect(text(machine, written)).toBe(source);
  });
});
