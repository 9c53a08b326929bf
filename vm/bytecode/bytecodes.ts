/**
 * The one table of bytecodes: Sista V1, the set that Squeak and Pharo run on Spur.
 *
 * Everything that must know a bytecode is driven by this table: encoder, decoder, printer,
 * verifier. Several codes may mean the same operation (pushTemp is 0x40–0x4B in one byte and 0xE5
 * in two); they share a name, and the decoder hides the difference.
 *
 * Extensions: 0xE0 b (A, unsigned) and 0xE1 b (B, the first byte signed) go before an instruction
 * and widen one operand each; several of a kind accumulate (value * 256 + byte). They last for
 * exactly one instruction. Where a row's operand names an extension, the operand's value is
 *
 *     ((byte >> shift) & mask) + bias + extension * scale
 *
 * Byte 0 is the code itself; its field is code - first. Jump distances count from the byte after
 * the instruction.
 *
 * Invariants, asserted when this file loads: the rows cover 0–255 exactly once, in order.
 */
import { assert } from '../base/assert.ts';

export type OperationName =
  | 'pushReceiverVariable'
  | 'pushLiteralVariable'
  | 'pushLiteral'
  | 'pushTemp'
  | 'pushReceiver'
  | 'pushTrue'
  | 'pushFalse'
  | 'pushNil'
  | 'pushInteger'
  | 'pushThisContext'
  | 'duplicate'
  | 'returnReceiver'
  | 'returnTrue'
  | 'returnFalse'
  | 'returnNil'
  | 'returnTop'
  | 'blockReturnNil'
  | 'blockReturnTop'
  | 'nop'
  | 'sendSpecial'
  | 'send'
  | 'superSend'
  | 'jump'
  | 'jumpIfTrue'
  | 'jumpIfFalse'
  | 'popIntoReceiverVariable'
  | 'popIntoLiteralVariable'
  | 'popIntoTemp'
  | 'pop'
  | 'trap'
  | 'extendA'
  | 'extendB'
  | 'pushNewArray'
  | 'pushCharacter'
  | 'storeReceiverVariable'
  | 'storeLiteralVariable'
  | 'storeTemp'
  | 'callPrimitive'
  | 'pushFullClosure'
  | 'pushRemoteTemp'
  | 'storeRemoteTemp'
  | 'popIntoRemoteTemp'
  | 'unassigned';

/** Where an operand lies in an instruction; see the head of this file. */
export interface Operand {
  readonly name: string;
  readonly byte: 0 | 1 | 2;
  readonly shift: number;
  readonly mask: number;
  readonly bias: number;
  readonly extension: 'A' | 'B' | null;
  readonly scale: number;
}

/** How control leaves an instruction. */
export type Flow = 'next' | 'jump' | 'branch' | 'return';

export interface Bytecode {
  readonly name: OperationName;
  readonly first: number;
  readonly last: number;
  readonly bytes: 1 | 2 | 3;
  readonly operands: readonly Operand[];
  readonly pops: (operands: readonly number[]) => number;
  readonly pushes: (operands: readonly number[]) => number;
  readonly flow: Flow;
  readonly meaning: string;
}

/** The selectors of 0x60–0x7F. `==`, `class` and `~~` are answered without a send. */
export const SPECIAL_SELECTORS: readonly { readonly selector: string; readonly numArgs: number }[] =
  (
    '+ - < > <= >= = ~= * / \\\\ @ bitShift: // bitAnd: bitOr: ' +
    'at: at:put: size next nextPut: atEnd == class ~~ value value: do: new new: x y'
  )
    .split(' ')
    .map((selector) => ({ selector, numArgs: countArguments(selector) }));

/** Extension bits of pushFullClosure's second operand. */
export const CLOSURE_COPIED_MASK = 0x3f;
export const CLOSURE_IGNORE_OUTER = 0x40;
export const CLOSURE_RECEIVER_ON_STACK = 0x80;

/** Number of arguments a selector takes: its colons, one for a binary selector, else none. */
export function countArguments(selector: string): number {
  if (selector.endsWith(':')) return selector.split(':').length - 1;
  return /^[\p{L}_]/u.test(selector) ? 0 : 1;
}

