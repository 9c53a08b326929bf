/**
 * Source files named on the command line, as pieces to evaluate in order: chunk format in a file,
 * or a folder of Tonel packages (or one package), which is turned into the messages that define
 * classes, then methods, then `initialize` of the classes that have it.
 */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { type TonelClass, TonelError } from '../bootstrap/tonel.ts';
import { CompileError } from '../compiler/error.ts';
import { doIt, readChunks, type SourcePiece, stringLiteral } from '../supervisor/chunks.ts';
import { readRepository, readText, readUnit, type TonelUnit } from './tonel-repository.ts';

export interface SourceFile {
  /** As it is told to a person. */
  readonly name: string;
  readonly pieces: readonly SourcePiece[];
}

/** What `layout:` is told for Tonel's names, new and old; named slots alone need no telling. */
const LAYOUTS: Readonly<Record<string, string>> = {
  normal: '',
  FixedLayout: '',
  PointerLayout: '',
  EmptyLayout: '',
  variable: 'VariableLayout',
  bytes: 'ByteLayout',
  doubleBytes: 'DoubleByteLayout',
  words: 'WordLayout',
  doubleWords: 'DoubleWordLayout',
  weak: 'WeakLayout',
  ephemeron: 'EphemeronLayout',
};

/** Reads a file or folder. Throws an Error with one sentence when it cannot be read. */
export function readSources(path: string): SourceFile[] {
  try {
    if (statSync(path).isDirectory()) return tonelSources(readRepository(path));
    if (isTonel(path)) return tonelSources(readUnit(path));
    return [{ name: path, pieces: readChunks(readText(path)) }];
  } catch (error) {
    if (error instanceof TonelError || error instanceof CompileError) {
      throw new Error(`Cannot file in: ${error.message}`);
    }
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const reasons: Record<string, string> = {
      ENOENT: 'there is no such file or folder',
      EACCES: 'permission is denied',
    };
    throw new Error(`Cannot file in "${path}": ${reasons[code] ?? code}`);
  }
}

function isTonel(path: string): boolean {
  return /(\.class|\.extension|\.trait|^package)\.st$/.test(basename(path));
}

/** Classes and extensions in Tonel as pieces to evaluate. Throws when they inherit in a circle. */
export function tonelSources(units: readonly TonelUnit[]): SourceFile[] {
  const defined = definitionOrder(
    units.filter(({ definition }) => definition.kind !== 'extension'),
  );
  return [
    ...defined.map((unit) => ({ name: unit.name, pieces: definitionOf(unit) })),
    ...units.map(({ name, definition }) => ({ name, pieces: methodsOf(definition) })),
    ...defined.map(({ name, definition }) => ({ name, pieces: initializationOf(definition) })),
  ].filter(({ pieces }) => pieces.length > 0);
}

/** Behind its superclass, its traits and its pools; otherwise in the order given. */
function definitionOrder(units: readonly TonelUnit[]): TonelUnit[] {
  const byName = new Map(units.map((unit) => [unit.definition.name, unit]));
  const sorted = new Set<TonelUnit>();
  const open = new Set<TonelUnit>();
  const place = (unit: TonelUnit): void => {
    if (sorted.has(unit)) return;
    if (open.has(unit)) {
      throw new Error(`Cannot file in "${unit.name}": the class inherits from itself`);
    }
    open.add(unit);
    for (const name of needsOf(unit.definition)) {
      const needed = byName.get(name);
      if (needed !== undefined) place(needed);
    }
    sorted.add(unit);
  };
  for (const unit of units) place(unit);
  return [...sorted];
}

function needsOf({ superclass, traits, classTraits, pools }: TonelClass): string[] {
  const used = `${traits ?? ''} ${classTraits ?? ''}`.match(/(?<![#\w])[\p{L}_][\p{L}\p{Nd}_]*/gu);
  return [superclass ?? '', ...(used ?? []), ...pools];
}

function definitionOf({ name, definition }: TonelUnit): SourcePiece[] {
  const { kind, superclass, instVars, classVars, pools, traits, category, comment } = definition;
  const layout = LAYOUTS[definition.layout] ?? definition.layout;
  if (/^(compiledMethod|immediate|CompiledMethodLayout|ImmediateLayout)$/.test(layout))
    throw new Error(`Cannot file in "${name}": a class of layout "${layout}" is the VM's own`);
  const className = definition.name;
  const parts = [
    ...listPart('slots', instVars, symbol),
    ...listPart('sharedVariables', classVars, symbol),
    ...listPart('sharedPools', pools, symbol),
    ...(traits === null ? [] : [`traits: ${traits}`]),
    ...(layout === '' ? [] : [`layout: ${layout}`]),
    `package: ${stringLiteral(category)}`,
  ];
  const head = `${kind === 'trait' ? 'Trait' : (superclass ?? 'nil')} << ${symbol(className)}`;
  const pieces = [doIt(`${head} ${parts.join('; ')}`, 1), ...classSideOf(definition)];
  if (comment !== '') pieces.push(doIt(`${className} comment: ${stringLiteral(comment)}`, 1));
  return pieces;
}

function classSideOf({ name, classInstVars, classTraits }: TonelClass): SourcePiece[] {
  const pieces: SourcePiece[] = [];
  if (classTraits !== null) pieces.push(doIt(`${name} class uses: ${classTraits}`, 1));
  if (classInstVars.length > 0) {
    const names = stringLiteral(classInstVars.join(' '));
    pieces.push(doIt(`${name} class instanceVariableNames: ${names}`, 1));
  }
  return pieces;
}

function symbol(name: string): string {
  return /^[\p{L}_][\p{L}\p{Nd}_]*$/u.test(name) ? `#${name}` : `#${stringLiteral(name)}`;
}

function listPart(
  keyword: string,
  names: readonly string[],
  print: (name: string) => string,
): string[] {
  return names.length === 0 ? [] : [`${keyword}: { ${names.map(print).join('. ')} }`];
}

function methodsOf(definition: TonelClass): SourcePiece[] {
  return definition.methods.map(({ className, isMeta, category, source, line }) => ({
    source:
      `${className}${isMeta ? ' class' : ''} compile: ${stringLiteral(source)} ` +
      `classified: ${stringLiteral(category)}`,
    line,
    kind: 'method',
  }));
}

function initializationOf(definition: TonelClass): SourcePiece[] {
  if (definition.kind === 'trait') return [];
  return definition.methods
    .filter(({ isMeta, source }) => isMeta && /^initialize(?![\p{L}\p{Nd}_:])/u.test(source))
    .map(({ className, line }) => doIt(`${className} initialize`, line));
}
