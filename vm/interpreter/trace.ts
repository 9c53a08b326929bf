/**
 * A stack as text, one activation a line: `Foo(Bar)>>baz:` as Smalltalk debuggers write it. It
 * reads Contexts and sends nothing, so it works on an image in which nothing else does.
 */
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { CONTEXT, METHOD_STATE, PROCESS, SHAPE } from '../objects/well-known.ts';
import { isCompiledCode } from './code.ts';
import { className, methodClass, nameOfClass, symbolText } from './frames.ts';

const TRACE_LINES_MAX = 60;

/** The selector of a method or of a block's method; '?' when it does not say. */
export function describeSelector(memory: ObjectMemory, code: Oop): string {
  const method = homeMethod(memory, code);
  const state = methodState(memory, method);
  if (state === memory.nil) return '?';
  const direct = symbolText(memory, state);
  if (direct !== '') return direct;
  if (memory.shapeOf(state) !== SHAPE.AdditionalMethodState) return '?';
  return symbolText(memory, memory.fetch(state, METHOD_STATE.selector)) || '?';
}

/** The penultimate literal of a method or block: its state, or just its selector. */
export function methodState(memory: ObjectMemory, code: Oop): Oop {
  if (!isCompiledCode(memory, code)) return memory.nil;
  const count = (memory.fetch(code, 0) >> 1) & 0x7fff;
  return count >= 2 ? memory.follow(memory.fetch(code, count - 1)) : memory.nil;
}

/** The method around a block, however deep; a method itself. */
export function homeMethod(memory: ObjectMemory, code: Oop): Oop {
  let current = memory.follow(code);
  for (let nesting = 0; nesting < 1000; nesting++) {
    if (memory.shapeOf(current) !== SHAPE.CompiledBlock) break;
    const last = (memory.fetch(current, 0) >> 1) & 0x7fff;
    current = memory.follow(memory.fetch(current, last));
  }
  return current;
}

/** 'Foo(Bar)>>baz:' or '[] in Foo(Bar)>>baz:' of a Context. */
export function describeContext(memory: ObjectMemory, context: Oop): string {
  const code = memory.follow(memory.fetch(context, CONTEXT.method));
  if (!isCompiledCode(memory, code)) return 'a Context without a method';
  const receiver = memory.follow(memory.fetch(context, CONTEXT.receiver));
  const receiverClass = className(memory, receiver);
  const ownerOop = methodClass(memory, code);
  const isOwned = ownerOop !== 0 && ownerOop !== memory.nil;
  const owner = isOwned ? nameOfClass(memory, ownerOop) : receiverClass;
  const where = owner === receiverClass ? owner : `${receiverClass}(${owner})`;
  const block = memory.shapeOf(code) === SHAPE.CompiledBlock ? '[] in ' : '';
  return `${block}${where}>>${describeSelector(memory, code)}`;
}

/** The Contexts of a suspended Process or of a Context and its senders, top first. */
export function contextChain(memory: ObjectMemory, oop: Oop, countMax: number): Oop[] {
  let current = memory.follow(oop);
  if ((current & 1) === 0 && memory.shapeOf(current) !== SHAPE.Context) {
    if (memory.slotCount(current) <= PROCESS.suspendedContext) return [];
    current = memory.follow(memory.fetch(current, PROCESS.suspendedContext));
  }
  const chain: Oop[] = [];
  while (chain.length < countMax && memory.shapeOf(current) === SHAPE.Context) {
    chain.push(current);
    current = memory.follow(memory.fetch(current, CONTEXT.sender));
  }
  return chain;
}

/** The stack of a suspended Process or of a Context. */
export function stackTrace(memory: ObjectMemory, processOrContext: Oop): string {
  const chain = contextChain(memory, processOrContext, TRACE_LINES_MAX + 1);
  const lines = chain.slice(0, TRACE_LINES_MAX).map((context) => describeContext(memory, context));
  if (chain.length > TRACE_LINES_MAX) lines.push('…');
  return lines.join('\n');
}
