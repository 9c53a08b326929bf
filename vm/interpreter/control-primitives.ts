/**
 * The primitives that control activations and processes: contexts, the search for handlers,
 * processes, semaphores, the timer, and stopping for the host. Those that activate something
 * (value, perform:) are in invoke.ts.
 *
 * A primitive whose receiver is a live Context is always called unwound (Interpreter.find sees to
 * that), so the Contexts it walks are up to date. One that may switch processes asks for the
 * unwinding by `needsUnwind` only when it is going to switch.
 */
import type { Oop } from '../memory/object-memory.ts';
import { CONTEXT, PROCESS, SHAPE } from '../objects/well-known.ts';
import { PRIMITIVE_ENSURE, PRIMITIVE_HANDLER, textOf } from './code.ts';
import { CHAIN_MAX, isMarked } from './frames.ts';
import type { Interpreter } from './interpreter.ts';
import {
  PRIM_ERROR,
  type PrimitiveContext,
  type PrimitiveEntry,
  type PrimitiveTable,
} from './primitive-interface.ts';

const MODULE = 'Palimpsest';
/** Seconds from 1901-01-01, where the clock of primitives 240 and 242 starts, to 1970-01-01. */
const EPOCH_MICROSECONDS = (69 * 365 + 17) * 86_400 * 1_000_000;

type Control = (vm: Interpreter, receiver: Oop, args: number, count: number) => Oop;

const NUMBERED: ReadonlyMap<number, Control> = new Map<number, Control>([
  [76, storeStackPointer],
  [85, signal],
  [86, wait],
  [87, resumeProcess],
  [88, suspend],
  [136, signalAtMilliseconds],
  [167, yieldProcessor],
  [195, findNextUnwindContext],
  [196, terminateTo],
  [197, findNextHandlerContext],
  [210, contextAt],
  [211, contextAtPut],
  [212, contextSize],
  [242, signalAtMicroseconds],
]);

const NAMED: ReadonlyMap<string, { run: Control; unwinds?: boolean }> = new Map([
  ['primitiveUnhandledError', { run: unhandledError, unwinds: true }],
]);

/** The control primitives as a table; each acts on `vm`. */
export function controlPrimitives(vm: Interpreter): PrimitiveTable {
  const bind = (name: string, control: Control, unwinds = false): PrimitiveEntry => ({
    name,
    unwinds,
    run: (_: PrimitiveContext, receiver, args, count) => control(vm, receiver, args, count),
  });
  const numbered = new Map(
    Array.from(NUMBERED, ([number, control]) => [number, bind(control.name, control)]),
  );
  const named = new Map(
    Array.from(NAMED, ([name, { run, unwinds }]) => [name, bind(name, run, unwinds)]),
  );
  return {
    numbered: (number) => numbered.get(number),
    named: (module, name) => (module === MODULE ? named.get(name) : undefined),
  };
}

function fail(vm: Interpreter, code: number): 0 {
  vm.failCode = code;
  return 0;
}

// --- contexts ------------------------------------------------------------------------------------

function isContext(vm: Interpreter, oop: Oop): boolean {
  return vm.memory.shapeOf(oop) === SHAPE.Context;
}

