/**
 * From bytes to instructions: extensions folded in, short and long forms made alike, jumps
 * resolved.
 *
 * A decoded instruction starts at its first extension byte, so `offset` is where a jump to it
 * lands. Offsets are 0-based in the bytecodes; the pc of a Context counts from the start of the
 * method.
 */
import { type Bytecode, bytecodeOf, type OperationName } from './bytecodes.ts';

/** One instruction. `operands` are in the order of the table; `target` is -1 unless it jumps. */
export interface Instruction {
  readonly offset: number;
  readonly bytes: number;
  readonly name: OperationName;
  readonly operands: readonly number[];
  readonly target: number;
  readonly bytecode: Bytecode;
}

/** Decodes the instruction at `offset`. Throws RangeError when the bytes end within it. */
export function decodeAt(code: Uint8Array, offset: number): Instruction {
  let extensionA = 0;
  let extensionB = 0;
  let extensionBCount = 0;
  let position = offset;
  let current = byteAt(code, position);
  while (current === 0xe0 || current === 0xe1) {
    const byte = byteAt(code, position + 1);
    if (current === 0xe0) {
      extensionA = extensionA * 256 + byte;
    } else {
      extensionB = extensionBCount === 0 && byte > 127 ? byte - 256 : extensionB * 256 + byte;
      extensionBCount += 1;
    }
    position += 2;
    current = byteAt(code, position);
  }
  const bytecode = bytecodeOf(current);
  byteAt(code, position + bytecode.bytes - 1);
  const operands = bytecode.operands.map((operand) => {
    const byte =
      operand.byte === 0 ? current - bytecode.first : byteAt(code, position + operand.byte);
    const field = (byte >> operand.shift) & operand.mask;
    if (operand.extension === null) return field + operand.bias;
    return (
      field + operand.bias + (operand.extension === 'A' ? extensionA : extensionB) * operand.scale
    );
  });
  const end = position + bytecode.bytes;
  const jumps = bytecode.flow === 'jump' || bytecode.flow === 'branch';
  return {
    offset,
    bytes: end - offset,
    name: bytecode.name,
    operands,
    target: jumps ? end + (operands[0] ?? 0) : -1,
    bytecode,
  };
}

/** Decodes all of `code`, in order. Throws RangeError when the last instruction is cut off. */
export function decode(code: Uint8Array): Instruction[] {
  const instructions: Instruction[] = [];
  for (let offset = 0; offset < code.length; ) {
    const instruction = decodeAt(code, offset);
    instructions.push(instruction);
    offset += instruction.bytes;
  }
  return instructions;
}

/** The primitive that a decoded callPrimitive names. */
export function primitiveOf(instruction: Instruction): number {
  return (instruction.operands[0] ?? 0) + (instruction.operands[1] ?? 0) * 256;
}

function byteAt(code: Uint8Array, offset: number): number {
  const byte = code[offset];
  if (byte === undefined) {
    throw new RangeError(
      `Cannot decode bytecodes: they end at ${code.length}, wanted byte ${offset}`,
    );
  }
  return byte;
}
