/**
 * CompiledMethod and CompiledBlock as objects: header and literals (68, 69). Index 1 is the header,
 * index 2 the first literal. Bytecodes are read with at: and never written: what the interpreter
 * runs has been made by the compiler, and nothing else needs checking at run time.
 */

import {
  PRIM_ERROR,
  type Primitive,
  type PrimitiveContext,
} from '../interpreter/primitive-interface.ts';
import type { Oop } from '../memory/object-memory.ts';
import { argument, fail, isCode, isReadOnly, isSmallInteger, smallIntegerValue } from './checks.ts';

const LITERAL_COUNT_MASK = 0x7fff;

/** The number of literals of a CompiledMethod or CompiledBlock. */
export function literalCount(vm: PrimitiveContext, codeOop: Oop): number {
  return smallIntegerValue(vm.memory.fetch(codeOop, 0)) & LITERAL_COUNT_MASK;
}

/** 0-based slot that a 1-based index names among header and literals; -1 with the reason set. */
function literalSlot(vm: PrimitiveContext, receiver: Oop, index: Oop): number {
  if (!isCode(vm, receiver)) {
    fail(vm, PRIM_ERROR.badReceiver);
    return -1;
  }
  const slot = (index >> 1) - 1;
  if (isSmallInteger(index) && slot >= 0 && slot <= literalCount(vm, receiver)) return slot;
  fail(vm, PRIM_ERROR.badIndex);
  return -1;
}

/** 68: objectAt: the header or a literal. */
export const objectAt: Primitive = (vm, receiver, args) => {
  const slot = literalSlot(vm, receiver, argument(vm, args, 0));
  return slot < 0 ? 0 : vm.memory.fetch(receiver, slot);
};

/** 69: objectAt:put: replaces a literal; the header stays as the compiler made it. */
export const objectAtPut: Primitive = (vm, receiver, args) => {
  const slot = literalSlot(vm, receiver, argument(vm, args, 0));
  if (slot < 0) return 0;
  if (slot === 0) return fail(vm, PRIM_ERROR.badIndex);
  if (isReadOnly(vm, receiver)) return fail(vm, PRIM_ERROR.noModification);
  const value = argument(vm, args, 1);
  vm.memory.store(receiver, slot, value);
  vm.interpreter.flushCaches();
  return value;
};
