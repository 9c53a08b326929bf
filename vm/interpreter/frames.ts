/**
 * Activations as heap Contexts: how a frame of the value stack is written into one, how one is put
 * back, and what can be read from a chain of them.
 *
 * A Context's slots are Squeak's. It is made just large enough for its method's deepest stack.
 * While its activation lives on the JavaScript stack the sender slot is the SmallInteger base of
 * the frame, and its other slots are out of date; a Context that has returned has nil as sender and
 * as pc.
 */
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { CARD_BOTH, FORMAT, HEADER_WORDS, PAGE_SHIFT } from '../objects/layout.ts';
import {
  ASSOCIATION,
  BEHAVIOR,
  CLASS,
  CLOSURE,
  CONTEXT,
  METACLASS,
  PROCESS,
  SHAPE,
  SPECIAL,
} from '../objects/well-known.ts';
import { type Code, isCompiledCode, PRIMITIVE_ENSURE, textOf } from './code.ts';
import { interpret } from './interpret.ts';
import { BASE, type Interpreter } from './interpreter.ts';

/** Longest chain of Contexts that is followed; a longer one is taken for a loop. */
export const CHAIN_MAX = 8_000_000;
const BLOCK_NESTING_MAX = 1000;

/** A Context for a frame that goes on living: for closures and thisContext. */
export function newLiveContext(vm: Interpreter, code: Code, base: number, receiver: Oop): Oop {
  const context = vm.instantiate(SHAPE.Context, CONTEXT.tempsFirst + code.frameWords);
  const at = context + HEADER_WORDS;
  vm.H[at + CONTEXT.sender] = (base << 1) | 1;
  vm.H[at + CONTEXT.method] = code.method;
  vm.H[at + CONTEXT.closureOrNil] = code.isBlock ? vm.stack[base - 1]! : vm.nil;
  vm.H[at + CONTEXT.receiver] = receiver;
  vm.H[at + CONTEXT.stackp] = 1;
  return context;
}

/**
 * Writes a frame into its Context (a new one when `context` is 0), to go on at `pc` with the
 * operands up to `sp`, and makes it the sender of the Context saved before.
 */
export function saveFrame(
  vm: Interpreter,
  code: Code,
  base: number,
  sp: number,
  pc: number,
  context: Oop,
  receiver: Oop,
): void {
  const { H, stack, nil, memory } = vm;
  const count = sp - base + 1;
  let saved = context;
  if (saved === 0 || memory.slotCount(saved) < CONTEXT.tempsFirst + count) {
    saved = vm.instantiate(SHAPE.Context, CONTEXT.tempsFirst + Math.max(code.frameWords, count));
  }
  const at = saved + HEADER_WORDS;
  const temps = at + CONTEXT.tempsFirst;
  H[at + CONTEXT.sender] = nil;
  H[at + CONTEXT.pc] = code.contextPc(pc);
  H[at + CONTEXT.stackp] = (count << 1) | 1;
  H[at + CONTEXT.method] = code.method;
  H[at + CONTEXT.closureOrNil] = code.isBlock ? stack[base - 1]! : nil;
  H[at + CONTEXT.receiver] = receiver;
  for (let i = 0; i < count; i++) H[temps + i] = stack[base + i]!;
  const end = at + memory.slotCount(saved);
  if (saved === context) H.fill(nil, temps + count, end);
  vm.cards[at >> PAGE_SHIFT] = CARD_BOTH;
  vm.cards[(end - 1) >> PAGE_SHIFT] = CARD_BOTH;
  if (vm.savedFirst === 0) {
    vm.savedFirst = saved;
  } else {
    H[vm.savedLast + HEADER_WORDS + CONTEXT.sender] = saved;
    vm.cards[(vm.savedLast + HEADER_WORDS) >> PAGE_SHIFT] = CARD_BOTH;
  }
  vm.savedLast = saved;
  vm.savedFrames++;
}

/**
 * Goes on with a heap Context as the outermost activation. Answers what it returns, or 0 when it
 * unwinds; a Context that cannot run halts its process.
 */
