/**
 * From class and selector to a method, and from a method to the Code that runs.
 *
 * Three levels: the inline caches of the send sites (code.ts), a direct-mapped cache of {shape,
 * selector} here, and the walk along method dictionaries and superclasses. Everything here is
 * derived from the heap: `forgetTargets` may drop it at any time, and must be called after a change
 * of a method dictionary, of a superclass, or of a shape; `forgetAll` after a become:.
 *
 * The walk trusts nothing it reads: a person may have put anything into these slots, and the
 * machine has to survive that. Its length is bounded; what is no dictionary holds no methods.
 */
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { FORMAT } from '../objects/layout.ts';
import { BEHAVIOR, METHOD_DICTIONARY } from '../objects/well-known.ts';
import { Code, isCompiledCode, KIND, type MethodCompiler } from './code.ts';
import type { PrimitiveTable } from './primitive-interface.ts';

const CACHE_SIZE = 4096;
const BLOCK_CACHE_SIZE = 1024;
const SUPERCLASSES_MAX = 1000;

export class MethodLookup {
  /** Makes native code of methods when they are first looked up; null without a JIT. */
  compiler: MethodCompiler | null = null;
  /** Told about each method and block before it first runs; null when nobody wants to know. */
  onFirstActivation: ((code: Oop) => void) | null = null;
  readonly #memory: ObjectMemory;
  readonly #control: PrimitiveTable;
  readonly #table: PrimitiveTable;
  readonly #codes = new Map<Oop, Code>();
  readonly #shapes = new Int32Array(CACHE_SIZE);
  readonly #selectors = new Int32Array(CACHE_SIZE);
  readonly #found: (Code | undefined)[] = new Array<Code | undefined>(CACHE_SIZE).fill(undefined);
  readonly #blockOops = new Int32Array(BLOCK_CACHE_SIZE);
  readonly #blockCodes: (Code | null)[] = new Array<Code | null>(BLOCK_CACHE_SIZE).fill(null);

  constructor(memory: ObjectMemory, control: PrimitiveTable, table: PrimitiveTable) {
    this.#memory = memory;
    this.#control = control;
    this.#table = table;
  }

  /** The Code that `selector` means to instances of `shape`; undefined when there is none. */
  find(shape: number, selector: Oop): Code | undefined {
    const index = ((selector >> 1) ^ (shape * 37)) & (CACHE_SIZE - 1);
    if (this.#shapes[index] === shape && this.#selectors[index] === selector) {
      return this.#found[index];
    }
    const method = this.method(this.#memory.classOfShape(shape) ?? 0, selector);
    if (!isCompiledCode(this.#memory, method)) return undefined;
    const code = this.codeOf(method);
    this.#shapes[index] = shape;
    this.#selectors[index] = selector;
    this.#found[index] = code;
    return code;
  }

  /** What the nearest method dictionary from `classOop` up holds under `selector`; 1 if nothing. */
  method(classOop: Oop, selector: Oop): Oop {
    const memory = this.#memory;
    let current = memory.follow(classOop);
    for (let steps = 0; steps < SUPERCLASSES_MAX; steps++) {
      if (!isPointers(memory, current, BEHAVIOR.shape + 1)) return 1;
      const method = this.#methodIn(memory.fetch(current, BEHAVIOR.methodDictionary), selector);
      if (method !== 1) return method;
      current = memory.follow(memory.fetch(current, BEHAVIOR.superclass));
    }
    return 1;
  }

  /** The decoded copy of a CompiledMethod or CompiledBlock. */
  codeOf(method: Oop): Code {
    let code = this.#codes.get(method);
    if (code === undefined) {
      code = new Code(this.#memory, method);
      code.bind(this.#memory, this.#control, this.#table);
      if (this.compiler !== null) this.#compile(code, this.compiler);
      this.#codes.set(method, code);
      this.onFirstActivation?.(method);
    }
    return code;
  }

  /** The Code of a closure's block; null when it has none that can run. */
  blockCode(block: Oop): Code | null {
    const index = (block >> 2) & (BLOCK_CACHE_SIZE - 1);
    if (this.#blockOops[index] === block) return this.#blockCodes[index]!;
    const method = this.#memory.follow(block);
    if (!isCompiledCode(this.#memory, method)) return null;
    const code = this.codeOf(method);
    if (code.defect !== null || !code.isBlock) return null;
    this.#blockOops[index] = block;
    this.#blockCodes[index] = code;
    return code;
  }

  /** Number of decoded copies. */
  get codeCount(): number {
    return this.#codes.size;
  }

  /** Forgets what was looked up. Copies of methods stay: activations on the stack run from them. */
  forgetTargets(): void {
    for (const code of this.#codes.values()) code.clearSites();
    this.#shapes.fill(0);
    this.#selectors.fill(0);
    this.#found.fill(undefined);
    this.#blockOops.fill(0);
  }

  /** Forgets the copies too: for changed methods, and only when no activation runs from one. */
  forgetAll(): void {
    this.forgetTargets();
    this.#codes.clear();
  }

  #compile(code: Code, compiler: MethodCompiler): void {
    if (code.kind !== KIND.plain || code.defect !== null || code.isBlock) return;
    code.compiled = compiler.compile(code);
    if (code.compiled !== null) code.kind = KIND.compiled;
  }

  #methodIn(dictionary: Oop, selector: Oop): Oop {
    const memory = this.#memory;
    const dict = memory.follow(dictionary);
    if (!isPointers(memory, dict, METHOD_DICTIONARY.keysFirst + 1)) return 1;
    const size = memory.slotCount(dict) - METHOD_DICTIONARY.keysFirst;
    const values = memory.follow(memory.fetch(dict, METHOD_DICTIONARY.array));
    if (!isPointers(memory, values, size)) return 1;
    let index = memory.identityHash(selector) & (size - 1);
    for (let probes = 0; probes < size; probes++) {
      const key = memory.fetch(dict, METHOD_DICTIONARY.keysFirst + index);
      if (key === selector) return memory.follow(memory.fetch(values, index));
      if (key === memory.nil) return 1;
      index = (index + 1) & (size - 1);
    }
    return 1;
  }
}

function isPointers(memory: ObjectMemory, oop: Oop, slots: number): boolean {
  if (oop === 0 || oop === undefined || (oop & 1) !== 0) return false;
  return memory.formatOf(oop) <= FORMAT.ephemeron && memory.slotCount(oop) >= slots;
}
