/**
 * Source files named on the command line, as pieces to evaluate in order: chunk format in a file,
 * or a folder of Tonel packages (or one package), which is turned into the messages that define
 * classes, then methods, then `initialize` of the classes that have it.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readTonel, type TonelClass, TonelError } from '../bootstrap/tonel.ts';
import { doIt, readChunks, type SourcePiece, stringLiteral } from '../supervisor/chunks.ts';

export interface SourceFile {
  /** As it is told to a person. */
  readonly name: string;
  readonly pieces: readonly SourcePiece[];
}

/** A Tonel class in a file. */
interface Unit {
  readonly name: string;
  readonly definition: TonelClass;
}

const DEFINERS: Readonly<Record<string, string>> = {
  normal: 'subclass',
  FixedLayout: 'subclass',
  PointerLayout: 'subclass',
  variable: 'variableSubclass',
  VariableLayout: 'variableSubclass',
  bytes: 'variableByteSubclass',
  ByteLayout: 'variableByteSubclass',
  words: 'variableWordSubclass',
  WordLayout: 'variableWordSubclass',
};

/** Reads a file or folder. Throws an Error with one sentence when it cannot be read. */
export function readSources(path: string): SourceFile[] {
  try {
    if (statSync(path).isDirectory()) return tonelSources(readFolder(path));
    const text = readFileSync(path, 'utf8');
    return isTonel(path) ? tonelSources([unitOf(path, text)].flat()) : [chunks(path, text)];
  } catch (error) {
    if (error instanceof TonelError) throw new Error(`Cannot file in: ${error.message}`);
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

function chunks(path: string, text: string): SourceFile {
  return { name: path, pieces: readChunks(text) };
}

/** The classes in a folder and the folders in it, in the order of their names. */
function readFolder(path: string): Unit[] {
  return readdirSync(path, { withFileTypes: true })
    .sort((first, second) => (first.name < second.name ? -1 : 1))
    .flatMap((entry) => {
      const inner = join(path, entry.name);
      if (entry.isDirectory()) return readFolder(inner);
      return entry.name.endsWith('.st') ? unitOf(inner, readFileSync(inner, 'utf8')) : [];
    });
}

function unitOf(path: string, text: string): Unit[] {
  const unit = readTonel(text, path);
  if (unit.kind === 'package') return [];
  if (unit.kind === 'trait') throw new Error(`Cannot file in "${path}": traits are not built in`);
  return [{ name: path, definition: unit }];
}

function tonelSources(units: readonly Unit[]): SourceFile[] {
  const defined = superclassesFirst(units.filter(({ definition }) => definition.kind === 'class'));
  return [
    ...defined.map((unit) => ({ name: unit.name, pieces: definitionOf(unit) })),
    ...units.map(({ name, definition }) => ({ name, pieces: methodsOf(definition) })),
    ...defined.map(({ name, definition }) => ({ name, pieces: initializationOf(definition) })),
  ].filter(({ pieces }) => pieces.length > 0);
}

function superclassesFirst(units: readonly Unit[]): Unit[] {
  const byName = new Map(units.map((unit) => [unit.definition.name, unit]));
  const sorted = new Set<Unit>();
  for (const unit of units) {
    const chain: Unit[] = [];
    let each: Unit | undefined = unit;
    while (each !== undefined && !sorted.has(each)) {
      if (chain.includes(each))
        throw new Error(`Cannot file in "${each.name}": the class inherits from itself`);
      chain.push(each);
      each = byName.get(each.definition.superclass ?? '');
    }
    for (const found of chain.reverse()) sorted.add(found);
  }
  return [...sorted];
}

function definitionOf({ name, definition }: Unit): SourcePiece[] {
  const { layout, superclass } = definition;
  const definer = DEFINERS[layout];
  if (definer === undefined)
    throw new Error(`Cannot file in "${name}": a class of layout "${layout}" is the VM's own`);
  const names = (list: readonly string[]): string => stringLiteral(list.join(' '));
  const className = definition.name;
  const { instVars, classVars, pools, classInstVars, category, comment } = definition;
  const head = `${superclass ?? 'nil'} ${definer}: #${className} instanceVariableNames: ${names(instVars)} `;
  const tail =
    superclass === null
      ? `classVariableNames: ${names(classVars)} package: ${stringLiteral(category)}`
      : `classVariableNames: ${names(classVars)} poolDictionaries: ${names(pools)} ` +
        `category: ${stringLiteral(category)}`;
  const pieces = [doIt(head + tail, 1)];
  if (classInstVars.length > 0)
    pieces.push(doIt(`${className} class instanceVariableNames: ${names(classInstVars)}`, 1));
  if (comment !== '') pieces.push(doIt(`${className} comment: ${stringLiteral(comment)}`, 1));
  return pieces;
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
  return definition.methods
    .filter(({ isMeta, source }) => isMeta && /^initialize\s/.test(source))
    .map(({ className, line }) => doIt(`${className} initialize`, line));
}
