/**
 * Checks a compiled method and every block within: each one's bytecodes by the verifier, and what
 * the bytecodes and the data beside them say about each other.
 *
 * 1. A method ends in its selector and its class, a block in the place for its outer code.
 * 2. pushFullClosure names a block, copies as many values as the block has, and keeps the outer
 *    context exactly when the block needs it.
 * 3. Names and source map fit the frame and the bytecodes.
 */
import { CLOSURE_COPIED_MASK, CLOSURE_IGNORE_OUTER } from '../bytecode/bytecodes.ts';
import { decode } from '../bytecode/decode.ts';
import { verify } from '../bytecode/verify.ts';
import type { MethodSpec } from './method-spec.ts';

/** The first thing wrong, as a sentence; null when all is well. */
export function verifySpec(spec: MethodSpec, instanceVariableCount: number): string | null {
  const literalCount = spec.literals.length;
  const problem = verify({ ...spec, literalCount, instanceVariableCount }) ?? checkData(spec);
  if (problem !== null) return `${spec.isBlock ? 'block in ' : ''}${spec.selector}: ${problem}`;
  for (const literal of spec.literals) {
    if (literal.kind !== 'block') continue;
    const inner = verifySpec(literal.method, instanceVariableCount);
    if (inner !== null) return inner;
  }
  return null;
}

function checkData(spec: MethodSpec): string | null {
  const { literals, tempNames, numTemps, numArgs, numCopied } = spec;
  if (tempNames.length !== numTemps) return `${tempNames.length} names for ${numTemps} slots`;
  if (numArgs + numCopied > numTemps) return 'more arguments and copied values than slots';
  const tail = literals.slice(spec.isBlock ? -1 : -2).map((literal) => literal.kind);
  const wanted = spec.isBlock ? 'nil' : 'symbol selfMethodClass';
  if (tail.join(' ') !== wanted) return `the literals end in ${tail.join(' ')}, wanted ${wanted}`;
  return checkClosures(spec) ?? checkSourceMap(spec);
}

function checkClosures({ bytecodes, literals }: MethodSpec): string | null {
  for (const { name, offset, operands } of decode(bytecodes)) {
    if (name !== 'pushFullClosure') continue;
    const [index = 0, flags = 0] = operands;
    const literal = literals[index];
    if (literal?.kind !== 'block') return `at ${offset}: literal ${index} is no block`;
    const { numCopied, hasNonLocalReturn, usesThisContext } = literal.method;
    if ((flags & CLOSURE_COPIED_MASK) !== numCopied) return `at ${offset}: copies wrong values`;
    const ignoresOuter = (flags & CLOSURE_IGNORE_OUTER) !== 0;
    if (ignoresOuter === (hasNonLocalReturn || usesThisContext)) {
      return `at ${offset}: the outer context is ${ignoresOuter ? 'missing' : 'kept for nothing'}`;
    }
  }
  return null;
}

function checkSourceMap({ bytecodes, sourceMap }: MethodSpec): string | null {
  const starts = new Set(decode(bytecodes).map((instruction) => instruction.offset));
  for (let i = 0; i < sourceMap.length; i += 2) {
    const offset = sourceMap[i] ?? -1;
    if (!starts.has(offset)) return `the source map names ${offset}, where no instruction starts`;
    if (i > 0 && offset <= (sourceMap[i - 2] ?? 0)) return 'the source map is not ascending';
  }
  return null;
}
