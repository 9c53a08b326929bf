/**
 * What a send leads to when its inline cache does not know: a method, doesNotUnderstand:, an object
 * in the place of a method, or a stop when the image is too damaged for any of them.
 *
 * Results are Codes. Two of them stand for what is no method: `live`, when the receiver is a
 * Context whose activation is on the JavaScript stack, so that the send must wait until the stack
 * is unwound (the real target is then in `liveTarget`); and `failed`, when the process has been
 * told to halt.
 *
 * Invariant: after each lookup `base` and `count` say where the arguments are, for
 * doesNotUnderstand: and run:with:in: have others than the send had. Only what is not `live`,
 * `failed`, one of these two or a send to a Context goes into an inline cache.
 */
import type { Oop } from '../memory/object-memory.ts';
import { FORMAT, SHAPE_FORWARDER, SHAPE_MASK } from '../objects/layout.ts';
import { CONTEXT, MESSAGE, SHAPE, SPECIAL } from '../objects/well-known.ts';
import { Code, isCompiledCode, KIND } from './code.ts';
import { className, superclassOf, symbolText } from './frames.ts';
import { MUST_BE_BOOLEAN } from './interpret.ts';
import type { Interpreter } from './interpreter.ts';
import { describeSelector } from './trace.ts';

export class SendLookup {
  readonly #vm: Interpreter;
  readonly failed: Code;
  readonly live: Code;
  liveTarget: Code;
  /** Index of the first argument on the value stack, and the number of arguments. */
  base = 0;
  count = 0;
  /** What was found may go into an inline cache. */
  #cacheable = false;

  constructor(vm: Interpreter) {
    this.#vm = vm;
    this.failed = new Code(vm.memory, 0);
    this.failed.kind = KIND.failed;
    this.live = new Code(vm.memory, 0);
    this.live.kind = KIND.liveContext;
    this.liveTarget = this.failed;
  }

  /**
   * What a send leads to whose inline cache missed; fills the cache. `selector` is a literal's
   * index or means a special selector (interpret.ts). Where the arguments are afterwards is in
   * `base` and `count`: doesNotUnderstand: has others than the send had.
   */
  atSite(code: Code, pc: number, selector: number, base: number, count: number): Code {
    const { memory, H, stack } = this.#vm;
    const oop =
      selector >= 0
        ? H[code.literals + selector]!
        : selector === MUST_BE_BOOLEAN
          ? memory.special(SPECIAL.selectorMustBeBoolean)
          : memory.fetch(memory.special(SPECIAL.specialSelectors), (-1 - selector) * 2);
    const target = this.find(oop, base, count);
    if (this.#cacheable) {
      const receiver = stack[base - 1]!;
      code.siteWord[pc] = (receiver & 1) !== 0 ? 1 : H[receiver]!;
      code.siteCode[pc] = target;
    }
    return target;
  }

  /** As `atSite`, for `super`: from the superclass of the class the method belongs to. */
  toSuper(code: Code, pc: number, selector: Oop, base: number, count: number): Code {
    const superclass = superclassOf(this.#vm, code.method);
    const method = superclass === 0 ? 1 : this.#vm.methods.method(superclass, selector);
    const target = this.resolve(method, selector, base, count);
    if (this.#cacheable) code.siteCode[pc] = target;
    this.#cacheable = false;
    return target;
  }

  /** What `selector` means to the receiver at `base - 1`, or what to do instead. */
  find(selector: Oop, base: number, count: number): Code {
    const { memory, stack, H } = this.#vm;
    let receiver = stack[base - 1]!;
    if ((receiver & 1) === 0 && (H[receiver]! & SHAPE_MASK) === SHAPE_FORWARDER) {
      receiver = memory.follow(receiver);
      stack[base - 1] = receiver;
    }
    const shape = memory.shapeOf(receiver);
    const code = this.#vm.methods.find(shape, selector);
    const target =
      code !== undefined && code.numArgs === count && code.defect === null
        ? this.#checked(code, base, count)
        : this.resolve(
            this.#vm.methods.method(memory.classOfShape(shape) ?? 0, selector),
            selector,
            base,
            count,
          );
    if (shape !== SHAPE.Context || target === this.failed) return target;
    this.#cacheable = false;
    if ((memory.fetch(receiver, CONTEXT.sender) & 1) === 0) return target;
    this.liveTarget = target;
    return this.live;
  }

  /** A method that was found, if the receiver has the instance variables it names. */
  #checked(code: Code, base: number, count: number): Code {
    const { memory } = this.#vm;
    this.base = base;
    this.count = count;
    this.#cacheable = true;
    if (code.receiverSlots === 0) return code;
    const receiver = this.#vm.stack[base - 1]!;
    const isFit =
      (receiver & 1) === 0 &&
      memory.formatOf(receiver) <= FORMAT.ephemeron &&
      memory.slotCount(receiver) >= code.receiverSlots;
    return isFit ? code : this.#refuse(code, 'it names instance variables its receiver has not');
  }

  #refuse(code: Code, reason: string): Code {
    this.#cacheable = false;
    this.#vm.halt(`cannot run ${describeSelector(this.#vm.memory, code.method)}: ${reason}`);
    return this.failed;
  }

