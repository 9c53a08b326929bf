/**
 * Names that files use and nobody has declared yet. Told when all files are in, for a later one may
 * have declared them.
 */
import type { SourcePiece } from '../supervisor/chunks.ts';
import type { UndeclaredName } from '../supervisor/messages.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';

const SELECT = 'select: [ :each | Smalltalk undeclared includesKey: each ]';

export class UndeclaredNames {
  readonly #found: (UndeclaredName & { readonly place: string })[] = [];

  /** Notes a name met in a piece of `file`. */
  add(file: string, piece: SourcePiece, name: UndeclaredName): void {
    const { inMethod } = name;
    const before = piece.kind === 'method' && inMethod ? piece.line - 1 : 0;
    const line = piece.kind === 'doit' && inMethod ? piece.line : before + name.line;
    // Tonel puts more in front of a method's first line.
    const column = inMethod && name.line === 1 ? '' : `:${name.column}`;
    this.#found.push({ place: `${file}:${line}${column}`, ...name });
  }

  /** A sentence for each that is not declared now. */
  async sentences(supervisor: Supervisor): Promise<string[]> {
    if (this.#found.length === 0) return [];
    // What only methods use may have turned out to be a class variable, and is then in use no more.
    const left = await supervisor.query(
      `| left | left := ${this.#names(false)} ${SELECT}. Smalltalk forgetUnusedUndeclared. ` +
        `left , (${this.#names(true)} ${SELECT})`,
    );
    const still = new Set(left.match(/[\p{L}\p{Nd}_]+/gu) ?? []);
    return this.#found
      .filter(({ name }) => still.has(name))
      .map(({ place, message }) => `${place}: warning: ${message}`);
  }

  #names(inMethod: boolean): string {
    const found = this.#found.filter((each) => each.inMethod === inMethod);
    return `#(${[...new Set(found.map(({ name }) => `#${name}`))].join(' ')})`;
  }
}
