/**
 * A method or block as the interpreter runs it: a copy of its bytecodes outside the heap, its
 * header taken apart, and the inline caches of its sends. Literals are read from the heap, where
 * they stay.
 *
 * `pc` counts the bytes of `bytes` from 0. The pc slot of a Context holds a SmallInteger:
 * pc + firstByte + 1, which is Squeak's 1-based index into the body of the method object.
 *
 * Inline caches: `siteWord[pc]` is the class word of the last receiver at the send that ends at pc,
 * `siteCode[pc]` what it led to. 0 is no class word, so a cleared cache misses.
 *
 * Invariant: `frameWords` is at least the number of temporaries and operands an activation ever
 * has, so that one check at its start keeps the value stack within its limits.
 */

import { decode, type Instruction, primitiveOf } from '../bytecode/decode.ts';
import { verify } from '../bytecode/verify.ts';
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { FORMAT, HEADER_WORDS, SHAPE_MASK, SHAPE_SMALL_INTEGER } from '../objects/layout.ts';
import { CLOSURE, SHAPE } from '../objects/well-known.ts';
import type { Primitive, PrimitiveEntry, PrimitiveTable } from './primitive-interface.ts';

/** How an activation of a Code begins. */
export const KIND = {
  plain: 0, // its bytecodes run
  primitive: 1, // its primitive is tried first
  returnReceiver: 2, // all it does is `^ self`
  returnSlot: 3, // all it does is `^ instanceVariable`
  unwinding: 4, // its primitive is tried with every activation in a heap Context
  value: 5, // BlockClosure>>value…
  valueWithArguments: 6,
  perform: 7,
  performWithArguments: 8,
  performInSuperclass: 9,
  executeMethod: 10,
  liveContext: 11, // for the real target when the receiver is a Context on the JavaScript stack
  failed: 12, // stands for a send that found not even doesNotUnderstand:
  compiled: 13, // native code of a MethodCompiler
} as const;

/** Compiled code: same convention as `interpret`, 0 while the stack unwinds. */
export type CompiledEntry = (receiver: Oop, base: number, depth: number) => Oop;

/** A JIT: makes native code for a method, or null. */
export interface MethodCompiler {
  compile(code: Code): CompiledEntry | null;
}

/** Primitives that only mark a frame: they always fail, and the mark is found by number. */
export const PRIMITIVE_ENSURE = 198;
export const PRIMITIVE_HANDLER = 199;

const NO_PRIMITIVE: Primitive = () => 0;

const CONTROL_KINDS: ReadonlyMap<number, number> = new Map([
  [83, KIND.perform],
  [84, KIND.performWithArguments],
  [100, KIND.performInSuperclass],
  [188, KIND.executeMethod],
  [201, KIND.value],
  [202, KIND.value],
  [203, KIND.value],
  [204, KIND.value],
  [205, KIND.value],
  [206, KIND.valueWithArguments],
  [207, KIND.value],
  [208, KIND.valueWithArguments],
  [209, KIND.value],
  [221, KIND.value],
  [222, KIND.valueWithArguments],
]);

/** A decoded method or block; see the head of this file. */
export class Code {
  kind: number = KIND.plain;
  readonly method: Oop;
  readonly bytes: Uint8Array;
  /** Word index of literal 0. */
  readonly literals: number;
  readonly literalCount: number;
  readonly numArgs: number;
  readonly numTemps: number;
  readonly isBlock: boolean;
  /** Bytes of the method object before its first bytecode. */
  readonly firstByte: number;
  /** Where its own code begins: past callPrimitive. */
  readonly startPc: number;
  readonly frameWords: number;
  readonly primitive: number;
  /** Marked by primitive 198: ensure: and ifCurtailed:. */
  readonly isEnsure: boolean;
  /** Receivers must have this many slots; 0 when it names no instance variable. */
  readonly receiverSlots: number;
  /** Why it must not run, or null. */
  readonly defect: string | null;
  run: Primitive = NO_PRIMITIVE;
  /** For KIND.returnSlot: the slot. */
  slot = 0;
  compiled: CompiledEntry | null = null;
  readonly siteWord: Int32Array;
  readonly siteCode: (Code | undefined)[];

