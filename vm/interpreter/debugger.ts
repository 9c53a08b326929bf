/**
 * The lower half of the debugger: over suspended processes, outside the image. It reads and changes
 * Contexts and sends nothing, so it works when the image is broken; only `terminate` and
 * `returnFrom` let the image run its ensure: blocks, and do without when it cannot.
 *
 * A suspended process either goes on where it was (stopped at a poll) or waits for the value of the
 * send it was stopped in. Which of the two is no state that is kept: the operand depth its
 * bytecodes need at its pc tells.
 */
import { decode, type Instruction } from '../bytecode/decode.ts';
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { FORMAT } from '../objects/layout.ts';
import {
  CLOSURE,
  CONTEXT,
  METHOD_STATE,
  PROCESS,
  SHAPE,
  SHAPE_SLOTS,
  SPECIAL,
} from '../objects/well-known.ts';
import { Code, isCompiledCode } from './code.ts';
import { homeOf, isEnsure, newContext, push, symbolText } from './frames.ts';
import type { Interpreter } from './interpreter.ts';
import { contextChain, describeContext, homeMethod, methodState } from './trace.ts';

const FRAMES_MAX = 10_000;
const STEP_RUNS_MAX = 1000;
const STEP_INSTRUCTIONS_MAX = 1000;
const TRAP = 0xd9;

/** One activation of a suspended process, top first. */
export interface Frame {
  readonly context: Oop;
  /** As in `Foo(Bar)>>baz:`. */
  readonly description: string;
  /** 1-based line of the source where it is; null when that is unknown. */
  readonly line: number | null;
  /** 0-based character offset in `source`; null as above. */
  readonly position: number | null;
  readonly source: string | null;
}

export class Debugger {
  readonly #vm: Interpreter;
  readonly #memory: ObjectMemory;

  constructor(vm: Interpreter) {
    this.#vm = vm;
    this.#memory = vm.memory;
  }