type Count = number | ((operands: readonly number[]) => number);

function count(value: Count): (operands: readonly number[]) => number {
  return typeof value === 'number' ? () => value : value;
}

/** An operand in the code itself. */
function inCode(name: string, bias = 0): Operand {
  return { name, byte: 0, shift: 0, mask: 0xff, bias, extension: null, scale: 0 };
}

/** An operand that is a whole byte, perhaps widened. */
function inByte(name: string, byte: 1 | 2, extension: 'A' | 'B' | null = null): Operand {
  return { name, byte, shift: 0, mask: 0xff, bias: 0, extension, scale: 256 };
}

const SEND_OPERANDS: readonly Operand[] = [
  { name: 'selector', byte: 1, shift: 3, mask: 0x1f, bias: 0, extension: 'A', scale: 32 },
  { name: 'numArgs', byte: 1, shift: 0, mask: 0x07, bias: 0, extension: 'B', scale: 8 },
];
const REMOTE_OPERANDS: readonly Operand[] = [
  inByte('index', 1),
  { name: 'vector', byte: 2, shift: 0, mask: 0x7f, bias: 0, extension: null, scale: 0 },
];
const ARRAY_OPERANDS: readonly Operand[] = [
  { name: 'size', byte: 1, shift: 0, mask: 0x7f, bias: 0, extension: null, scale: 0 },
  { name: 'popsElements', byte: 1, shift: 7, mask: 0x01, bias: 0, extension: null, scale: 0 },
];
const PRIMITIVE_OPERANDS: readonly Operand[] = [inByte('low', 1), inByte('high', 2)];
const CLOSURE_OPERANDS: readonly Operand[] = [inByte('literal', 1, 'A'), inByte('flags', 2)];
const INDEX: readonly Operand[] = [inByte('index', 1)];
const INDEX_A: readonly Operand[] = [inByte('index', 1, 'A')];
const LITERAL_A: readonly Operand[] = [inByte('literal', 1, 'A')];
const DISTANCE: readonly Operand[] = [inCode('distance', 1)];
const DISTANCE_B: readonly Operand[] = [inByte('distance', 1, 'B')];
const [SELECTOR_0, SELECTOR_1, SELECTOR_2] = ([0, 1, 2] as const).map((numArgs) => [
  inCode('selector'),
  fixed('numArgs', numArgs),
]) as [Operand[], Operand[], Operand[]];

/** A number of arguments that the code range fixes: no bits, only a bias. */
function fixed(name: string, value: number): Operand {
  return { name, byte: 0, shift: 0, mask: 0, bias: value, extension: null, scale: 0 };
}

/** Stack effects: words popped, words pushed. */
const PUSH = [0, 1] as const;
const POP = [1, 0] as const;
const STORE = [1, 1] as const;
const NONE = [0, 0] as const;
const at = (operands: readonly number[], index: number): number => operands[index] ?? 0;
const sendPops = (operands: readonly number[]): number => at(operands, 1) + 1;
const specialPops = (operands: readonly number[]): number =>
  (SPECIAL_SELECTORS[at(operands, 0)]?.numArgs ?? 0) + 1;
const arrayPops = (operands: readonly number[]): number =>
  at(operands, 1) === 1 ? at(operands, 0) : 0;
const closurePops = (operands: readonly number[]): number =>
  (at(operands, 1) & CLOSURE_COPIED_MASK) +
  ((at(operands, 1) & CLOSURE_RECEIVER_ON_STACK) === 0 ? 0 : 1);

function row(
  first: number,
  last: number,
  name: OperationName,
  operands: readonly Operand[],
  effect: readonly [pops: Count, pushes: Count],
  meaning: string,
  flow: Flow = 'next',
): Bytecode {
  const bytes = first < 0xe0 ? 1 : first < 0xf8 ? 2 : 3;
  const [pops, pushes] = effect;
  return {
    name,
    first,
    last,
    bytes,
    operands,
    pops: count(pops),
    pushes: count(pushes),
    flow,
    meaning,
  };
}

const unassigned = (first: number, last: number): Bytecode =>
  row(first, last, 'unassigned', [], [0, 0], 'not a bytecode', 'return');

