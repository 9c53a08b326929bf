/**
 * The machine around the image: memory, journal, console, power. What the host does not offer fails
 * with `unsupported`; what it refuses by throwing an error of its own fails with `hostError`.
 */
import {
  PRIM_ERROR,
  type Primitive,
  type PrimitiveContext,
} from '../interpreter/primitive-interface.ts';
import type { Oop } from '../memory/object-memory.ts';
import { EDEN_START, SURVIVOR_END } from '../objects/layout.ts';
import { SHAPE } from '../objects/well-known.ts';
import {
  fail,
  isSmallInteger,
  isString,
  isSymbol,
  newArray,
  newInteger,
  newString,
  ofOperands,
} from './checks.ts';
import { newByteArray } from './string.ts';

/** The most random bytes one call answers. */
const RANDOM_BYTES_MAX = 65_536;

/** Words of old space left, less what a scavenge may need. */
export function oldWordsLeft(vm: PrimitiveContext): number {
  return Math.max(0, vm.memory.H.length - vm.memory.oldLimit - (SURVIVOR_END - EDEN_START));
}

/** Bytes that can still be allocated before the heap is full. */
function freeBytes(vm: PrimitiveContext): number {
  return (oldWordsLeft(vm) + vm.memory.edenFree) * 4;
}

/** 112: bytes left. */
export const bytesLeft: Primitive = (vm) => newInteger(vm, freeBytes(vm));

/** 129: the specialObjectsArray. */
export const specialObjects: Primitive = (vm) => vm.memory.specials;

/** 130, 131 and primitiveGcScavenge: empties eden; answers the bytes left. Runs unwound. */
export const collect: Primitive = (vm) => {
  vm.memory.scavenge();
  return newInteger(vm, freeBytes(vm));
};

/** 89, 116, 119 and primitiveFlushCache: forgets looked-up methods and decoded code. */
export const flushCache: Primitive = (vm, receiver) => {
  vm.interpreter.flushCaches();
  return receiver;
};

/** primitiveConsoleWrite(String). */
export const consoleWrite: Primitive = ofOperands(1, (vm, string) => {
  if (!isString(vm, string)) return fail(vm, PRIM_ERROR.badArgument);
  vm.host.consoleWrite(vm.memory.stringValue(string));
  return string;
});

/** primitiveCommit(request): answered in the Array when the generation is durable. Runs unwound. */
export const commit: Primitive = ofOperands(1, (vm, request) => {
  if (vm.host.commit === undefined) return fail(vm, PRIM_ERROR.unsupported);
  return vm.host.commit(request) ? request : fail(vm, PRIM_ERROR.badArgument);
});

/** primitiveShutdown(#reboot or #poweroff). */
export const shutdown: Primitive = ofOperands(1, (vm, kind) => {
  if (!isSymbol(vm, kind)) return fail(vm, PRIM_ERROR.badArgument);
  const name = vm.memory.stringValue(kind);
  if (name !== 'reboot' && name !== 'poweroff') return fail(vm, PRIM_ERROR.badArgument);
  if (vm.host.shutdown === undefined) return fail(vm, PRIM_ERROR.unsupported);
  vm.host.shutdown(name);
  return kind;
});

/** primitiveCrash: a real SIGSEGV of the whole machine, for the test of its recovery. */
export const crash: Primitive = (vm) => {
  if (vm.host.crash === undefined) return fail(vm, PRIM_ERROR.unsupported);
  vm.host.crash();
  return vm.memory.nil;
};

/** primitiveTestEvent(Array of Strings): news for the program that has tests run. */
export const testEvent: Primitive = ofOperands(1, (vm, fields) => {
  const { memory } = vm;
  if (isSmallInteger(fields) || memory.shapeOf(fields) !== SHAPE.Array) {
    return fail(vm, PRIM_ERROR.badArgument);
  }
  if (vm.host.testEvent === undefined) return fail(vm, PRIM_ERROR.unsupported);
  const texts: string[] = [];
  for (let index = 0; index < memory.slotCount(fields); index++) {
    const field = memory.follow(memory.fetch(fields, index));
    if (!isString(vm, field)) return fail(vm, PRIM_ERROR.badArgument);
    texts.push(memory.stringValue(field));
  }
  vm.host.testEvent(texts);
  return fields;
});