export function resume(vm: Interpreter, context: Oop): Oop {
  const { H, stack, memory } = vm;
  const at = context + HEADER_WORDS;
  vm.baseSender = memory.follow(H[at + CONTEXT.sender]!);
  const method = memory.follow(H[at + CONTEXT.method]!);
  if (!isCompiledCode(memory, method)) return refuse(vm, 'its Context has no method');
  const isStepped = context === vm.stepping.context && vm.stepping.code !== null;
  const code = isStepped ? vm.stepping.code! : vm.methods.codeOf(method);
  const pc = code.pcOf(H[at + CONTEXT.pc]!);
  const count = H[at + CONTEXT.stackp]! >> 1;
  const room = memory.slotCount(context) - CONTEXT.tempsFirst;
  if (pc < 0 || count < 0 || count > room) return refuse(vm, 'its Context is inconsistent');
  if (code.defect !== null) return refuse(vm, code.defect);
  if (BASE + Math.max(code.frameWords, count) > vm.stackLimit) {
    return refuse(vm, 'its Context is larger than the value stack');
  }
  const receiver = memory.follow(H[at + CONTEXT.receiver]!);
  if (receiver !== H[at + CONTEXT.receiver]) memory.store(context, CONTEXT.receiver, receiver);
  if (code.isBlock) {
    const closure = memory.follow(H[at + CONTEXT.closureOrNil]!);
    if (memory.shapeOf(closure) !== SHAPE.FullBlockClosure) {
      return refuse(vm, 'its Context has a block but no closure');
    }
    stack[BASE - 1] = closure;
  } else {
    stack[BASE - 1] = receiver;
  }
  if (!hasSlots(memory, receiver, code.receiverSlots)) {
    return refuse(vm, 'its receiver has fewer instance variables than the method names');
  }
  for (let i = 0; i < count; i++) stack[BASE + i] = H[at + CONTEXT.tempsFirst + i]!;
  H[at + CONTEXT.sender] = (BASE << 1) | 1;
  vm.cards[at >> PAGE_SHIFT] = CARD_BOTH;
  return interpret(vm, code, BASE, 0, pc, BASE + count - 1, context);
}

/** The Context cannot go on: its process halts with it on top. */
function refuse(vm: Interpreter, reason: string): 0 {
  vm.halt(`cannot go on: ${reason}`);
  vm.baseSender = vm.currentContext;
  return 0;
}

/** Pushes the value of a send onto the Context that waits for it. False when it has no room. */
export function push(vm: Interpreter, context: Oop, value: Oop): boolean {
  const { memory } = vm;
  const count = memory.fetch(context, CONTEXT.stackp) >> 1;
  if (count < 0 || count >= memory.slotCount(context) - CONTEXT.tempsFirst) return false;
  memory.store(context, CONTEXT.tempsFirst + count, value);
  memory.store(context, CONTEXT.stackp, ((count + 1) << 1) | 1);
  return true;
}

/** A Context that calls `method` and has no sender: the bottom of a new process. */
export function newContext(vm: Interpreter, method: Oop, receiver: Oop, args: readonly Oop[]): Oop {
  const { memory } = vm;
  const code = vm.methods.codeOf(method);
  const context = vm.instantiate(SHAPE.Context, CONTEXT.tempsFirst + code.frameWords);
  memory.store(context, CONTEXT.pc, code.contextPc(code.startPc));
  memory.store(context, CONTEXT.stackp, (code.numTemps << 1) | 1);
  memory.store(context, CONTEXT.method, method);
  memory.store(context, CONTEXT.receiver, receiver);
  for (const [index, oop] of args.entries()) {
    memory.store(context, CONTEXT.tempsFirst + index, oop);
  }
  return context;
}

/** A closure of `block` that holds `copied` words of the value stack, from word `from` on. */
export function newClosure(
  vm: Interpreter,
  block: Oop,
  copied: number,
  receiver: Oop,
  outer: Oop,
  from: number,
): Oop {
  const { H, stack, memory } = vm;
  const closure = vm.instantiate(SHAPE.FullBlockClosure, CLOSURE.copiedFirst + copied);
  const at = closure + HEADER_WORDS;
  const code = memory.follow(block);
  H[at + CLOSURE.outerContext] = outer;
  H[at + CLOSURE.compiledBlock] = code;
  H[at + CLOSURE.numArgs] = (((H[code + HEADER_WORDS]! >> 25) & 15) << 1) | 1;
  H[at + CLOSURE.receiver] = receiver;
  for (let i = 0; i < copied; i++) H[at + CLOSURE.copiedFirst + i] = stack[from + i]!;
  return closure;
}

/** A Process that will run `context`, in no list yet. */
export function newProcess(
  vm: Interpreter,
  context: Oop,
  { priority, name }: { readonly priority: number; readonly name: string },
): Oop {
  const { memory } = vm;
  const classOop = memory.special(SPECIAL.classProcess);
  const shape = memory.fetch(classOop, BEHAVIOR.shape) >> 1;
  const process = vm.instantiate(shape, memory.shapes.fixed[shape] ?? 0);
  memory.store(process, PROCESS.suspendedContext, context);
  memory.store(process, PROCESS.priority, (priority << 1) | 1);
  memory.store(process, PROCESS.name, memory.newString(name));
  return process;
}

/** The method activation to which a block's ^ returns; nil when the chain of closures is broken. */
export function homeOfClosure(vm: Interpreter, closure: Oop): Oop {
  const { memory, nil } = vm;
  let current = closure;
  for (let nesting = 0; nesting < BLOCK_NESTING_MAX; nesting++) {
    if (memory.shapeOf(current) !== SHAPE.FullBlockClosure) return nil;
    const outer = memory.follow(memory.fetch(current, CLOSURE.outerContext));
    if (memory.shapeOf(outer) !== SHAPE.Context) return nil;
    const next = memory.follow(memory.fetch(outer, CONTEXT.closureOrNil));
    if (next === nil) return outer;
    current = next;
  }
  return nil;
}

