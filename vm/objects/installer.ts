/**
 * From the compiler's plain data to methods in the heap. All that a method consists of is made in
 * old space and never moves.
 *
 *   slot 0        header SmallInteger: 0–14 literal count · 16 has primitive · 17 large frame ·
 *                 18–23 temporaries · 24–27 arguments
 *   slots 1…      literals; the last but one is an AdditionalMethodState, the last the binding of the
 *                 class (a metaclass gets an Association nil -> metaclass) or, for a block, its outer code
 *   then          bytecodes; odd bytes are the unused ones of the last word
 */
import { assert } from '../base/assert.ts';
import { compileMethod } from '../compiler/compiler.ts';
import type { CompileOptions, Literal, MethodSpec } from '../compiler/method-spec.ts';
import { newInteger } from '../memory/numbers.ts';
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { storeBytes } from '../memory/strings.ts';
import { newAssociation, putMethod } from './dictionaries.ts';
import { CHAR0, HEADER_WORDS } from './layout.ts';
import { bindingOf, findBinding, imageScope } from './scope.ts';
import {
  ASSOCIATION,
  BEHAVIOR,
  CLASS,
  CONTEXT_SLOTS_SMALL,
  METHOD_STATE,
  PRAGMA,
  SHAPE,
} from './well-known.ts';

/** Where a new method belongs. */
export interface InstallOptions {
  /** The class, or nil for an expression without one. */
  classOop: Oop;
  selector: string;
  source: string;
  protocol: string | null;
  /** The Association a variable's name means; made when nobody knows the name. */
  bindingOf(name: string): Oop;
}

const LARGE_FRAME = 1 << 17;
const HAS_PRIMITIVE = 1 << 16;

/** Builds a CompiledMethod with its CompiledBlocks; puts it into no dictionary. */
export function installMethod(
  memory: ObjectMemory,
  spec: MethodSpec,
  options: InstallOptions,
): Oop {
  return new MethodBuilder(memory, options).build(spec, 0);
}

/** Compiles a method's source and puts it into its class. Throws CompileError. */
export function compileIntoClass(
  memory: ObjectMemory,
  classOop: Oop,
  { source, protocol }: { source: string; protocol: string | null },
  compileOptions?: CompileOptions,
): Oop {
  const spec = compileMethod(source, imageScope(memory, classOop), compileOptions);
  const method = installMethod(memory, spec, {
    classOop,
    selector: spec.selector,
    source,
    protocol,
    bindingOf: (name) => bindingOf(memory, classOop, name),
  });
  putMethod(memory, classOop, memory.internSymbol(spec.selector), method);
  return method;
}

class MethodBuilder {
  readonly #memory: ObjectMemory;
  readonly #options: InstallOptions;

  constructor(memory: ObjectMemory, options: InstallOptions) {
    this.#memory = memory;
    this.#options = options;
  }

  /** `outer` is the code around a block, 0 for a method. */
  build(spec: MethodSpec, outer: Oop): Oop {
    const memory = this.#memory;
    const count = spec.literals.length + (spec.isBlock ? 1 : 0);
    const bytes = spec.bytecodes.length;
    const slots = 1 + count + ((bytes + 3) >> 2);
    const shape = spec.isBlock ? SHAPE.CompiledBlock : SHAPE.CompiledMethod;
    const code = memory.instantiateOld(shape, slots, -1, -bytes & 3);
    assert(code !== 0, 'there is no room for a method');
    for (let i = 0; i < slots; i++) memory.store(code, i, 1);
    memory.store(code, 0, (headerOf(spec, count) << 1) | 1);

    const own = spec.literals.length - (spec.isBlock ? 1 : 2);
    for (let i = 0; i < own; i++) memory.store(code, 1 + i, this.#literal(spec.literals[i]!, code));
    memory.store(code, count - 1, this.#state(spec, code));
    memory.store(code, count, spec.isBlock ? outer : this.#classBinding());
    this.#storeBytecodes(code, count, spec.bytecodes);
    return code;
  }

  #storeBytecodes(code: Oop, literals: number, bytecodes: Uint8Array): void {
    const { buffer, byteOffset } = this.#memory.H;
    const first = code + HEADER_WORDS + 1 + literals;
    const words = (bytecodes.length + 3) >> 2;
    this.#memory.H.fill(0, first, first + words);
    new Uint8Array(buffer, byteOffset + first * 4, bytecodes.length).set(bytecodes);
  }

  #literal(literal: Literal, outer: Oop): Oop {
    const memory = this.#memory;
    switch (literal.kind) {
      case 'integer':
        return newInteger(memory, literal.value, true);
      case 'float':
        return this.#float(literal.value);
      case 'scaled':
        return this.#scaled(literal);
      case 'character':
        return CHAR0 + 2 * literal.codePoint;
      case 'string':
        return memory.newStringOld(literal.value);
      case 'symbol':
        return memory.internSymbol(literal.value);
      case 'array':
        return this.#array(literal.elements.map((element) => this.#literal(element, outer)));
      case 'bytes':
        return this.#bytes(literal.value);
      case 'nil':
        return memory.nil;
      case 'true':
        return memory.true;
      case 'false':
        return memory.false;
      case 'binding':
        return this.#options.bindingOf(literal.name);
      case 'block':
        return this.build(literal.method, outer);
      case 'selfMethodClass':
        return this.#classBinding();
    }
  }

  #float(value: number): Oop {
    const oop = this.#memory.instantiateOld(SHAPE.BoxedFloat64, 2);
    this.#memory.F[(oop >> 1) + 1] = value;
    return oop;
  }

