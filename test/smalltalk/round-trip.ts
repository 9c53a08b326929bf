/**
 * Files a program in, out, in again and out again, in chunk format and in Tonel: classes, methods,
 * bytecodes and the text filed out must be the same the second time.
 *
 *     node test/smalltalk/round-trip.ts FILE.st | FOLDER …
 */
import { basename } from 'node:path';
import { readTonel } from '../../vm/bootstrap/tonel.ts';
import { readSources, type SourceFile, tonelSources } from '../../vm/host/source-files.ts';
import { readChunks } from '../../vm/supervisor/chunks.ts';
import { bootstrapPages, Machine, type Pages, pagesOf } from './machine.ts';

/** Keeps what is there before a program comes. */
const REMEMBER = `
| before |
before := IdentityDictionary new.
Smalltalk allClassesAndTraits do: [ :each |
  before at: each put: each definition , each class definition.
  each methods , each class methods do: [ :method | before at: method put: true ] ].
Smalltalk at: #Before put: before`;

/** A PackageContents of what is new; a class of ours defined otherwise is new as a whole. */
const CONTENTS = `
contents := PackageContents
  named: 'Program'
  classes: (Smalltalk allClassesAndTraits reject: [ :each |
    (Before at: each ifAbsent: [ nil ]) = (each definition , each class definition) ])
  methods: (SystemNavigation default allMethodsSelect: [ :each |
    (Before includesKey: each) not and: [ each isFromTrait not ] ])`;

const CHUNKS = `| contents | ${CONTENTS}. ChunkWriter textOf: [ :writer | writer contents: contents ]`;

/** Paths and texts, each with a zero behind it. */
const TONEL = `| contents | ${CONTENTS}.
String streamContents: [ :stream |
  (TonelWriter new filesOf: contents) keysAndValuesDo: [ :path :text |
    stream nextPutAll: path; nextPut: (Character value: 0).
    stream nextPutAll: text; nextPut: (Character value: 0) ] ]`;

/** All definitions, comments and methods with their bytecodes, down into blocks. */
const FINGERPRINT = `
| contents stream code |
${CONTENTS}.
stream := WriteStream on: (String new: 1000).
code := nil.
code := [ :each |
  stream print: each bytecodes; nl.
  each literals do: [ :literal |
    (literal isKindOf: CompiledCode)
      ifTrue: [ code value: literal ]
      ifFalse: [
        stream print: ((literal isKindOf: Association)
          ifTrue: [ literal key ]
          ifFalse: [ literal ]); nl ] ] ].
contents classes do: [ :each |
  stream nextPutAll: each definition; nl; nextPutAll: each class definition; nl.
  stream nextPutAll: each comment; nl ].
contents classes , contents extendedClasses do: [ :class |
  { class class. class } do: [ :side |
    (contents methodsOf: side) , ((side methods select: [ :each | each isFromTrait ]) asArray
      sort: [ :a :b | a selector <= b selector ]) do: [ :method |
        stream nextPutAll: side name; nextPutAll: '>>'; nextPutAll: method selector; nl.
        stream nextPutAll: method protocol; nl; nextPutAll: method sourceCode; nl.
        code value: method ] ] ].
stream contents`;

/** The pages of an image that remembers what was there before any program. */
export function rememberingPages(): Pages {
  const pages = bootstrapPages();
  const machine = new Machine(pages);
  answer(machine, REMEMBER);
  return new Map([...pages, ...pagesOf(machine.memory)]);
}

/** What is not the same after the trip, in sentences; `methods` counts what was compared. */
export function roundTrip(path: string, pages: Pages): { complaints: string[]; methods: number } {
  try {
    return trip(path, pages);
  } catch (error) {
    return { complaints: [error instanceof Error ? error.message : String(error)], methods: 0 };
  }
}

function trip(path: string, pages: Pages): { complaints: string[]; methods: number } {
  const first = new Machine(pages);
  fileIn(first, readSources(path));
  const wanted = text(first, FINGERPRINT);
  const methods = wanted.match(/^.+>>\S+$/gm)?.length ?? 0;
  const complaints = [
    ...tripBy('chunks', CHUNKS, chunkSources, { first, pages, wanted }),
    ...tripBy('Tonel', TONEL, tonelFiles, { first, pages, wanted }),
  ];
  return { complaints, methods };
}

function tripBy(
  format: string,
  writer: string,
  read: (written: string) => SourceFile[],
  { first, pages, wanted }: { first: Machine; pages: Pages; wanted: string },
): string[] {
  const written = text(first, writer);
  const second = new Machine(pages);
  fileIn(second, read(written));
  return [
    ...difference(`${format}: what is filed in`, wanted, text(second, FINGERPRINT)),
    ...difference(`${format}: what is filed out`, written, text(second, writer)),
  ];
}

function chunkSources(written: string): SourceFile[] {
  return [{ name: 'written', pieces: readChunks(written) }];
}

function tonelFiles(written: string): SourceFile[] {
  const parts = written.split('\0');
  const units = [];
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const [name = '', source = ''] = parts.slice(i, i + 2);
    const unit = readTonel(source, name);
    if (unit.kind !== 'package') units.push({ name, definition: unit });
  }
  return tonelSources(units);
}

/** The first line in which two texts differ, as a sentence. */
function difference(what: string, wanted: string, found: string): string[] {
  if (wanted === found) return [];
  const [first, second] = [wanted.split('\n'), found.split('\n')];
  const line = first.findIndex((each, index) => each !== second[index]);
  const place = line < 0 ? first.length : line;
  const around = first.slice(Math.max(0, place - 3), place).join('\n');
  return [
    `${what}: line ${place + 1} is ${second[place]}, wanted ${first[place]}, after\n${around}`,
  ];
}

/** Evaluates all pieces. Throws a sentence when a method or definition fails. */
export function fileIn(machine: Machine, sources: readonly SourceFile[]): void {
  for (const { name, pieces } of sources) {
    for (const { source, line, kind } of pieces) {
      const outcome = machine.evaluate(source);
      // A program's own expressions may fail here as they do anywhere.
      if (outcome.kind === 'value' || (kind === 'doit' && outcome.kind === 'error')) continue;
      throw new Error(`Cannot file in ${name}:${line}: ${outcome.kind} ${outcome.text}`);
    }
  }
}

/** The String an expression answers. */
export function text(machine: Machine, source: string): string {
  return answer(machine, source).slice(1, -1).replaceAll("''", "'");
}

function answer(machine: Machine, source: string): string {
  const outcome = machine.evaluate(source);
  if (outcome.kind === 'value') return outcome.text;
  throw new Error(`Cannot evaluate ${source}: ${outcome.kind} ${outcome.text}`);
}

function main(paths: readonly string[]): number {
  const pages = rememberingPages();
  let failed = 0;
  let total = 0;
  for (const path of paths) {
    const { complaints, methods } = roundTrip(path, pages);
    total += methods;
    if (complaints.length > 0) failed++;
    for (const complaint of complaints) console.log(`${basename(path)}: ${complaint}`);
  }
  console.log(`${paths.length} programs, ${total} methods, ${failed} programs differ`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
