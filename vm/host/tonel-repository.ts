/**
 * A folder of Tonel as units in load order: a repository (`.project` names the folder of its
 * sources), several packages, or one. Packages come in the order a baseline in the repository asks
 * for, otherwise by name; folders whose names begin with a dot are not looked into.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readTonel, type TonelClass } from '../bootstrap/tonel.ts';
import { withLineFeeds } from '../supervisor/chunks.ts';
import { inLoadOrder, readBaseline } from './baseline.ts';

/** A Tonel class, trait or extension, and the file it is in. */
export interface TonelUnit {
  readonly name: string;
  readonly definition: TonelClass;
}

interface TonelPackageFolder {
  readonly name: string;
  readonly units: readonly TonelUnit[];
}

/** Reads a folder. Throws TonelError, CompileError (in a baseline) or an error of the system. */
export function readRepository(path: string): TonelUnit[] {
  const packages = [...packageFolders(sourceFolder(path))];
  const requirements = new Map<string, string[]>();
  const foreign = new Set<string>();
  for (const { name, units } of packages) {
    for (const { definition } of units) {
      const source = baselineSource(definition);
      if (source === null) continue;
      const baseline = readBaseline(source);
      for (const each of baseline.foreign) foreign.add(each);
      for (const [each, required] of baseline.packages) {
        if (!packages.some((known) => known.name === each)) {
          throw new Error(
            `Cannot file in "${path}": ${definition.name} names package "${each}", ` +
              'and there is no folder of that name',
          );
        }
        requirements.set(each, [...(requirements.get(each) ?? []), ...required]);
      }
      requirements.set(name, []);
    }
  }
  const names = [...requirements.keys(), ...packages.map(({ name }) => name)];
  const byName = new Map(packages.map((each) => [each.name, each]));
  return inLoadOrder([...new Set(names)], requirements)
    .filter((name) => requirements.has(name) || !foreign.has(name))
    .flatMap((name) => byName.get(name)?.units ?? []);
}

/** The classes, traits and extensions of one file; none for package.st. */
export function readUnit(path: string): TonelUnit[] {
  const unit = readTonel(withLineFeeds(readText(path)), path);
  return unit.kind === 'package' ? [] : [{ name: path, definition: unit }];
}

/** A source file's text: UTF-8, or what is no UTF-8 as Latin-1. */
export function readText(path: string): string {
  const bytes = readFileSync(path);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

/** `.project` is a STON map: { 'srcDirectory' : 'src' }. */
function sourceFolder(path: string): string {
  const project = join(path, '.project');
  if (!existsSync(project)) return path;
  const [, folder = ''] = /#?'?srcDirectory'?\s*:\s*'([^']*)'/.exec(readText(project)) ?? [];
  return join(path, folder);
}

/** Folders that hold Tonel files, each a package, in the order of their names. */
function* packageFolders(path: string): Generator<TonelPackageFolder> {
  const entries = readdirSync(path, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.'))
    .sort((first, second) => (first.name < second.name ? -1 : 1));
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.st'));
  const units = files.flatMap(({ name }) => readUnit(join(path, name)));
  if (units.length > 0) yield { name: basename(path), units };
  for (const entry of entries) {
    if (entry.isDirectory()) yield* packageFolders(join(path, entry.name));
  }
}

function baselineSource(definition: TonelClass): string | null {
  if (definition.superclass !== 'BaselineOf') return null;
  const method = definition.methods.find(({ source }) => /^baseline:\s/.test(source));
  return method?.source ?? null;
}
