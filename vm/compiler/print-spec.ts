/**
 * A compiled method as text: a line of its header, its bytecodes with names, then its blocks,
 * indented.
 */
import { printBytecodes } from '../bytecode/print.ts';
import type { Literal, MethodSpec } from './method-spec.ts';
import { printLiteral } from './print-source.ts';

/** Prints `spec` and the blocks within. */
export function printMethodSpec(
  spec: MethodSpec,
  instanceVariables: readonly string[] = [],
  indent = '',
): string {
  const blocks = spec.literals.filter((literal) => literal.kind === 'block');
  const header = [
    spec.isBlock ? 'block' : spec.selector,
    `arguments ${spec.numArgs}`,
    ...(spec.numCopied > 0 ? [`copied ${spec.numCopied}`] : []),
    `temps ${spec.numTemps} (${spec.tempNames.join(', ')})`,
    `frame ${spec.frameSize}`,
    ...(spec.hasNonLocalReturn ? ['non-local return'] : []),
    ...(spec.usesThisContext ? ['thisContext'] : []),
    ...(spec.usesSuper ? ['super'] : []),
  ].join(', ');
  const code = printBytecodes(spec.bytecodes, {
    literal: (index) => describe(spec.literals[index], blocks),
    temp: (index) => spec.tempNames[index] ?? '?',
    instanceVariable: (index) => instanceVariables[index] ?? String(index),
  });
  const own = `${header}\n${code}`.replace(/^(?=.)/gm, indent);
  const inner = blocks.map((block) =>
    printMethodSpec(block.method, instanceVariables, `${indent}  `),
  );
  return own + inner.join('');
}

function describe(literal: Literal | undefined, blocks: readonly Literal[]): string {
  if (literal === undefined) return '?';
  if (literal.kind === 'binding') return literal.name;
  if (literal.kind === 'block') return `block ${blocks.indexOf(literal) + 1}`;
  if (literal.kind === 'selfMethodClass') return 'class of the method';
  return printLiteral(literal);
}
