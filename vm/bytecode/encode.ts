/**
 * From instructions to bytes: the shortest form that holds the operands, extensions where they are
 * needed, jumps sized last.
 *
 * Jump sizes are found by growing: every jump starts in its shortest form, offsets are computed,
 * and jumps that do not reach get longer, until nothing changes. Sizes only grow, so this ends. A
 * jump to the very next instruction takes no bytes at all.
 */
import { assert } from '../base/assert.ts';
import { type Bytecode, bytecodesNamed, type Operand, type OperationName } from './bytecodes.ts';

/** A place that jumps refer to; bound by an item of kind 'label'. */
export interface Label {
  readonly id: number;
}

/** What assemble() takes: plain instructions, jumps to labels, and the labels' places. */
export type Item =
  | { kind: 'plain'; name: OperationName; operands: readonly number[]; position: number }
  | { kind: 'jump'; name: JumpName; label: Label; position: number }
  | { kind: 'label'; label: Label };

export type JumpName = 'jump' | 'jumpIfTrue' | 'jumpIfFalse';

/** Furthest a jump goes: one signed extension byte above the distance's own. */
export const JUMP_DISTANCE_MAX = 32767;

const JUMP_CODES = {
  jump: { short: 0xb0, long: 0xed },
  jumpIfTrue: { short: 0xb8, long: 0xee },
  jumpIfFalse: { short: 0xc0, long: 0xef },
} as const;

/**
 * The bytes of one instruction, extensions first. A bug if no form of `name` holds the operands.
 */
export function encodeInstruction(name: OperationName, operands: readonly number[]): number[] {
  for (const bytecode of bytecodesNamed(name)) {
    const bytes = tryEncode(bytecode, operands);
    if (bytes !== null) return bytes;
  }
  throw new Error(`Bug: no form of ${name} holds the operands ${operands.join(', ')}`);
}

/**
 * Lays out `items`. Answers the bytes and the offset of every item; null when a jump is too far.
 */
export function assemble(
  items: readonly Item[],
): { bytecodes: Uint8Array; offsets: Int32Array } | null {
  const encoded = items.map((item) =>
    item.kind === 'plain' ? encodeInstruction(item.name, item.operands) : [],
  );
  const sizes = Int32Array.from(encoded, (bytes) => bytes.length);
  const targets = labelItems(items);
  const offsets = new Int32Array(items.length + 1);
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = 0; i < items.length; i++) offsets[i + 1] = (offsets[i] ?? 0) + (sizes[i] ?? 0);
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      if (item?.kind !== 'jump') continue;
      const distance = distanceOf(item.label, targets, offsets, i);
      if (Math.abs(distance) > JUMP_DISTANCE_MAX) return null;
      const needed = jumpSize(item.name, distance);
      if (needed > (sizes[i] ?? 0)) {
        sizes[i] = needed;
        changed = true;
      }
    }
  }
  const bytecodes = new Uint8Array(offsets[items.length] ?? 0);
  for (const [i, item] of items.entries()) {
    const bytes =
      item.kind === 'jump'
        ? encodeJump(item.name, distanceOf(item.label, targets, offsets, i), sizes[i] ?? 0)
        : (encoded[i] ?? []);
    bytecodes.set(bytes, offsets[i]);
  }
  return { bytecodes, offsets: offsets.subarray(0, items.length) };
}

function labelItems(items: readonly Item[]): Map<Label, number> {
  const targets = new Map<Label, number>();
  for (const [index, item] of items.entries()) {
    if (item.kind !== 'label') continue;
    assert(!targets.has(item.label), 'a label is bound twice');
    targets.set(item.label, index);
  }
  return targets;
}

function distanceOf(
  label: Label,
  targets: Map<Label, number>,
  offsets: Int32Array,
  index: number,
): number {
  const target = targets.get(label);
  assert(target !== undefined, 'a jump goes to a label that is nowhere');
  return (offsets[target] ?? 0) - (offsets[index + 1] ?? 0);
}

function jumpSize(name: JumpName, distance: number): number {
  if (distance === 0 && name === 'jump') return 0;
  if (distance >= 1 && distance <= 8) return 1;
  return distance >= 0 && distance <= 255 ? 2 : 4;
}

function encodeJump(name: JumpName, distance: number, size: number): number[] {
  const codes = JUMP_CODES[name];
  assert(name === 'jump' || distance >= 0, 'a conditional jump goes forward');
  if (size === 0) return [];
  if (size === 1) return [codes.short + distance - 1];
  if (size === 2) return [codes.long, distance];
  const extension = Math.floor(distance / 256);
  return [0xe1, extension & 0xff, codes.long, distance - extension * 256];
}

function tryEncode(bytecode: Bytecode, operands: readonly number[]): number[] | null {
  assert(operands.length === bytecode.operands.length, `${bytecode.name}: number of operands`);
  const bytes: number[] = [bytecode.first, 0, 0].slice(0, bytecode.bytes);
  const extensions: number[] = [];
  for (const [index, operand] of bytecode.operands.entries()) {
    const split = splitOperand(bytecode, operand, operands[index] ?? 0);
    if (split === null) return null;
    bytes[operand.byte] = (bytes[operand.byte] ?? 0) + (split.field << operand.shift);
    if (split.extension !== 0) {
      extensions.push(...encodeExtension(operand.extension === 'A' ? 0xe0 : 0xe1, split.extension));
    }
  }
  return [...extensions, ...bytes];
}

function splitOperand(
  bytecode: Bytecode,
  operand: Operand,
  value: number,
): { field: number; extension: number } | null {
  assert(Number.isInteger(value), `${bytecode.name}: ${operand.name} is not an integer`);
  const unbiased = value - operand.bias;
  const fieldMax =
    operand.byte === 0 && operand.mask !== 0 ? bytecode.last - bytecode.first : operand.mask;
  if (unbiased >= 0 && unbiased <= fieldMax) return { field: unbiased, extension: 0 };
  if (operand.extension === null) return null;
  if (operand.extension === 'A' && unbiased < 0) return null;
  const extension = Math.floor(unbiased / operand.scale);
  return { field: unbiased - extension * operand.scale, extension };
}

/** Extension bytes, highest first. For B the first byte carries the sign. */
function encodeExtension(code: number, value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.unshift(rest & 0xff);
    rest >>= 8;
  } while (rest !== 0 && rest !== -1);
  const first = bytes[0] ?? 0;
  if (code === 0xe1 && first > 127 !== value < 0) bytes.unshift(value < 0 ? 0xff : 0);
  return bytes.flatMap((byte) => [code, byte]);
}