// biome-ignore format: one bytecode a line is what makes this a table.
export const BYTECODES: readonly Bytecode[] = [
  row(0x00, 0x0f, 'pushReceiverVariable', [inCode('index')], PUSH, 'push an instance variable'),
  row(0x10, 0x1f, 'pushLiteralVariable', [inCode('literal')], PUSH, 'push the value of a binding'),
  row(0x20, 0x3f, 'pushLiteral', [inCode('literal')], PUSH, 'push a literal'),
  row(0x40, 0x4b, 'pushTemp', [inCode('index')], PUSH, 'push an argument or temporary'),
  row(0x4c, 0x4c, 'pushReceiver', [], PUSH, 'push the receiver'),
  row(0x4d, 0x4d, 'pushTrue', [], PUSH, 'push true'),
  row(0x4e, 0x4e, 'pushFalse', [], PUSH, 'push false'),
  row(0x4f, 0x4f, 'pushNil', [], PUSH, 'push nil'),
  row(0x50, 0x51, 'pushInteger', [inCode('value')], PUSH, 'push 0 or 1'),
  row(0x52, 0x52, 'pushThisContext', [], PUSH, 'push the active context'),
  row(0x53, 0x53, 'duplicate', [], [1, 2], 'push the top again'),
  unassigned(0x54, 0x57),
  row(0x58, 0x58, 'returnReceiver', [], NONE, 'return self from the method', 'return'),
  row(0x59, 0x59, 'returnTrue', [], NONE, 'return true from the method', 'return'),
  row(0x5a, 0x5a, 'returnFalse', [], NONE, 'return false from the method', 'return'),
  row(0x5b, 0x5b, 'returnNil', [], NONE, 'return nil from the method', 'return'),
  row(0x5c, 0x5c, 'returnTop', [], POP, 'return the top from the method', 'return'),
  row(0x5d, 0x5d, 'blockReturnNil', [], NONE, 'return nil from the block', 'return'),
  row(0x5e, 0x5e, 'blockReturnTop', [], POP, 'return the top from the block', 'return'),
  row(0x5f, 0x5f, 'nop', [], NONE, 'do nothing'),
  row(0x60, 0x7f, 'sendSpecial', [inCode('special')], [specialPops, 1], 'send a special selector'),
  row(0x80, 0x8f, 'send', SELECTOR_0, [sendPops, 1], 'send without arguments'),
  row(0x90, 0x9f, 'send', SELECTOR_1, [sendPops, 1], 'send with one argument'),
  row(0xa0, 0xaf, 'send', SELECTOR_2, [sendPops, 1], 'send with two arguments'),
  row(0xb0, 0xb7, 'jump', DISTANCE, NONE, 'jump forward 1 to 8 bytes', 'jump'),
  row(0xb8, 0xbf, 'jumpIfTrue', DISTANCE, POP, 'pop; jump if true', 'branch'),
  row(0xc0, 0xc7, 'jumpIfFalse', DISTANCE, POP, 'pop; jump if false', 'branch'),
  row(0xc8, 0xcf, 'popIntoReceiverVariable', [inCode('index')], POP, 'pop into instance variable'),
  row(0xd0, 0xd7, 'popIntoTemp', [inCode('index')], POP, 'pop into a temporary'),
  row(0xd8, 0xd8, 'pop', [], POP, 'drop the top'),
  row(0xd9, 0xd9, 'trap', [], NONE, 'stop: no compiler emits it', 'return'),
  unassigned(0xda, 0xdf),
  row(0xe0, 0xe0, 'extendA', [inByte('byte', 1)], NONE, 'extension A for the next instruction'),
  row(0xe1, 0xe1, 'extendB', [inByte('byte', 1)], NONE, 'extension B for the next instruction'),
  row(0xe2, 0xe2, 'pushReceiverVariable', INDEX_A, PUSH, 'push an instance variable'),
  row(0xe3, 0xe3, 'pushLiteralVariable', LITERAL_A, PUSH, 'push the value of a binding'),
  row(0xe4, 0xe4, 'pushLiteral', LITERAL_A, PUSH, 'push a literal'),
  row(0xe5, 0xe5, 'pushTemp', INDEX, PUSH, 'push an argument or temporary'),
  unassigned(0xe6, 0xe6),
  row(0xe7, 0xe7, 'pushNewArray', ARRAY_OPERANDS, [arrayPops, 1], 'push an Array, of nils or popped'),
  row(0xe8, 0xe8, 'pushInteger', [inByte('value', 1, 'B')], PUSH, 'push a SmallInteger'),
  row(0xe9, 0xe9, 'pushCharacter', [inByte('codePoint', 1, 'B')], PUSH, 'push a Character'),
  row(0xea, 0xea, 'send', SEND_OPERANDS, [sendPops, 1], 'send'),
  row(0xeb, 0xeb, 'superSend', SEND_OPERANDS, [sendPops, 1], 'send; lookup starts above the class'),
  unassigned(0xec, 0xec),
  row(0xed, 0xed, 'jump', DISTANCE_B, NONE, 'jump, backward too', 'jump'),
  row(0xee, 0xee, 'jumpIfTrue', DISTANCE_B, POP, 'pop; jump forward if true', 'branch'),
  row(0xef, 0xef, 'jumpIfFalse', DISTANCE_B, POP, 'pop; jump forward if false', 'branch'),
  row(0xf0, 0xf0, 'popIntoReceiverVariable', INDEX_A, POP, 'pop into instance variable'),
  row(0xf1, 0xf1, 'popIntoLiteralVariable', LITERAL_A, POP, 'pop into a binding'),
  row(0xf2, 0xf2, 'popIntoTemp', INDEX, POP, 'pop into a temporary'),
  row(0xf3, 0xf3, 'storeReceiverVariable', INDEX_A, STORE, 'store in an instance variable'),
  row(0xf4, 0xf4, 'storeLiteralVariable', LITERAL_A, STORE, 'store in a binding'),
  row(0xf5, 0xf5, 'storeTemp', INDEX, STORE, 'store in a temporary'),
  unassigned(0xf6, 0xf7),
  row(0xf8, 0xf8, 'callPrimitive', PRIMITIVE_OPERANDS, NONE, 'run a primitive; go on if it fails'),
  row(0xf9, 0xf9, 'pushFullClosure', CLOSURE_OPERANDS, [closurePops, 1], 'push a closure'),
  unassigned(0xfa, 0xfa),
  row(0xfb, 0xfb, 'pushRemoteTemp', REMOTE_OPERANDS, PUSH, 'push a variable in a temp vector'),
  row(0xfc, 0xfc, 'storeRemoteTemp', REMOTE_OPERANDS, STORE, 'store in a temp vector'),
  row(0xfd, 0xfd, 'popIntoRemoteTemp', REMOTE_OPERANDS, POP, 'pop into a temp vector'),
  unassigned(0xfe, 0xff),
];

const ROW_OF_CODE: readonly Bytecode[] = BYTECODES.flatMap((bytecode) =>
  Array.from({ length: bytecode.last - bytecode.first + 1 }, () => bytecode),
);
const ROWS_OF_NAME: ReadonlyMap<OperationName, readonly Bytecode[]> = Map.groupBy(
  BYTECODES,
  (bytecode) => bytecode.name,
);
assert(ROW_OF_CODE.length === 256, 'the bytecode table must have 256 codes');
assert(
  BYTECODES.every((bytecode, index) => bytecode.first === (BYTECODES[index - 1]?.last ?? -1) + 1),
  'the rows of the bytecode table must follow each other',
);
assert(SPECIAL_SELECTORS.length === 32, 'there are 32 special selectors');

/** The row of a code from 0 to 255. */
export function bytecodeOf(code: number): Bytecode {
  const found = ROW_OF_CODE[code];
  assert(found !== undefined, `code ${code} is not a byte`);
  return found;
}

/** The rows that mean `name`, shortest first; they agree on everything but their size. */
export function bytecodesNamed(name: OperationName): readonly Bytecode[] {
  const found = ROWS_OF_NAME.get(name);
  assert(found !== undefined, `no bytecode is called ${name}`);
  return found;
}
