/**
 * Collects the instructions of one function, and keeps account of its stack and literals.
 *
 * Code that cannot be reached (after a return or a jump, before a label something jumps to) is not
 * emitted, so every instruction has one known stack depth, and the verifier has nothing to guess.
 */
import { assert } from '../base/assert.ts';
import {
  bytecodesNamed,
  countArguments,
  type OperationName,
  SPECIAL_SELECTORS,
} from '../bytecode/bytecodes.ts';
import { assemble, type Item, type JumpName, type Label } from '../bytecode/encode.ts';
import type { Literal } from './method-spec.ts';

const SPECIAL_INDEX: ReadonlyMap<string, number> = new Map(
  SPECIAL_SELECTORS.map(({ selector }, index) => [selector, index]),
);

export class CodeBuilder {
  readonly literals: Literal[] = [];
  readonly #literalIndex = new Map<string, number>();
  readonly #items: Item[] = [];
  readonly #labelDepths = new Map<Label, number>();
  #depth = 0;
  #depthMax = 0;
  #isReachable = true;
  #position = 0;

  get depthMax(): number {
    return this.#depthMax;
  }

  /** Whether the instruction emitted next can ever run. */
  get isReachable(): boolean {
    return this.#isReachable;
  }

  /** The instructions emitted from here on come from this place in the source. */
  at(position: number): void {
    this.#position = position;
  }

  emit(name: OperationName, ...operands: number[]): void {
    if (!this.#isReachable) return;
    this.#items.push({ kind: 'plain', name, operands, position: this.#position });
    const rows = bytecodesNamed(name);
    const row = rows[0];
    assert(row !== undefined, 'every operation has a row');
    this.#adjust(row.pops(operands), row.pushes(operands));
    if (row.flow === 'return') this.#isReachable = false;
  }

  /**
   * Right after callPrimitive: a failed primitive leaves its error code on the top of the stack,
   * which is the last temporary; this copies it there, as Squeak's compiler has it.
   */
  storeErrorCode(index: number): void {
    const operands = [index];
    this.#items.push({ kind: 'plain', name: 'storeTemp', operands, position: this.#position });
  }

  /** The literal is made only when the code is reachable. */
  emitLiteral(name: OperationName, literal: () => Literal, ...operands: number[]): void {
    if (this.#isReachable) this.emit(name, this.literal(literal()), ...operands);
  }

  send(selector: string, isSuper = false): void {
    const special = SPECIAL_INDEX.get(selector);
    if (special !== undefined && !isSuper) return this.emit('sendSpecial', special);
    const literal: Literal = { kind: 'symbol', value: selector };
    this.emitLiteral(isSuper ? 'superSend' : 'send', () => literal, countArguments(selector));
  }

  label(): Label {
    return { id: this.#labelDepths.size };
  }

  jump(name: JumpName, label: Label): void {
    if (!this.#isReachable) return;
    this.#items.push({ kind: 'jump', name, label, position: this.#position });
    if (name === 'jump') this.#isReachable = false;
    else this.#adjust(1, 0);
    const known = this.#labelDepths.get(label);
    assert(known === undefined || known === this.#depth, 'stack depths differ at a label');
    this.#labelDepths.set(label, this.#depth);
  }

  /** Here is `label`: reachable if the code before is, or a jump to it was emitted. */
  bind(label: Label): void {
    const known = this.#labelDepths.get(label);
    if (known === undefined) {
      if (!this.#isReachable) return;
      this.#labelDepths.set(label, this.#depth);
    } else {
      assert(!this.#isReachable || known === this.#depth, 'stack depths differ at a label');
      this.#depth = known;
    }
    this.#isReachable = true;
    this.#items.push({ kind: 'label', label });
  }

  /** The index of `literal`, which is added unless an equal immutable one is there. */
  literal(literal: Literal): number {
    const key = literalKey(literal);
    const known = key === null ? undefined : this.#literalIndex.get(key);
    if (known !== undefined) return known;
    this.literals.push(literal);
    const index = this.literals.length - 1;
    if (key !== null) this.#literalIndex.set(key, index);
    return index;
  }

  /** The bytes and the source map; null when a jump is too far. */
  finish(): { bytecodes: Uint8Array; sourceMap: Int32Array } | null {
    assert(!this.#isReachable, 'the code runs off its end');
    const assembled = assemble(this.#items);
    if (assembled === null) return null;
    const pairs: number[] = [];
    for (const [index, item] of this.#items.entries()) {
      if (item.kind === 'label' || pairs.at(-1) === item.position) continue;
      const offset = assembled.offsets[index] ?? 0;
      if (pairs.at(-2) === offset) pairs.length -= 2; // a jump that took no bytes
      pairs.push(offset, item.position);
    }
    return { bytecodes: assembled.bytecodes, sourceMap: Int32Array.from(pairs) };
  }

  #adjust(pops: number, pushes: number): void {
    assert(this.#depth >= pops, 'the stack would underflow');
    this.#depth += pushes - pops;
    this.#depthMax = Math.max(this.#depthMax, this.#depth);
  }
}

/** Equal keys mean that one object will do. Strings and arrays can be changed: each is its own. */
function literalKey(literal: Literal): string | null {
  switch (literal.kind) {
    case 'integer':
      return `i${literal.value}`;
    case 'float':
      return `f${Object.is(literal.value, -0) ? '-0' : literal.value}`;
    case 'scaled':
      return `d${literal.numerator}/${literal.denominator}s${literal.scale}`;
    case 'character':
      return `c${literal.codePoint}`;
    case 'symbol':
      return `y${literal.value}`;
    case 'binding':
      return `b${literal.name}`;
    default:
      return null;
  }
}