  /** The activations of a suspended process. */
  frames(process: Oop): Frame[] {
    return contextChain(this.#memory, process, FRAMES_MAX).map((context) => this.#frame(context));
  }

  /** The innermost Context of a suspended process; nil when it has ended. */
  topContext(process: Oop): Oop {
    return this.#memory.follow(this.#memory.fetch(process, PROCESS.suspendedContext));
  }

  /** self, its instance variables, then the temporaries of an activation. */
  variables(context: Oop): { name: string; value: Oop }[] {
    const memory = this.#memory;
    const receiver = memory.follow(memory.fetch(context, CONTEXT.receiver));
    const result = [{ name: 'self', value: receiver }];
    if ((receiver & 1) === 0 && memory.formatOf(receiver) <= FORMAT.ephemeron) {
      const names = this.#texts(this.#slotNames(memory.shapeOf(receiver)));
      for (const [index, name] of names.slice(0, memory.slotCount(receiver)).entries()) {
        result.push({ name, value: memory.fetch(receiver, index) });
      }
    }
    const state = this.#state(context);
    const names =
      state === memory.nil ? [] : this.#texts(memory.fetch(state, METHOD_STATE.tempNames));
    const count = memory.fetch(context, CONTEXT.stackp) >> 1;
    for (const [index, name] of names.slice(0, Math.max(0, count)).entries()) {
      const value = memory.follow(memory.fetch(context, CONTEXT.tempsFirst + index));
      if (name.startsWith('<')) result.push(...this.#vectorVariables(name, value));
      else if (!name.startsWith('.')) result.push({ name, value });
    }
    return result;
  }

  /** Takes a process off the processor, out of its list, out of its wait. */
  suspend(process: Oop): void {
    const { scheduler } = this.#vm;
    if (process === scheduler.active) {
      this.#vm.suspendActive();
      scheduler.setActive(this.#memory.nil);
      scheduler.mustSwitch = true;
    } else {
      scheduler.remove(process);
    }
  }

  /** Lets a suspended process go on, `value` being that of the send it was stopped in. */
  proceed(process: Oop, value: Oop): void {
    const context = this.topContext(process);
    if (!this.#isContext(context)) return;
    if (this.expectsValue(context)) push(this.#vm, context, value);
    this.#resume(process);
  }

  /** Begins an activation anew; those above it are gone. */
  restart(process: Oop, context: Oop): void {
    if (!this.#dropAbove(process, context)) return;
    this.#rewind(context);
    this.#resume(process);
  }

  /** Ends an activation with `value`; ensure: blocks above it run when the image can run them. */
  returnFrom(process: Oop, context: Oop, value: Oop): void {
    const memory = this.#memory;
    const top = this.topContext(process);
    const ensure = this.#firstEnsure(top, context);
    const method = ensure === 0 ? 0 : this.#methodFor(context, SPECIAL.selectorAboutToReturn);
    if (method !== 0 && homeOf(this.#vm, context) === context) {
      const returning = newContext(this.#vm, method, context, [value, ensure]);
      memory.store(returning, CONTEXT.sender, this.topContext(process));
      memory.store(process, PROCESS.suspendedContext, returning);
      this.#resume(process);
      return;
    }
    if (!this.#dropAbove(process, context)) return;
    const sender = memory.follow(memory.fetch(context, CONTEXT.sender));
    this.#vm.killContext(context);
    memory.store(process, PROCESS.suspendedContext, sender);
    if (!this.#isContext(sender)) this.#vm.host.processFinished(process, value);
    else if (push(this.#vm, sender, value)) this.#resume(process);
  }

  /**
   * Ends a process. When its class understands `terminate`, the image does that in a process of its
   * own, and its ensure: blocks run; else its activations are just dropped.
   */
  terminate(process: Oop): void {
    const memory = this.#memory;
    this.suspend(process);
    const selector = memory.internSymbol('terminate');
    const method = this.#vm.lookup(memory.classOf(process), selector);
    if (isCompiledCode(memory, method) && this.#vm.methods.codeOf(method).numArgs === 0) {
      const priority = this.#vm.scheduler.priority(process);
      this.#vm.spawn(method, process, [], { priority, name: 'terminate' });
      return;
    }
    for (const context of contextChain(memory, process, FRAMES_MAX)) this.#vm.killContext(context);
    memory.store(process, PROCESS.suspendedContext, memory.nil);
  }

  /** Runs a suspended process up to the end of its next send, or of its innermost activation. */
  step(process: Oop): void {
    for (let count = 0; count < STEP_INSTRUCTIONS_MAX; count++) {
      const context = this.topContext(process);
      if (!this.#isContext(context)) return;
      if (this.expectsValue(context)) push(this.#vm, context, this.#memory.nil);
      const instruction = this.#nextInstruction(context);
      if (instruction === null) return;
      this.#stepOne(process, context, instruction);
      if (this.topContext(process) !== context || isVisible(instruction)) return;
    }
  }

  /** Whether a Context waits for the value of a send. */
  expectsValue(context: Oop): boolean {
    const code = this.#code(context);
    if (code === null) return false;
    const pc = code.pcOf(this.#memory.fetch(context, CONTEXT.pc));
    const depth = pc < 0 ? -1 : depthAt(code, pc);
    return depth >= 0 && this.#memory.fetch(context, CONTEXT.stackp) >> 1 === depth - 1;
  }

  /** Puts traps after one instruction, in a copy of the code for this Context alone, and runs. */
  #stepOne(process: Oop, context: Oop, instruction: Instruction): void {
    const vm = this.#vm;
    const code = this.#code(context);
    if (code === null) return;
    const copy = new Code(this.#memory, code.method);
    const next = instruction.offset + instruction.bytes;
    copy.bytes[next] = TRAP;
    if (instruction.target >= 0) copy.bytes[instruction.target] = TRAP;
    vm.stepping.begin(process, context, copy);
    this.#resume(process);
    for (let runs = 0; runs < STEP_RUNS_MAX && vm.stepping.isActive; runs++) {
      if (vm.run().status === 'idle') break;
    }
    vm.stepping.end();
  }

  #nextInstruction(context: Oop): Instruction | null {
    const code = this.#code(context);
    if (code === null) return null;
    const pc = code.pcOf(this.#memory.fetch(context, CONTEXT.pc));
    return decode(code.bytes).find(({ offset }) => offset === pc) ?? null;
  }

  #resume(process: Oop): void {
    const { scheduler } = this.#vm;
    if (process === scheduler.active || !scheduler.isProcess(process)) return;
    if (this.#memory.fetch(process, PROCESS.myList) === this.#memory.nil) scheduler.resume(process);
  }

  /**
   * Ends the activations above `context`, which becomes the top. False when it is not the
   * process's.
   */
  #dropAbove(process: Oop, context: Oop): boolean {
    const chain = contextChain(this.#memory, process, FRAMES_MAX);
    const index = chain.indexOf(context);
    if (index < 0) return false;
    for (const above of chain.slice(0, index)) this.#vm.killContext(above);
    this.#memory.store(process, PROCESS.suspendedContext, context);
    return true;
  }

  /** Arguments stay, copied values come back from the closure, the other temporaries are nil. */
  #rewind(context: Oop): void {
    const memory = this.#memory;
    const code = this.#code(context);
    if (code === null) return;
    const slots = memory.slotCount(context);
    for (let slot = CONTEXT.tempsFirst + code.numArgs; slot < slots; slot++) {
      memory.store(context, slot, memory.nil);
    }
    const closure = memory.follow(memory.fetch(context, CONTEXT.closureOrNil));
    if (code.isBlock && memory.shapeOf(closure) === SHAPE.FullBlockClosure) {
      for (let i = CLOSURE.copiedFirst; i < memory.slotCount(closure); i++) {
        const slot = CONTEXT.tempsFirst + code.numArgs + i - CLOSURE.copiedFirst;
        memory.store(context, slot, memory.fetch(closure, i));
      }
    }
    memory.store(context, CONTEXT.pc, code.contextPc(code.startPc));
    memory.store(context, CONTEXT.stackp, (code.numTemps << 1) | 1);
  }

  /** The nearest ensure: between two Contexts, the lower one excluded; 0 when there is none. */
  #firstEnsure(top: Oop, bottom: Oop): Oop {
    for (const context of contextChain(this.#memory, top, FRAMES_MAX)) {
      if (context === bottom) return 0;
      if (isEnsure(this.#vm, context)) return context;
    }
    return 0;
  }

  #methodFor(receiver: Oop, selector: number): Oop {
    const memory = this.#memory;
    const method = this.#vm.lookup(memory.classOf(receiver), memory.special(selector));
    return isCompiledCode(memory, method) ? method : 0;
  }

  #frame(context: Oop): Frame {
    const memory = this.#memory;
    const description = describeContext(memory, context);
    const source = this.#source(context);
    const position = source === null ? null : this.#position(context);
    const line = position === null ? null : source!.slice(0, position).split('\n').length;
    return { context, description, line, position, source };
  }

  #source(context: Oop): string | null {
    const memory = this.#memory;
    const method = homeMethod(memory, memory.fetch(context, CONTEXT.method));
    const state = methodState(memory, method);
    if (memory.shapeOf(state) !== SHAPE.AdditionalMethodState) return null;
    return symbolText(memory, memory.fetch(state, METHOD_STATE.source)) || null;
  }

  /** Source offset of the instruction the Context is in, by its code's source map. */
  #position(context: Oop): number | null {
    const memory = this.#memory;
    const code = this.#code(context);
    const state = this.#state(context);
    if (code === null || state === memory.nil) return null;
    const map = memory.fetch(state, METHOD_STATE.sourceMap);
    if (memory.shapeOf(map) !== SHAPE.WordArray) return null;
    const pc = code.pcOf(memory.fetch(context, CONTEXT.pc));
    let position: number | null = null;
    for (let i = 0; i + 1 < memory.slotCount(map); i += 2) {
      if (position !== null && memory.fetch(map, i) >= pc) break;
      position = memory.fetch(map, i + 1);
    }
    return position;
  }

  #state(context: Oop): Oop {
    const memory = this.#memory;
    const state = methodState(memory, memory.follow(memory.fetch(context, CONTEXT.method)));
    return memory.shapeOf(state) === SHAPE.AdditionalMethodState ? state : memory.nil;
  }

  #code(context: Oop): Code | null {
    const method = this.#memory.follow(this.#memory.fetch(context, CONTEXT.method));
    return isCompiledCode(this.#memory, method) ? this.#vm.methods.codeOf(method) : null;
  }

  #vectorVariables(name: string, vector: Oop): { name: string; value: Oop }[] {
    const memory = this.#memory;
    if (memory.shapeOf(vector) !== SHAPE.Array) return [];
    const names = name.slice(1, -1).split(' ').slice(0, memory.slotCount(vector));
    return names.map((each, index) => ({ name: each, value: memory.fetch(vector, index) }));
  }

  #slotNames(shape: number): Oop {
    const memory = this.#memory;
    const table = memory.special(SPECIAL.shapeTable);
    if (memory.shapeOf(table) !== SHAPE.Array || shape >= memory.slotCount(table))
      return memory.nil;
    const oop = memory.fetch(table, shape);
    return memory.shapeOf(oop) === SHAPE.InstanceShape
      ? memory.fetch(oop, SHAPE_SLOTS.slotNames)
      : memory.nil;
  }

  #texts(array: Oop): string[] {
    const memory = this.#memory;
    if (memory.shapeOf(array) !== SHAPE.Array) return [];
    return Array.from({ length: memory.slotCount(array) }, (_, index) =>
      symbolText(memory, memory.fetch(array, index)),
    );
  }

  #isContext(oop: Oop): boolean {
    return this.#memory.shapeOf(oop) === SHAPE.Context;
  }
}

/** Whether a person would see that this instruction has run. */
function isVisible({ name, bytecode }: Instruction): boolean {
  return (
    name === 'send' || name === 'sendSpecial' || name === 'superSend' || bytecode.flow === 'return'
  );
}

/**
 * Words of temporaries and operands when the instruction at `pc` begins; -1 when none gets there.
 */
function depthAt(code: Code, pc: number): number {
  const instructions = decode(code.bytes);
  const depths = new Map<number, number>([[0, code.numTemps]]);
  const work = [0];
  const byOffset = new Map(instructions.map((each) => [each.offset, each]));
  for (let offset = work.pop(); offset !== undefined; offset = work.pop()) {
    const instruction = byOffset.get(offset);
    const depth = depths.get(offset);
    if (instruction === undefined || depth === undefined) continue;
    const { bytecode, operands, target } = instruction;
    const after = depth + bytecode.pushes(operands) - bytecode.pops(operands);
    const next = instruction.offset + instruction.bytes;
    const reached =
      bytecode.flow === 'next' ? [next] : bytecode.flow === 'branch' ? [next, target] : [];
    if (bytecode.flow === 'jump') reached.push(target);
    for (const each of reached) {
      if (depths.has(each)) continue;
      depths.set(each, after);
      work.push(each);
    }
  }
  return depths.get(pc) ?? -1;
}