  /** `method` 0 makes a stand-in without bytecodes, for the kinds that need none. */
  constructor(memory: ObjectMemory, method: Oop) {
    const isReal = method !== 0;
    const header = isReal ? memory.fetch(method, 0) >> 1 : 0;
    const size = isReal ? memory.byteSize(method) : 0;
    this.method = method;
    this.literalCount = isReal ? Math.min(header & 0x7fff, memory.slotCount(method) - 1) : 0;
    this.literals = method + HEADER_WORDS + 1;
    this.numArgs = (header >> 24) & 15;
    this.numTemps = Math.max((header >> 18) & 63, this.numArgs);
    this.firstByte = (this.literalCount + 1) * 4;
    this.bytes = copyBytes(memory, method, this.firstByte, size);
    this.isBlock = isReal && (memory.H[method]! & SHAPE_MASK) === SHAPE.CompiledBlock;
    const outline = outlineOf(this.bytes, this.numTemps);
    this.frameWords = outline.frameWords;
    this.receiverSlots = outline.receiverSlots;
    this.primitive = outline.primitive;
    this.defect = defectOf(memory, this, outline);
    this.startPc = outline.primitive === 0 ? 0 : 3;
    this.isEnsure = outline.primitive === PRIMITIVE_ENSURE;
    this.siteWord = new Int32Array(this.bytes.length + 1);
    this.siteCode = new Array<Code | undefined>(this.bytes.length + 1).fill(undefined);
    if (this.primitive === 0 && !this.isBlock) this.#recognizeQuickReturn();
  }

  /** Takes the primitive from the tables; what is in neither fails always, as Squeak has it. */
  bind(memory: ObjectMemory, control: PrimitiveTable, table: PrimitiveTable): void {
    if (this.primitive === 0) return;
    const kind = CONTROL_KINDS.get(this.primitive);
    if (kind !== undefined) {
      this.kind = kind;
      return;
    }
    const entry =
      this.primitive === 117
        ? namedPrimitive(memory, this, control, table)
        : (control.numbered(this.primitive) ?? table.numbered(this.primitive));
    if (entry === undefined) return;
    this.kind = entry.unwinds === true ? KIND.unwinding : KIND.primitive;
    this.run = entry.run;
  }

  /** Forgets what its sends led to. */
  clearSites(): void {
    this.siteWord.fill(0);
    this.siteCode.fill(undefined);
  }

  /** The pc slot of a Context that goes on at `pc`, as an oop. */
  contextPc(pc: number): Oop {
    return ((pc + this.firstByte + 1) << 1) | 1;
  }

  /** `pc` of a Context's pc slot; anything else than a pc of this code answers -1. */
  pcOf(oop: Oop): number {
    if ((oop & 1) === 0) return -1;
    const pc = (oop >> 1) - 1 - this.firstByte;
    return pc >= 0 && pc <= this.bytes.length ? pc : -1;
  }

  #recognizeQuickReturn(): void {
    const [first, second, third] = this.bytes;
    if (first === 0x58) {
      this.kind = KIND.returnReceiver;
    } else if (first !== undefined && first <= 0x0f && second === 0x5c) {
      this.kind = KIND.returnSlot;
      this.slot = first;
    } else if (first === 0xe2 && second !== undefined && third === 0x5c) {
      this.kind = KIND.returnSlot;
      this.slot = second;
    }
  }
}

/** Number of values a closure has copied. */
export function copiedCount(memory: ObjectMemory, closure: Oop): number {
  return memory.slotCount(closure) - CLOSURE.copiedFirst;
}

/** Whether `oop` is a CompiledMethod or CompiledBlock. */
export function isCompiledCode(memory: ObjectMemory, oop: Oop): boolean {
  return (
    memory.shapeOf(oop) !== SHAPE_SMALL_INTEGER &&
    memory.formatOf(oop) === FORMAT.compiledCode &&
    memory.slotCount(oop) > 1 &&
    (memory.fetch(oop, 0) & 1) === 1
  );
}