  /** From what a method dictionary held to a Code: a method, an object as method, or nothing. */
  resolve(method: Oop, selector: Oop, base: number, count: number): Code {
    const { memory } = this.#vm;
    this.#cacheable = false;
    this.base = base;
    this.count = count;
    if (method === 1) return this.#doesNotUnderstand(selector, base, count);
    if (!isCompiledCode(memory, method)) return this.#runObject(method, selector, base, count);
    const code = this.#vm.methods.codeOf(method);
    if (code.defect !== null) return this.#refuse(code, code.defect);
    if (code.numArgs !== count) return this.#refuse(code, `it takes ${code.numArgs} arguments`);
    return this.#checked(code, base, count);
  }

  #doesNotUnderstand(selector: Oop, base: number, count: number): Code {
    const { memory, stack } = this.#vm;
    const receiver = stack[base - 1]!;
    const wanted = memory.special(SPECIAL.selectorDoesNotUnderstand);
    const classOop = memory.classOf(receiver) ?? 0;
    const method = this.#vm.methods.method(classOop, wanted);
    if (!isCompiledCode(memory, method)) return this.#notUnderstood(receiver, selector);
    const code = this.#vm.methods.codeOf(method);
    if (code.numArgs !== 1 || code.defect !== null) return this.#notUnderstood(receiver, selector);
    const message = this.#vm.instantiate(SHAPE.Message, MESSAGE.lookupClass + 1);
    memory.store(message, MESSAGE.selector, selector);
    memory.store(message, MESSAGE.args, this.#argumentArray(base, count));
    memory.store(message, MESSAGE.lookupClass, classOop);
    stack[base] = message;
    const target = this.#checked(code, base, 1);
    this.#cacheable = false;
    return target;
  }

  #notUnderstood(receiver: Oop, selector: Oop): Code {
    const { memory } = this.#vm;
    const name = className(memory, receiver);
    const text = (selector & 1) === 0 ? symbolText(memory, selector) : 'a broken selector';
    this.#vm.halt(`${name} does not understand #${text}, nor doesNotUnderstand:`);
    return this.failed;
  }

  /** An object in a method dictionary that is no method is sent run:with:in:, as in Squeak. */
  #runObject(object: Oop, selector: Oop, base: number, count: number): Code {
    const { memory, stack } = this.#vm;
    const receiver = stack[base - 1]!;
    const wanted = memory.special(SPECIAL.selectorRunWithIn);
    const method = this.#vm.methods.method(memory.classOf(object) ?? 0, wanted);
    if (!isCompiledCode(memory, method)) return this.#notUnderstood(receiver, selector);
    const code = this.#vm.methods.codeOf(method);
    if (code.numArgs !== 3 || code.defect !== null) return this.#notUnderstood(receiver, selector);
    const args = this.#argumentArray(base, count);
    stack[base - 1] = object;
    stack[base] = selector;
    stack[base + 1] = args;
    stack[base + 2] = receiver;
    const target = this.#checked(code, base, 3);
    this.#cacheable = false;
    return target;
  }

  #argumentArray(base: number, count: number): Oop {
    const array = this.#vm.instantiate(SHAPE.Array, count);
    for (let i = 0; i < count; i++) this.#vm.memory.store(array, i, this.#vm.stack[base + i]!);
    return array;
  }

  /** As `find`, with the lookup starting in `classOop`. */
  findFrom(classOop: Oop, selector: Oop, base: number, count: number): Code {
    return this.resolve(this.#vm.methods.method(classOop, selector), selector, base, count);
  }
}