/** primitiveRandomBytes(n): a ByteArray of n bytes from the host's generator. */
export const randomBytes: Primitive = ofOperands(1, (vm, size) => {
  if (!isSmallInteger(size) || size >> 1 < 0) return fail(vm, PRIM_ERROR.badArgument);
  if (size >> 1 > RANDOM_BYTES_MAX) return fail(vm, PRIM_ERROR.limitExceeded);
  if (vm.host.random === undefined) return fail(vm, PRIM_ERROR.unsupported);
  const bytes = vm.host.random(size >> 1);
  if (bytes.length !== size >> 1) return fail(vm, PRIM_ERROR.hostError);
  return newByteArray(vm, bytes);
});

/** primitiveStatistic(#name): a counter, or nil when there is none of that name. */
export const statistic: Primitive = ofOperands(1, (vm, name) => {
  if (!isString(vm, name)) return fail(vm, PRIM_ERROR.badArgument);
  const value = statisticNamed(vm, vm.memory.stringValue(name));
  return value === undefined ? vm.memory.nil : newInteger(vm, Math.floor(value));
});

function statisticNamed(vm: PrimitiveContext, name: string): number | undefined {
  const { memory } = vm;
  switch (name) {
    case 'bytesLeft':
      return freeBytes(vm);
    case 'edenBytesLeft':
      return memory.edenFree * 4;
    case 'scavenges':
      return memory.scavengeCount;
    case 'tenuredBytes':
      return memory.tenuredWords * 4;
    case 'shapes':
      return memory.shapes.count;
    default:
      return vm.interpreter.statistic(name);
  }
}

/** primitiveStackTrace(process or context): a String, one activation a line. Runs unwound. */
export const stackTrace: Primitive = ofOperands(1, (vm, subject) => {
  if (isSmallInteger(subject)) return fail(vm, PRIM_ERROR.badArgument);
  return newString(vm, vm.interpreter.stackTrace(subject));
});

/** primitiveMethodLookup(class, selector): the method instances would run, or nil. */
export const methodLookup: Primitive = ofOperands(2, (vm, classOop, selector) => {
  if (isSmallInteger(classOop) || !isSymbol(vm, selector)) {
    return fail(vm, PRIM_ERROR.badArgument);
  }
  return vm.interpreter.lookup(classOop, selector) || vm.memory.nil;
});

/** primitiveGenerations: newest first; Arrays of number, wall clock (ms since 1970), label. */
export const generations: Primitive = (vm) => {
  if (vm.host.generations === undefined) return fail(vm, PRIM_ERROR.unsupported);
  const rows: Oop[] = [];
  for (const { number, wallMs, label } of vm.host.generations()) {
    const row = newArray(vm, [
      newInteger(vm, number),
      newInteger(vm, Math.floor(wallMs)),
      label === null ? vm.memory.nil : newString(vm, label),
    ]);
    if (row === 0) return 0;
    rows.push(row);
  }
  return newArray(vm, rows);
};

/** primitiveJournalLabel(generation, String): names a generation; fails when it does not exist. */
export const journalLabel: Primitive = ofOperands(2, (vm, generation, label) => {
  if (!isSmallInteger(generation) || !isString(vm, label)) {
    return fail(vm, PRIM_ERROR.badArgument);
  }
  if (vm.host.label === undefined) return fail(vm, PRIM_ERROR.unsupported);
  try {
    vm.host.label(generation >> 1, vm.memory.stringValue(label));
    return generation;
  } catch {
    return fail(vm, PRIM_ERROR.notFound);
  }
});