/** 76: the operands above the new top become nil. */
function storeStackPointer(vm: Interpreter, receiver: Oop, args: number): Oop {
  const { memory } = vm;
  const oop = vm.stack[args]!;
  if (!isContext(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  const room = memory.slotCount(receiver) - CONTEXT.tempsFirst;
  if ((oop & 1) === 0 || oop < 0 || oop >> 1 > room) return fail(vm, PRIM_ERROR.badArgument);
  const before = Math.max(0, memory.fetch(receiver, CONTEXT.stackp) >> 1);
  for (let i = before; i < oop >> 1; i++) memory.store(receiver, CONTEXT.tempsFirst + i, vm.nil);
  memory.store(receiver, CONTEXT.stackp, oop);
  return receiver;
}

/** Slot of the 1-based `index` oop, or -1. */
function contextSlot(vm: Interpreter, receiver: Oop, index: Oop): number {
  const { memory } = vm;
  if (!isContext(vm, receiver) || (index & 1) === 0) return -1;
  const size = memory.fetch(receiver, CONTEXT.stackp) >> 1;
  const room = memory.slotCount(receiver) - CONTEXT.tempsFirst;
  const value = index >> 1;
  return value >= 1 && value <= size && value <= room ? CONTEXT.tempsFirst + value - 1 : -1;
}

/** 210 */
function contextAt(vm: Interpreter, receiver: Oop, args: number): Oop {
  const slot = contextSlot(vm, receiver, vm.stack[args]!);
  return slot < 0 ? fail(vm, PRIM_ERROR.badIndex) : vm.memory.fetch(receiver, slot);
}

/** 211 */
function contextAtPut(vm: Interpreter, receiver: Oop, args: number): Oop {
  const slot = contextSlot(vm, receiver, vm.stack[args]!);
  if (slot < 0) return fail(vm, PRIM_ERROR.badIndex);
  vm.memory.store(receiver, slot, vm.stack[args + 1]!);
  return vm.stack[args + 1]!;
}

/** 212 */
function contextSize(vm: Interpreter, receiver: Oop): Oop {
  if (!isContext(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  return vm.memory.fetch(receiver, CONTEXT.stackp);
}

/** 195: the first activation marked by 198 below the receiver and above the argument, or nil. */
function findNextUnwindContext(vm: Interpreter, receiver: Oop, args: number): Oop {
  const { memory } = vm;
  if (!isContext(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  const end = vm.stack[args]!;
  let current = memory.follow(memory.fetch(receiver, CONTEXT.sender));
  for (let steps = 0; steps < CHAIN_MAX && current !== end && isContext(vm, current); steps++) {
    if (isMarked(memory, current, PRIMITIVE_ENSURE)) return current;
    current = memory.follow(memory.fetch(current, CONTEXT.sender));
  }
  return vm.nil;
}

/** 196: ends the activations between receiver and argument, which becomes the receiver's sender. */
function terminateTo(vm: Interpreter, receiver: Oop, args: number): Oop {
  const { memory } = vm;
  const end = vm.stack[args]!;
  if (!isContext(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  if (end !== vm.nil && !isContext(vm, end)) return fail(vm, PRIM_ERROR.badArgument);
  if (isBelow(vm, receiver, end)) {
    let current = memory.follow(memory.fetch(receiver, CONTEXT.sender));
    while (current !== end) {
      const next = memory.follow(memory.fetch(current, CONTEXT.sender));
      vm.killContext(current);
      current = next;
    }
  }
  memory.store(receiver, CONTEXT.sender, end);
  return receiver;
}

function isBelow(vm: Interpreter, context: Oop, wanted: Oop): boolean {
  const { memory } = vm;
  let current = memory.follow(memory.fetch(context, CONTEXT.sender));
  for (let steps = 0; steps < CHAIN_MAX; steps++) {
    if (current === wanted) return true;
    if (!isContext(vm, current)) return false;
    current = memory.follow(memory.fetch(current, CONTEXT.sender));
  }
  return false;
}

/** 197: the first activation marked by 199, from the receiver on, or nil. */
function findNextHandlerContext(vm: Interpreter, receiver: Oop): Oop {
  const { memory } = vm;
  if (!isContext(vm, receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  let current = receiver;
  for (let steps = 0; steps < CHAIN_MAX && isContext(vm, current); steps++) {
    if (isMarked(memory, current, PRIMITIVE_HANDLER)) return current;
    current = memory.follow(memory.fetch(current, CONTEXT.sender));
  }
  return vm.nil;
}

// --- processes -----------------------------------------------------------------------------------

/** 85 */
function signal(vm: Interpreter, receiver: Oop): Oop {
  const { scheduler } = vm;
  if (!scheduler.isSemaphore(receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  const first = scheduler.firstWaiting(receiver);
  if (
    first !== vm.nil &&
    !vm.unwound &&
    scheduler.isProcess(first) &&
    scheduler.wouldPreempt(first)
  ) {
    return fail(vm, PRIM_ERROR.needsUnwind);
  }
  scheduler.signal(receiver);
  return receiver;
}

/** 86 */
function wait(vm: Interpreter, receiver: Oop): Oop {
  const { scheduler } = vm;
  if (!scheduler.isSemaphore(receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  if (scheduler.takeSignal(receiver)) return receiver;
  if (!vm.unwound) return fail(vm, PRIM_ERROR.needsUnwind);
  scheduler.addLast(receiver, scheduler.active);
  scheduler.mustSwitch = true;
  return receiver;
}

/** 87: fails for a process that runs, is ready, waits, or has ended. */
function resumeProcess(vm: Interpreter, receiver: Oop): Oop {
  const { scheduler, memory } = vm;
  if (!scheduler.isProcess(receiver) || receiver === scheduler.active) {
    return fail(vm, PRIM_ERROR.badReceiver);
  }
  const context = memory.follow(memory.fetch(receiver, PROCESS.suspendedContext));
  if (!isContext(vm, context)) return fail(vm, PRIM_ERROR.badReceiver);
  if (memory.fetch(receiver, PROCESS.myList) !== vm.nil) return fail(vm, PRIM_ERROR.inappropriate);
  if (scheduler.wouldPreempt(receiver) && !vm.unwound) return fail(vm, PRIM_ERROR.needsUnwind);
  scheduler.resume(receiver);
  return receiver;
}

/** 88: answers the list the process lay in, or nil. */
function suspend(vm: Interpreter, receiver: Oop): Oop {
  const { scheduler, memory } = vm;
  if (!scheduler.isProcess(receiver)) return fail(vm, PRIM_ERROR.badReceiver);
  if (receiver === scheduler.active) {
    if (!vm.unwound) return fail(vm, PRIM_ERROR.needsUnwind);
    scheduler.mustSwitch = true;
    return vm.nil;
  }
  const list = memory.fetch(receiver, PROCESS.myList);
  scheduler.remove(receiver);
  return list;
}

/** 167 */
function yieldProcessor(vm: Interpreter, receiver: Oop): Oop {
  if (!vm.scheduler.hasEqual()) return receiver;
  if (!vm.unwound) return fail(vm, PRIM_ERROR.needsUnwind);
  vm.scheduler.yield();
  return receiver;
}

/** 242: signals a Semaphore at a time of the clock of primitive 240; nil stops the timer. */
function signalAtMicroseconds(vm: Interpreter, receiver: Oop, args: number): Oop {
  const semaphore = vm.stack[args]!;
  const time = vm.stack[args + 1]!;
  const shape = vm.memory.shapeOf(time);
  if (
    (time & 1) === 0 &&
    shape !== SHAPE.LargePositiveInteger &&
    shape !== SHAPE.LargeNegativeInteger
  ) {
    return fail(vm, PRIM_ERROR.badArgument);
  }
  return setTimer(
    vm,
    receiver,
    semaphore,
    Number(vm.memory.integerValue(time)) - EPOCH_MICROSECONDS,
  );
}

/** 136: as above, by the millisecond clock of primitive 135, which wraps after 29 bits. */
function signalAtMilliseconds(vm: Interpreter, receiver: Oop, args: number): Oop {
  const time = vm.stack[args + 1]!;
  if ((time & 1) === 0) return fail(vm, PRIM_ERROR.badArgument);
  const now = vm.host.nowMicroseconds();
  const wait = ((time >> 1) - Math.floor(now / 1000)) & 0x1fffffff;
  const deadline = wait > 0x10000000 ? now : now + wait * 1000;
  return setTimer(vm, receiver, vm.stack[args]!, deadline);
}

function setTimer(vm: Interpreter, receiver: Oop, semaphore: Oop, deadline: number): Oop {
  const isSemaphore = vm.scheduler.isSemaphore(semaphore);
  if (!isSemaphore && semaphore !== vm.nil) return fail(vm, PRIM_ERROR.badArgument);
  vm.setTimer(semaphore, isSemaphore ? deadline : Number.POSITIVE_INFINITY);
  return receiver;
}

/**
 * primitiveUnhandledError: process (nil: the running one), Context or nil, description. Suspends
 * the process and tells the host; what it answers is what the debugger proceeds with.
 */
function unhandledError(vm: Interpreter, _receiver: Oop, args: number, count: number): Oop {
  const { scheduler, stack, memory } = vm;
  if (count !== 3) return fail(vm, PRIM_ERROR.badArgumentCount);
  const process = stack[args]!;
  const context = stack[args + 1]!;
  const description = textOf(memory, stack[args + 2]!);
  if (process !== scheduler.active && process !== vm.nil) return fail(vm, PRIM_ERROR.badArgument);
  vm.stopForHost(isContext(vm, context) ? context : vm.currentContext, description);
  return vm.nil;
}
