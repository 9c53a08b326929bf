/**
 * Sends that are more than an activation: primitives that unwind, blocks, perform:, and the
 * stand-ins for sends that cannot be done where they were found. The bytecode loop does the common
 * kinds itself and comes here for the rest.
 *
 * Each function takes receiver and arguments on the value stack and answers as `interpret` does: an
 * oop, or 0 while the stack unwinds. `depth` is the caller's; -1 means that nothing but the base
 * loop is below, every activation is in a heap Context.
 */
import type { Oop } from '../memory/object-memory.ts';
import { HEADER_WORDS, SHAPE_MASK } from '../objects/layout.ts';
import { CLOSURE, SHAPE } from '../objects/well-known.ts';
import { type Code, isCompiledCode, KIND } from './code.ts';
import { hasSlots } from './frames.ts';
import { ENTRY, interpret } from './interpret.ts';
import type { Interpreter } from './interpreter.ts';
import { PRIM_ERROR } from './primitive-interface.ts';

const ARGUMENTS_MAX = 15;

/** Runs `target` on `count` arguments from `base`; see the head of this file. */
export function invoke(
  vm: Interpreter,
  target: Code,
  base: number,
  count: number,
  depth: number,
): Oop {
  switch (target.kind) {
    case KIND.plain:
      return interpret(vm, target, base, depth + 1, ENTRY, 0, 0);
    case KIND.primitive:
    case KIND.unwinding:
      return runPrimitive(vm, target, base, count, depth);
    case KIND.returnReceiver:
      return vm.stack[base - 1]!;
    case KIND.returnSlot:
      return vm.H[vm.stack[base - 1]! + HEADER_WORDS + target.slot]!;
    case KIND.value:
      return value(vm, target, base, count, depth);
    case KIND.valueWithArguments:
      return valueWithArguments(vm, target, base, depth);
    case KIND.perform:
      return perform(vm, target, base, count, depth);
    case KIND.performWithArguments:
    case KIND.performInSuperclass:
      return performWithArguments(vm, target, base, depth);
    case KIND.executeMethod:
      return executeMethod(vm, target, base, count, depth);
    case KIND.liveContext:
      return vm.pendLive(base, count);
    case KIND.compiled:
      return target.compiled!(vm.stack[base - 1]!, base, depth + 1);
    default:
      return 0; // KIND.failed: the halt is pending already
  }
}

function runPrimitive(vm: Interpreter, target: Code, base: number, count: number, depth: number) {
  const isUnwound = depth < 0;
  if (target.kind === KIND.unwinding && !isUnwound) return vm.pend(target, base, count);
  if (!isUnwound) {
    const value = target.run(vm, vm.stack[base - 1]!, base, count);
    return value !== 0 ? value : vm.primitiveFailed(target, base, count, depth);
  }
  vm.unwound = true;
  let value = target.run(vm, vm.stack[base - 1]!, base, count);
  if (value === 0 && followArguments(vm, base, count)) {
    value = target.run(vm, vm.stack[base - 1]!, base, count);
  }
  vm.unwound = false;
  return value !== 0 ? value : vm.activateFailed(target, base, depth);
}

/** Replaces forwarders among receiver and arguments by what they stand for. */
export function followArguments(vm: Interpreter, base: number, count: number): boolean {
  let followed = false;
  for (let at = base - 1; at < base + count; at++) {
    const oop = vm.stack[at]!;
    if (!vm.memory.isForwarder(oop)) continue;
    vm.stack[at] = vm.memory.follow(oop);
    followed = true;
  }
  return followed;
}

/** BlockClosure>>value and its relatives: the closure's block runs in its place. */
function value(vm: Interpreter, target: Code, base: number, count: number, depth: number): Oop {
  const { H } = vm;
  const closure = vm.stack[base - 1]!;
  if ((closure & 1) === 0 && (H[closure]! & SHAPE_MASK) === SHAPE.FullBlockClosure) {
    const block = H[closure + HEADER_WORDS + CLOSURE.compiledBlock]!;
    const code = vm.methods.blockCode(block);
    if (code !== null && code.numArgs === count) {
      if (code.receiverSlots > 0 && !receiverFits(vm, closure, code)) return 0;
      return interpret(vm, code, base, depth + 1, ENTRY, 0, 0);
    }
  }
  vm.failCode = PRIM_ERROR.badArgumentCount;
  return vm.activateFailed(target, base, depth);
}

/** Whether a closure's receiver has, still, the instance variables its block names; else a halt. */
function receiverFits(vm: Interpreter, closure: Oop, code: Code): boolean {
  const receiver = vm.memory.follow(vm.memory.fetch(closure, CLOSURE.receiver));
  if (hasSlots(vm.memory, receiver, code.receiverSlots)) return true;
  vm.halt('cannot run a block: its receiver has fewer instance variables than the block names');
  return false;
}