  #scaled(literal: Extract<Literal, { kind: 'scaled' }>): Oop {
    const memory = this.#memory;
    const oop = memory.instantiateOld(SHAPE.ScaledDecimal, 3);
    memory.store(oop, 0, newInteger(memory, literal.numerator, true));
    memory.store(oop, 1, newInteger(memory, literal.denominator, true));
    memory.store(oop, 2, (literal.scale << 1) | 1);
    return oop;
  }

  #array(elements: readonly Oop[]): Oop {
    const memory = this.#memory;
    const array = memory.instantiateOld(SHAPE.Array, elements.length);
    assert(array !== 0, 'there is no room for an array of literals');
    for (const [i, element] of elements.entries()) memory.store(array, i, element);
    return array;
  }

  #bytes(value: Uint8Array): Oop {
    const slots = (value.length + 3) >> 2;
    const oop = this.#memory.instantiateOld(SHAPE.ByteArray, slots, -1, -value.length & 3);
    storeBytes(this.#memory, oop, value);
    return oop;
  }

  #state(spec: MethodSpec, code: Oop): Oop {
    const memory = this.#memory;
    const state = memory.instantiateOld(
      SHAPE.AdditionalMethodState,
      Object.keys(METHOD_STATE).length,
    );
    const { selector, source, protocol } = this.#options;
    const put = (slot: keyof typeof METHOD_STATE, value: Oop): void =>
      memory.store(state, METHOD_STATE[slot], value);
    put('method', code);
    put('selector', memory.internSymbol(selector));
    if (!spec.isBlock) put('source', memory.newStringOld(source));
    if (!spec.isBlock && protocol !== null) put('protocol', memory.internSymbol(protocol));
    put('tempNames', this.#array(spec.tempNames.map((name) => memory.newStringOld(name))));
    put('sourceMap', this.#words(spec.sourceMap));
    put('pragmas', this.#array(spec.pragmas.map((pragma) => this.#pragma(pragma, code))));
    return state;
  }

  #words(values: Int32Array): Oop {
    const oop = this.#memory.instantiateOld(SHAPE.WordArray, values.length);
    this.#memory.H.set(values, oop + HEADER_WORDS);
    return oop;
  }

  #pragma(pragma: MethodSpec['pragmas'][number], code: Oop): Oop {
    const memory = this.#memory;
    const oop = memory.instantiateOld(SHAPE.Pragma, Object.keys(PRAGMA).length);
    const args = pragma.args.map((argument) => this.#literal(argument, code));
    memory.store(oop, PRAGMA.method, code);
    memory.store(oop, PRAGMA.keyword, memory.internSymbol(pragma.selector));
    memory.store(oop, PRAGMA.arguments, this.#array(args));
    return oop;
  }

  /** The binding of the method's class: where super sends find it. */
  #classBinding(): Oop {
    return classBinding(this.#memory, this.#options.classOop);
  }
}

/**
 * The global Association of a class; one of its own, without key, for metaclasses and strangers.
 */
export function classBinding(memory: ObjectMemory, classOop: Oop): Oop {
  if (classOop === memory.nil || memory.shapeOf(classOop) === SHAPE.Metaclass) {
    return existingBinding(memory, classOop) || newAssociation(memory, memory.nil, classOop);
  }
  const name = memory.follow(memory.fetch(classOop, CLASS.name));
  const shape = memory.shapeOf(name);
  if (shape === SHAPE.ByteSymbol || shape === SHAPE.WideSymbol) {
    const global = findBinding(memory, memory.nil, memory.symbolValue(name));
    if (global !== 0 && memory.follow(memory.fetch(global, ASSOCIATION.value)) === classOop) {
      return global;
    }
  }
  return existingBinding(memory, classOop) || newAssociation(memory, memory.nil, classOop);
}

/** The class binding that a method of the class has already, so that all share one. */
function existingBinding(memory: ObjectMemory, classOop: Oop): Oop {
  if (classOop === memory.nil) return 0;
  const dictionary = memory.follow(memory.fetch(classOop, BEHAVIOR.methodDictionary));
  if (memory.shapeOf(dictionary) !== SHAPE.MethodDictionary) return 0;
  const methods = memory.follow(memory.fetch(dictionary, 1));
  for (let i = 0; i < memory.slotCount(methods); i++) {
    const method = memory.follow(memory.fetch(methods, i));
    if (memory.shapeOf(method) !== SHAPE.CompiledMethod) continue;
    const count = (memory.fetch(method, 0) >> 1) & 0x7fff;
    const binding = memory.follow(memory.fetch(method, count));
    if (memory.shapeOf(binding) !== SHAPE.Association) continue;
    if (memory.fetch(binding, ASSOCIATION.value) === classOop) return binding;
  }
  return 0;
}

function headerOf(spec: MethodSpec, literalCount: number): number {
  assert(literalCount < 1 << 15 && spec.numTemps < 64 && spec.numArgs < 16, 'a header overflows');
  return (
    literalCount |
    (spec.primitive !== 0 ? HAS_PRIMITIVE : 0) |
    (spec.frameSize > CONTEXT_SLOTS_SMALL ? LARGE_FRAME : 0) |
    (spec.numTemps << 18) |
    (spec.numArgs << 24)
  );
}
