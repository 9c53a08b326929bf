/**
 * Language tests as text: Smalltalk expressions with the expectation on the line that ends them.
 *
 *     7 \\ -2                        "=> -1"            its value prints so
 *     3 / 0                          "!> ZeroDivide"    nobody handles an error that begins so
 *     3 +                            "?> line 1"        it does not compile, and the message says so
 *
 * An expression goes on over lines until one with an expectation. A comment at the start is part of
 * the first expression after it, so files can be read like prose.
 */
import { readFileSync } from 'node:fs';

/** What is to come of an expression. */
export type Expectation = 'value' | 'error' | 'compileError';

/** One expression and what it is expected to do. */
export interface Case {
  readonly file: string;
  /** 1-based line of the expectation. */
  readonly line: number;
  readonly source: string;
  readonly expectation: Expectation;
  readonly text: string;
}

const MARKS = { '=>': 'value', '!>': 'error', '?>': 'compileError' } as const;
const LINE = /^(.*)"(=>|!>|\?>) (.*)"\s*$/;

/** The cases of a file, in order. Throws a sentence when the file ends within an expression. */
export function readCases(path: string): Case[] {
  return parseCases(path, readFileSync(path, 'utf8'));
}

/** The cases of a text; `file` is only for messages. */
export function parseCases(file: string, text: string): Case[] {
  const cases: Case[] = [];
  let pending: string[] = [];
  for (const [index, row] of text.split('\n').entries()) {
    const match = LINE.exec(row);
    if (match === null) {
      pending.push(row);
      continue;
    }
    const [, code = '', mark = '=>', expected = ''] = match;
    cases.push({
      file,
      line: index + 1,
      source: [...pending, code].join('\n'),
      expectation: MARKS[mark as keyof typeof MARKS],
      text: expected,
    });
    pending = [];
  }
  if (
    pending
      .join('')
      .replace(/"[^"]*"/g, '')
      .trim() !== ''
  ) {
    throw new Error(`Cannot read ${file}: its last expression has no expectation ("=> …")`);
  }
  return cases;
}
