/**
 * Bytecodes as text, one instruction a line: offset, bytes, name, operands and what they refer to.
 *
 *      4 <D0>        popIntoTemp 0 "n"
 *      5 <ED FB>     jump to 2
 */
import { CLOSURE_COPIED_MASK, CLOSURE_IGNORE_OUTER, SPECIAL_SELECTORS } from './bytecodes.ts';
import { decode, type Instruction, primitiveOf } from './decode.ts';

/** How operands are named; without these they are printed as numbers. */
export interface Names {
  literal?: (index: number) => string;
  temp?: (index: number) => string;
  instanceVariable?: (index: number) => string;
}

/** Prints all of `code`, each line ending in a newline. */
export function printBytecodes(code: Uint8Array, names: Names = {}): string {
  return decode(code)
    .map((instruction) => `${printInstruction(code, instruction, names)}\n`)
    .join('');
}

function printInstruction(code: Uint8Array, instruction: Instruction, names: Names): string {
  const { offset, bytes } = instruction;
  const hex = [...code.subarray(offset, offset + bytes)]
    .map((byte) => byte.toString(16).toUpperCase().padStart(2, '0'))
    .join(' ');
  const text = `${instruction.name}${describeOperands(instruction, names)}`;
  return `${String(offset).padStart(4)} ${`<${hex}>`.padEnd(14)} ${text}`;
}

function describeOperands(instruction: Instruction, names: Names): string {
  const [first = 0, second = 0] = instruction.operands;
  const literal = (): string => ` ${names.literal?.(first) ?? `literal ${first}`}`;
  const temp = (index: number): string => {
    const name = names.temp?.(index);
    return name === undefined ? ` ${index}` : ` ${index} ${name}`;
  };
  switch (instruction.name) {
    case 'jump':
    case 'jumpIfTrue':
    case 'jumpIfFalse':
      return ` to ${instruction.target}`;
    case 'sendSpecial':
      return ` ${SPECIAL_SELECTORS[first]?.selector ?? '?'}`;
    case 'pushLiteral':
    case 'pushLiteralVariable':
    case 'storeLiteralVariable':
    case 'popIntoLiteralVariable':
      return literal();
    case 'send':
    case 'superSend':
      return `${literal()} (${second})`;
    case 'pushTemp':
    case 'storeTemp':
    case 'popIntoTemp':
      return temp(first);
    case 'pushRemoteTemp':
    case 'storeRemoteTemp':
    case 'popIntoRemoteTemp':
      return ` ${first} in${temp(second)}`;
    case 'pushReceiverVariable':
    case 'storeReceiverVariable':
    case 'popIntoReceiverVariable':
      return ` ${names.instanceVariable?.(first) ?? first}`;
    case 'pushNewArray':
      return ` ${first}${second === 1 ? ' of popped' : ''}`;
    case 'pushFullClosure': {
      const outer = (second & CLOSURE_IGNORE_OUTER) === 0 ? ', outer context' : '';
      return `${literal()} (${second & CLOSURE_COPIED_MASK} copied${outer})`;
    }
    case 'callPrimitive':
      return ` ${primitiveOf(instruction)}`;
    default:
      return instruction.operands.map((operand) => ` ${operand}`).join('');
  }
}
