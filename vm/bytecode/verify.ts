/**
 * Checks that bytecodes can be run: the interpreter and the JIT then need not check at every step.
 *
 * 1. Every code is assigned; every instruction is whole; an extension is one its instruction takes.
 * 2. Jumps land on the start of an instruction; conditional ones go forward; nothing runs off the
 *    end.
 * 3. Every instruction has one stack depth on all paths to it; it never pops more than there is.
 * 4. The deepest stack and the temporaries fit in the frame.
 * 5. Literals, temporaries and instance variables named by operands exist.
 * 6. callPrimitive stands first, exactly when the header names that primitive. A storeTemp right
 *    behind it, for the error code, reads the last temporary as the top of the stack: it must store
 *    there.
 * 7. Block returns are in blocks.
 */
import type { Bytecode } from './bytecodes.ts';
import { decode, type Instruction, primitiveOf } from './decode.ts';

/** What the verifier must know of a method or block. */
export interface VerifiableCode {
  readonly bytecodes: Uint8Array;
  readonly numArgs: number;
  readonly numTemps: number;
  readonly frameSize: number;
  readonly primitive: number;
  readonly isBlock: boolean;
  readonly literalCount: number;
  /** Infinity when the class is not known. */
  readonly instanceVariableCount: number;
}

/** The first thing wrong with `code`, as a sentence; null when all is well. */
export function verify(code: VerifiableCode): string | null {
  let instructions: Instruction[];
  try {
    instructions = decode(code.bytecodes);
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
  const byOffset = new Map(instructions.map((instruction) => [instruction.offset, instruction]));
  const first = instructions[0];
  if (first === undefined) return 'there are no bytecodes';
  if ((first.name === 'callPrimitive') !== code.primitive > 0) {
    return `the header names primitive ${code.primitive}, the bytecodes do not agree`;
  }
  for (const instruction of instructions) {
    const problem = checkInstruction(code, instruction);
    if (problem !== null) return `at ${instruction.offset}, ${instruction.name}: ${problem}`;
  }
  return checkDepths(code, byOffset);
}

function checkInstruction(code: VerifiableCode, instruction: Instruction): string | null {
  const { bytecode, offset, operands } = instruction;
  if (bytecode.name === 'unassigned' || bytecode.name === 'trap') return 'not a bytecode to run';
  const extension = checkExtensions(code.bytecodes, instruction);
  if (extension !== null) return extension;
  if (bytecode.name === 'callPrimitive') {
    if (offset !== 0) return 'stands elsewhere than first';
    if (primitiveOf(instruction) !== code.primitive) return 'not the primitive of the header';
  }
  if (bytecode.flow === 'branch' && instruction.target < offset) return 'goes backward';
  if (bytecode.name.startsWith('blockReturn') && !code.isBlock) return 'not in a block';
  return checkOperands(code, bytecode, operands);
}

function checkExtensions(bytes: Uint8Array, instruction: Instruction): string | null {
  const end = instruction.offset + instruction.bytes - instruction.bytecode.bytes;
  for (let at = instruction.offset; at < end; at += 2) {
    const kind = bytes[at] === 0xe0 ? 'A' : 'B';
    if (!instruction.bytecode.operands.some((operand) => operand.extension === kind)) {
      return `does not take extension ${kind}`;
    }
  }
  return null;
}

function checkOperands(
  code: VerifiableCode,
  bytecode: Bytecode,
  operands: readonly number[],
): string | null {
  const limits = new Map([
    ['literal', code.literalCount],
    ['selector', code.literalCount],
    ['vector', code.numTemps],
  ]);
  if (bytecode.name.endsWith('ReceiverVariable')) limits.set('index', code.instanceVariableCount);
  if (bytecode.name.endsWith('Temp') && !bytecode.name.endsWith('RemoteTemp')) {
    limits.set('index', code.numTemps);
  }
  for (const [position, operand] of bytecode.operands.entries()) {
    const limit = limits.get(operand.name);
    const value = operands[position] ?? 0;
    if (limit !== undefined && !(value >= 0 && value < limit)) {
      return `${operand.name} is ${value}, wanted less than ${limit}`;
    }
  }
  return null;
}

function checkDepths(
  code: VerifiableCode,
  byOffset: ReadonlyMap<number, Instruction>,
): string | null {
  const depths = new Map<number, number>([[0, 0]]);
  const pending = [0];
  // Every offset enters `pending` once, when its depth becomes known.
  for (let offset = pending.pop(); offset !== undefined; offset = pending.pop()) {
    const instruction = byOffset.get(offset);
    const where = `at ${offset}`;
    if (instruction === undefined) return `${where}: a path leads here, but no instruction starts`;
    const { bytecode, operands } = instruction;
    const before = depths.get(offset) ?? 0;
    const isErrorStore = bytecode.name === 'storeTemp' && followsPrimitive(byOffset, offset);
    if (isErrorStore && operands[0] !== code.numTemps - 1)
      return `${where}: not the last temporary`;
    const [pops, pushes] = isErrorStore
      ? [0, 0]
      : [bytecode.pops(operands), bytecode.pushes(operands)];
    if (pops > before) return `${where}, ${bytecode.name}: pops ${pops} of ${before} words`;
    const after = before - pops + pushes;
    if (code.numTemps + after > code.frameSize) return `${where}: the frame is too small`;
    const next: number[] = [];
    if (bytecode.flow === 'next' || bytecode.flow === 'branch')
      next.push(offset + instruction.bytes);
    if (bytecode.flow === 'jump' || bytecode.flow === 'branch') next.push(instruction.target);
    for (const successor of next) {
      const known = depths.get(successor);
      if (known === undefined) {
        depths.set(successor, after);
        pending.push(successor);
      } else if (known !== after) {
        return `at ${successor}: the stack has ${known} or ${after} words`;
      }
    }
  }
  return null;
}

function followsPrimitive(byOffset: ReadonlyMap<number, Instruction>, offset: number): boolean {
  const first = byOffset.get(0);
  return first?.name === 'callPrimitive' && first.bytes === offset;
}
