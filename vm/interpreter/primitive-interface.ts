/**
 * What a primitive sees of the machine, and what the interpreter asks of the primitive table. This
 * is the whole border between vm/interpreter and vm/primitives: neither imports the other, the
 * composition root hands a PrimitiveTable to the Interpreter.
 *
 * A primitive is a plain function. Its receiver is also at `vm.stack[args - 1]`, its arguments are
 * at `vm.stack[args]` … `vm.stack[args + count - 1]`. It answers an oop, or 0 after setting
 * `vm.failCode`: the method's own code then runs. It must not keep, move or pop the stack.
 *
 * Invariants: a primitive never throws, never scavenges (unless its row says `unwinds`), and
 * changes nothing when it fails, for a failed primitive is tried once more when an argument turns
 * out to be a forwarder.
 */
import type { ObjectMemory } from '../memory/object-memory.ts';

/** Error codes of failing primitives, numbered as in Squeak; 0 is success. */
export const PRIM_ERROR = {
  none: 0,
  generic: 1,
  badReceiver: 2,
  badArgument: 3,
  badIndex: 4,
  badArgumentCount: 5,
  inappropriate: 6,
  unsupported: 7,
  noModification: 8,
  noMemory: 9,
  noHostMemory: 10,
  notFound: 11,
  badMethod: 12,
  internal: 13,
  limitExceeded: 15,
  writePastEnd: 17,
  hostError: 21,
  operationFailed: 24,
  /**
   * Not an error: "call me again when every activation is in a heap Context". A primitive that
   * needs an unwound stack only now and then sets this code and answers 0; it is called again,
   * unwound.
   */
  needsUnwind: -1,
} as const;

/** A primitive: receiver, index of its first argument on `vm.stack`, argument count; 0 = failed. */
export type Primitive = (
  vm: PrimitiveContext,
  receiver: number,
  args: number,
  count: number,
) => number;

/** One row of the primitive table. */
export interface PrimitiveEntry {
  readonly name: string;
  readonly run: Primitive;
  /**
   * The primitive runs only with every activation in a heap Context (it may scavenge, become:, …).
   */
  readonly unwinds?: boolean;
}

/** Number → row and name → row. Control primitives (see control-primitives.ts) take precedence. */
export interface PrimitiveTable {
  numbered(number: number): PrimitiveEntry | undefined;
  named(module: string, name: string): PrimitiveEntry | undefined;
}

/** The machine as a primitive sees it. The Interpreter implements it. */
export interface PrimitiveContext {
  readonly memory: ObjectMemory;
  readonly stack: Int32Array;
  failCode: number;
  readonly host: InterpreterHost;
  readonly interpreter: InterpreterControl;
}

/** What primitives may ask the interpreter to do. */
export interface InterpreterControl {
  /** Forgets every looked-up method and decoded copy: after become:, method and shape changes. */
  flushCaches(): void;
  /** Method that `selector` means to instances of `classOop`, or 0. */
  lookup(classOop: number, selector: number): number;
  /** The running Process, or nil's oop. */
  readonly activeProcess: number;
  /** Printable stack, one activation per line; needs an unwound stack for the running process. */
  stackTrace(processOrContext: number): string;
  /** Sets bits of INTERRUPT: the next safepoint acts on them. */
  interrupt(bits: number): void;
  /** Counters since the start, by name; undefined when there is no such counter. */
  statistic(name: string): number | undefined;
}

/**
 * What the machine needs from whoever runs it. Host-only primitives extend it with optional doors.
 */
export interface InterpreterHost {
  /** UTC, microseconds since the Unix epoch. */
  nowMicroseconds(): number;
  consoleWrite(text: string): void;
  /** The base context of a process returned `value`, or the process was terminated (nil). */
  processFinished(process: number, value: number): void;
  /** The process met an error nobody handles; it is suspended already. */
  unhandledError(process: number, context: number, description: string): void;
  /** Takes a request for a generation (see commit-requests.ts); false when it is none. */
  commit?(request: number): boolean;
  /** A method that was compiled uses a name that is not declared. */
  undeclared?(warning: { name: string; message: string; line: number; column: number }): void;
  shutdown?(kind: 'reboot' | 'poweroff'): void;
  random?(bytes: number): Uint8Array;
  timeZoneOffsetSeconds?(): number;
  /** Retained generations, newest first. */
  generations?(): readonly { number: number; wallMs: number; label: string | null }[];
  label?(generation: number, label: string): void;
  /** News of a test that the program around the image is having run: see TestRunner>>tell:. */
  testEvent?(fields: readonly string[]): void;
  /** Dies of a real SIGSEGV, for the test of what then happens. */
  crash?(): void;
}