/** As above, for the Context of a method or block. */
export function homeOf(vm: Interpreter, context: Oop): Oop {
  const { memory } = vm;
  const closure = memory.follow(memory.fetch(context, CONTEXT.closureOrNil));
  return closure === vm.nil ? context : homeOfClosure(vm, closure);
}

/** Whether the Context is marked by primitive `number`, as ensure: (198) and on:do: (199) are. */
export function isMarked(memory: ObjectMemory, context: Oop, number: number): boolean {
  const method = memory.follow(memory.fetch(context, CONTEXT.method));
  if (!isCompiledCode(memory, method)) return false;
  const header = memory.fetch(method, 0) >> 1;
  const first = ((header & 0x7fff) + 1) * 4;
  if (memory.byteSize(method) < first + 3 || memory.fetchByte(method, first) !== 0xf8) return false;
  return memory.fetchByte(method, first + 1) + memory.fetchByte(method, first + 2) * 256 === number;
}

export function isEnsure(vm: Interpreter, context: Oop): boolean {
  return isMarked(vm.memory, context, PRIMITIVE_ENSURE);
}

/** Bytes of a Context and its senders, counted until they exceed `bytesMax`. */
export function chainBytes(vm: Interpreter, context: Oop, bytesMax: number): number {
  const { memory } = vm;
  let bytes = 0;
  let current = memory.follow(context);
  while (bytes <= bytesMax && memory.shapeOf(current) === SHAPE.Context) {
    bytes += (memory.slotCount(current) + HEADER_WORDS) * 4;
    current = memory.follow(memory.fetch(current, CONTEXT.sender));
  }
  return bytes;
}

/**
 * The class a method (or a block's method) was compiled for; 0 when its last literal tells none.
 */
export function methodClass(memory: ObjectMemory, method: Oop): Oop {
  let current = memory.follow(method);
  for (let nesting = 0; nesting < BLOCK_NESTING_MAX; nesting++) {
    if (!isCompiledCode(memory, current)) return 0;
    const last = (memory.fetch(current, 0) >> 1) & 0x7fff;
    if (last === 0 || last >= memory.slotCount(current)) return 0;
    const literal = memory.follow(memory.fetch(current, last));
    if (memory.shapeOf(current) !== SHAPE.CompiledBlock) return bindingValue(memory, literal);
    current = literal;
  }
  return 0;
}

/** Where `super` looks: above the class a method was compiled for; 0 when that is unknown. */
export function superclassOf(vm: Interpreter, method: Oop): Oop {
  const { memory } = vm;
  const owner = methodClass(memory, method);
  if (owner === 0 || !hasSlots(memory, owner, BEHAVIOR.shape + 1)) return 0;
  return memory.follow(memory.fetch(owner, BEHAVIOR.superclass));
}

/** The name of an object's class: 'Foo', or 'Foo class'. */
export function className(memory: ObjectMemory, oop: Oop): string {
  return nameOfClass(memory, memory.classOf(oop) ?? 0);
}

/** The name of a class or metaclass, whatever state it is in. */
export function nameOfClass(memory: ObjectMemory, classOop: Oop): string {
  if (classOop === 0 || !hasSlots(memory, classOop, METACLASS.thisClass + 1))
    return 'a broken class';
  if (memory.shapeOf(classOop) === SHAPE.Metaclass) {
    const sole = memory.follow(memory.fetch(classOop, METACLASS.thisClass));
    if (memory.shapeOf(sole) === SHAPE.Metaclass) return 'a broken metaclass';
    return `${nameOfClass(memory, sole)} class`;
  }
  if (!hasSlots(memory, classOop, CLASS.name + 1)) return 'a broken class';
  return symbolText(memory, memory.fetch(classOop, CLASS.name)) || 'a nameless class';
}

/** The text of a String or Symbol; '' for anything else. */
export function symbolText(memory: ObjectMemory, oop: Oop): string {
  return textOf(memory, memory.follow(oop));
}

function bindingValue(memory: ObjectMemory, binding: Oop): Oop {
  if (!hasSlots(memory, binding, ASSOCIATION.value + 1)) return 0;
  return memory.follow(memory.fetch(binding, ASSOCIATION.value));
}

/** Whether the object has at least so many slots of oops. */
export function hasSlots(memory: ObjectMemory, oop: Oop, slots: number): boolean {
  if (slots === 0) return true;
  return (
    (oop & 1) === 0 && memory.formatOf(oop) <= FORMAT.ephemeron && memory.slotCount(oop) >= slots
  );
}
