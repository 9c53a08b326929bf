/**
 * What the compiler says when it cannot compile: one sentence with the place in it.
 *
 * Codes: COMPILE_SYNTAX (the text is not Smalltalk), COMPILE_NAME (a name is misused or unknown),
 * COMPILE_LIMIT (well formed, but larger than a method can be).
 */
export type CompileErrorCode = 'COMPILE_SYNTAX' | 'COMPILE_NAME' | 'COMPILE_LIMIT';

/**
 * Line and column, both 1-based, of a 0-based offset; columns count characters, not UTF-16 units.
 */
export function placeOf(source: string, position: number): { line: number; column: number } {
  const before = source.slice(0, position);
  const lines = before.split(/\r\n|\r|\n/);
  const last = lines[lines.length - 1] ?? '';
  return { line: lines.length, column: [...last].length + 1 };
}

/** Source text that cannot be compiled. `position` is the 0-based offset of the offending text. */
export class CompileError extends Error {
  readonly code: CompileErrorCode;
  readonly position: number;
  readonly line: number;
  readonly column: number;

  constructor(
    code: CompileErrorCode,
    source: string,
    problem: { position: number; found: string; wanted: string },
  ) {
    const { line, column } = placeOf(source, problem.position);
    super(
      `Cannot compile: found ${problem.found} at line ${line} column ${column}, ` +
        `wanted ${problem.wanted}`,
    );
    this.name = 'CompileError';
    this.code = code;
    this.position = problem.position;
    this.line = line;
    this.column = column;
  }
}
