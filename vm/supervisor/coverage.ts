/**
 * Which methods of the library have been activated, as a table by package: what
 * `npm run host -- --test … --coverage` and the language tests print.
 */
import { isCompiledCode } from '../interpreter/code.ts';
import { methodClass, nameOfClass } from '../interpreter/frames.ts';
import { describeSelector } from '../interpreter/trace.ts';
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { SHAPE } from '../objects/well-known.ts';

/** Packages, each with its methods as `Class>>selector`. */
export type Library = ReadonlyMap<string, ReadonlySet<string>>;

/** How much of the library has run. */
export interface Coverage {
  /** Methods activated, in percent of all. */
  readonly percent: number;
  /** The table, a line for each package and one for all. */
  readonly table: readonly string[];
  /** Methods that never ran, `Package Class>>selector`, sorted. */
  readonly missed: readonly string[];
}

/** `Class>>selector` of a method; null for blocks and for methods that belong to no class. */
export function methodName(memory: ObjectMemory, code: Oop): string | null {
  if (!isCompiledCode(memory, code) || memory.shapeOf(code) === SHAPE.CompiledBlock) return null;
  const owner = methodClass(memory, code);
  if (owner === 0 || owner === memory.nil) return null;
  return `${nameOfClass(memory, owner)}>>${describeSelector(memory, code)}`;
}

/** Reads what `TestRunner libraryMethods` answers: lines of package, tab, method. */
export function parseLibrary(text: string): Library {
  const library = new Map<string, Set<string>>();
  for (const line of text.split('\n')) {
    const [name, method] = line.split('\t');
    if (name === undefined || method === undefined) continue;
    const methods = library.get(name) ?? new Set();
    library.set(name, methods.add(method));
  }
  return library;
}

/** What of the library is among the methods activated. */
export function coverageOf(library: Library, activated: ReadonlySet<string>): Coverage {
  const packages = [...library].sort(([first], [second]) => (first < second ? -1 : 1));
  const rows = packages.map(([name, methods]) => {
    const missed = [...methods].filter((method) => !activated.has(method)).sort();
    return { name, count: methods.size, missed };
  });
  const count = rows.reduce((sum, row) => sum + row.count, 0);
  const missed = rows.flatMap((row) => row.missed.map((method) => `${row.name} ${method}`));
  const line = (name: string, all: number, hit: number): string =>
    `${name.padEnd(16)}${String(hit).padStart(6)} of${String(all).padStart(6)}` +
    `${percentOf(hit, all).toFixed(1).padStart(7)} %`;
  return {
    percent: percentOf(count - missed.length, count),
    table: [
      ...rows.map((row) => line(row.name, row.count, row.count - row.missed.length)),
      line('all', count, count - missed.length),
    ],
    missed,
  };
}

function percentOf(part: number, whole: number): number {
  return whole === 0 ? 100 : (part / whole) * 100;
}