function copyBytes(memory: ObjectMemory, method: Oop, from: number, to: number): Uint8Array {
  const start = (method + HEADER_WORDS) * 4 + memory.H.byteOffset;
  return new Uint8Array(memory.H.buffer, start + from, Math.max(0, to - from)).slice();
}

function namedPrimitive(
  memory: ObjectMemory,
  code: Code,
  control: PrimitiveTable,
  table: PrimitiveTable,
): PrimitiveEntry | undefined {
  const literal = code.literalCount > 0 ? memory.H[code.literals]! : memory.nil;
  if (memory.shapeOf(literal) !== SHAPE.Array || memory.slotCount(literal) < 2) return undefined;
  const [module, name] = [0, 1].map((index) => textOf(memory, memory.fetch(literal, index)));
  if (name === undefined || name === '') return undefined;
  return control.named(module ?? '', name) ?? table.named(module ?? '', name);
}

/** The text of a String or Symbol; '' for anything else. */
export function textOf(memory: ObjectMemory, oop: Oop): string {
  const shape = memory.shapeOf(oop);
  const isText =
    shape === SHAPE.ByteString ||
    shape === SHAPE.WideString ||
    shape === SHAPE.ByteSymbol ||
    shape === SHAPE.WideSymbol;
  return isText ? memory.stringValue(oop) : '';
}

interface Outline {
  readonly primitive: number;
  readonly frameWords: number;
  readonly receiverSlots: number;
  readonly instructions: readonly Instruction[];
}

/**
 * What one pass over the bytecodes tells. The depth is followed in a straight line and returns pop
 * nothing, so after a jump it is the true depth or more; the verifier holds the code to it.
 */
function outlineOf(bytes: Uint8Array, numTemps: number): Outline {
  let instructions: Instruction[];
  try {
    instructions = decode(bytes);
  } catch {
    instructions = []; // cut off: the verifier says so
  }
  let depth = numTemps;
  let deepest = numTemps;
  let receiverSlots = 0;
  for (const { name, operands, bytecode } of instructions) {
    const [first = 0] = operands;
    if (name.endsWith('ReceiverVariable')) receiverSlots = Math.max(receiverSlots, first + 1);
    if (bytecode.flow === 'return') continue;
    depth += bytecode.pushes(operands) - bytecode.pops(operands);
    if (depth < numTemps) depth = numTemps;
    deepest = Math.max(deepest, depth);
  }
  const head = instructions[0];
  const primitive = head?.name === 'callPrimitive' ? primitiveOf(head) : 0;
  return { primitive, frameWords: deepest + 2, receiverSlots, instructions };
}

/** Why the code must not run, or null: it would read or write where it must not. */
function defectOf(memory: ObjectMemory, code: Code, outline: Outline): string | null {
  const problem = verify({
    bytecodes: code.bytes,
    numArgs: code.numArgs,
    numTemps: code.numTemps,
    frameSize: code.frameWords,
    primitive: code.primitive,
    isBlock: code.isBlock,
    literalCount: code.literalCount,
    instanceVariableCount: Number.POSITIVE_INFINITY,
  });
  return problem ?? literalDefect(memory, code, outline);
}

/** Bindings and blocks must be what the bytecodes take them for, or memory would be misread. */
function literalDefect(memory: ObjectMemory, code: Code, { instructions }: Outline): string | null {
  for (const { name, operands } of instructions) {
    const isBinding = name.endsWith('LiteralVariable');
    const isSend = name === 'send' || name === 'superSend';
    if (!isBinding && !isSend && name !== 'pushLiteral' && name !== 'pushFullClosure') continue;
    const index = operands[0] ?? 0;
    const literal = memory.follow(memory.H[code.literals + index]!);
    if (isBinding) {
      const isPointers = (literal & 1) === 0 && memory.formatOf(literal) <= FORMAT.ephemeron;
      if (!isPointers || memory.slotCount(literal) < 2) return `literal ${index} is no binding`;
    }
    if (name === 'pushFullClosure' && !isCompiledCode(memory, literal)) {
      return `literal ${index} is no block`;
    }
  }
  return null;
}
