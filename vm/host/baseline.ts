/**
 * What a Metacello baseline says about the packages of its repository: which there are, and which
 * has to be loaded before which. The method is read, not run:
 *
 *     baseline: spec
 *         <baseline>
 *         spec for: #common do: [
 *             spec package: 'Core'.
 *             spec package: 'Tests' with: [ spec requires: #('Core') ] ]
 *
 * Packages for other systems than Pharo are known, but not wanted.
 */
import type { Expression, MessagePart, Statement } from '../compiler/ast.ts';
import type { Literal } from '../compiler/method-spec.ts';
import { parseMethod } from '../compiler/parser.ts';

export interface Baseline {
  /** Packages to load with the names of those they require, in the order written. */
  readonly packages: ReadonlyMap<string, readonly string[]>;
  /** Packages that are for other systems. */
  readonly foreign: ReadonlySet<string>;
}

/** Reads the source of a method `baseline: spec`. Throws CompileError. */
export function readBaseline(source: string): Baseline {
  const reader = new BaselineReader();
  reader.statements(parseMethod(source).statements, true);
  for (const name of reader.packages.keys()) reader.foreign.delete(name);
  return { packages: reader.packages, foreign: reader.foreign };
}

/** Names so that each comes behind those it requires; otherwise in the order given. */
export function inLoadOrder(
  names: readonly string[],
  requirements: ReadonlyMap<string, readonly string[]>,
): string[] {
  const known = new Set(names);
  const sorted = new Set<string>();
  const visiting = new Set<string>();
  const visit = (name: string): void => {
    if (sorted.has(name) || visiting.has(name) || !known.has(name)) return;
    visiting.add(name);
    for (const required of requirements.get(name) ?? []) visit(required);
    sorted.add(name);
  };
  for (const name of names) visit(name);
  return [...sorted];
}

class BaselineReader {
  readonly packages = new Map<string, string[]>();
  readonly foreign = new Set<string>();

  statements(statements: readonly Statement[], isWanted: boolean): void {
    for (const statement of statements) {
      this.#expression(statement.kind === 'return' ? statement.value : statement, isWanted);
    }
  }

  #expression(expression: Expression, isWanted: boolean): void {
    if (expression.kind === 'message') this.#message(expression, isWanted);
    else if (expression.kind === 'cascade') {
      this.#expression(expression.receiver, isWanted);
      for (const part of expression.parts) this.#message(part, isWanted);
    }
  }

  #message({ selector, args }: MessagePart, isWanted: boolean): void {
    const [first, second] = args;
    if (selector === 'for:do:' && second?.kind === 'block') {
      const wanted = isWanted && literalNames(first).some(isOurSystem);
      this.statements(second.statements, wanted);
      return;
    }
    if (selector !== 'package:' && selector !== 'package:with:') return;
    for (const name of literalNames(first)) {
      if (!isWanted) this.foreign.add(name);
      else this.#addPackage(name, second?.kind === 'block' ? second.statements : []);
    }
  }

  #addPackage(name: string, details: readonly Statement[]): void {
    const requires = this.#requirements(name);
    for (const statement of details) {
      const expression = statement.kind === 'return' ? statement.value : statement;
      const parts = expression.kind === 'cascade' ? expression.parts : [expression];
      for (const part of parts) {
        if (!('selector' in part)) continue;
        if (part.selector === 'requires:') requires.push(...literalNames(part.args[0]));
        // The packages named are loaded whenever this one is, behind it.
        if (part.selector === 'includes:') {
          for (const included of literalNames(part.args[0])) {
            this.#requirements(included).push(name);
          }
        }
      }
    }
  }

  #requirements(name: string): string[] {
    const known = this.packages.get(name);
    if (known !== undefined) return known;
    const requires: string[] = [];
    this.packages.set(name, requires);
    return requires;
  }
}

function isOurSystem(attribute: string): boolean {
  return attribute === 'common' || attribute === 'pharo' || attribute.startsWith('pharo12');
}

/** The names in a string, a symbol, or an array of them, literal or in braces. */
function literalNames(expression: Expression | undefined): string[] {
  if (expression?.kind === 'literal') return namesIn(expression.value);
  if (expression?.kind === 'brace') return expression.elements.flatMap(literalNames);
  return [];
}

function namesIn(literal: Literal): string[] {
  if (literal.kind === 'string' || literal.kind === 'symbol') return [literal.value];
  return literal.kind === 'array' ? literal.elements.flatMap(namesIn) : [];
}