/** valueWithArguments: the Array's elements become the arguments. */
function valueWithArguments(vm: Interpreter, target: Code, base: number, depth: number): Oop {
  const { H, stack, memory } = vm;
  const closure = stack[base - 1]!;
  const array = memory.follow(stack[base]!);
  const isFit =
    (closure & 1) === 0 &&
    (H[closure]! & SHAPE_MASK) === SHAPE.FullBlockClosure &&
    memory.shapeOf(array) === SHAPE.Array &&
    memory.slotCount(array) <= ARGUMENTS_MAX;
  if (isFit) {
    const code = vm.methods.blockCode(H[closure + HEADER_WORDS + CLOSURE.compiledBlock]!);
    const count = memory.slotCount(array);
    if (code !== null && code.numArgs === count) {
      if (code.receiverSlots > 0 && !receiverFits(vm, closure, code)) return 0;
      spread(vm, array, base);
      return interpret(vm, code, base, depth + 1, ENTRY, 0, 0);
    }
  }
  vm.failCode = PRIM_ERROR.badArgument;
  return vm.activateFailed(target, base, depth);
}

/** perform: and perform:with:…: the selector goes away, the other arguments move down. */
function perform(vm: Interpreter, target: Code, base: number, count: number, depth: number): Oop {
  const { stack } = vm;
  const selector = vm.memory.follow(stack[base]!);
  if (!isSelector(vm, selector, count - 1)) {
    vm.failCode = PRIM_ERROR.badArgument;
    return vm.activateFailed(target, base, depth);
  }
  for (let i = 1; i < count; i++) stack[base + i - 1] = stack[base + i]!;
  return enterFound(vm, vm.sends.find(selector, base, count - 1), depth);
}

/** perform:withArguments: and perform:withArguments:inSuperclass:. */
function performWithArguments(vm: Interpreter, target: Code, base: number, depth: number): Oop {
  const { stack, memory } = vm;
  const selector = memory.follow(stack[base]!);
  const array = memory.follow(stack[base + 1]!);
  const isFit =
    memory.shapeOf(array) === SHAPE.Array &&
    memory.slotCount(array) <= ARGUMENTS_MAX &&
    isSelector(vm, selector, memory.slotCount(array));
  const superclass = target.kind === KIND.performInSuperclass ? memory.follow(stack[base + 2]!) : 0;
  if (!isFit || (superclass !== 0 && !isInherited(vm, stack[base - 1]!, superclass))) {
    vm.failCode = PRIM_ERROR.badArgument;
    return vm.activateFailed(target, base, depth);
  }
  const count = memory.slotCount(array);
  spread(vm, array, base);
  const found =
    superclass === 0
      ? vm.sends.find(selector, base, count)
      : vm.sends.findFrom(superclass, selector, base, count);
  return enterFound(vm, found, depth);
}

/** withArgs:executeMethod: — runs a method on the receiver, whatever its class would have found. */
function executeMethod(
  vm: Interpreter,
  target: Code,
  base: number,
  count: number,
  depth: number,
): Oop {
  const { stack, memory } = vm;
  const array = memory.follow(stack[base]!);
  const method = memory.follow(stack[base + 1]!);
  if (
    count === 2 &&
    memory.shapeOf(array) === SHAPE.Array &&
    memory.slotCount(array) <= ARGUMENTS_MAX &&
    isCompiledCode(memory, method) &&
    memory.shapeOf(method) !== SHAPE.CompiledBlock
  ) {
    const numArgs = memory.slotCount(array);
    if (vm.methods.codeOf(method).numArgs === numArgs) {
      spread(vm, array, base);
      return enterFound(vm, vm.sends.resolve(method, memory.nil, base, numArgs), depth);
    }
  }
  vm.failCode = PRIM_ERROR.badArgument;
  return vm.activateFailed(target, base, depth);
}

/** Enters what `find` found, with the arguments where it left them. */
function enterFound(vm: Interpreter, found: Code, depth: number): Oop {
  return vm.enter(found, vm.sends.base, vm.sends.count, depth);
}

function spread(vm: Interpreter, array: Oop, base: number): void {
  const count = vm.memory.slotCount(array);
  for (let i = 0; i < count; i++) vm.stack[base + i] = vm.memory.fetch(array, i);
}

/** Whether the oop is a Symbol that takes so many arguments. */
function isSelector(vm: Interpreter, oop: Oop, count: number): boolean {
  const shape = vm.memory.shapeOf(oop);
  if (shape !== SHAPE.ByteSymbol && shape !== SHAPE.WideSymbol) return false;
  const text = vm.memory.symbolValue(oop);
  if (text.endsWith(':')) return text.split(':').length - 1 === count;
  return count === (/^[\p{L}_]/u.test(text) ? 0 : 1);
}

function isInherited(vm: Interpreter, receiver: Oop, wanted: Oop): boolean {
  const { memory } = vm;
  let current = memory.classOf(receiver);
  for (let steps = 0; steps < 1000; steps++) {
    if (current === wanted) return true;
    if ((current & 1) !== 0 || memory.slotCount(current) < 4) return false;
    current = memory.follow(memory.fetch(current, 0));
  }
  return false;
}
