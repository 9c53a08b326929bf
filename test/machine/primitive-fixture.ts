/**
 * A machine for the tests of primitives: a real ObjectMemory with a few classes, a value stack, and
 * a host and interpreter that record what they are asked. No bytecode runs here.
 */
import { assert } from '../../vm/base/assert.ts';
import type {
  InterpreterControl,
  InterpreterHost,
  PrimitiveContext,
  PrimitiveEntry,
} from '../../vm/interpreter/primitive-interface.ts';
import { ObjectMemory, type Oop } from '../../vm/memory/object-memory.ts';
import { defineShape } from '../../vm/memory/shapes.ts';
import { CHAR0, FORMAT } from '../../vm/objects/layout.ts';
import { BEHAVIOR, SHAPE } from '../../vm/objects/well-known.ts';
import { MODULE, PRIMITIVES } from '../../vm/primitives/table.ts';

const REGION_BYTES = 224 * 1024 * 1024;
const CLASS_SLOTS = 13;

/**
 * What a value in a test is turned into: numbers, strings, symbols (`#x`), booleans, null, arrays.
 */
export type Value = number | bigint | string | boolean | null | Oops | Value[];

/** An oop passed through as it is. */
export interface Oops {
  oop: Oop;
}

export class Fixture implements PrimitiveContext {
  readonly memory: ObjectMemory;
  readonly stack = new Int32Array(64);
  failCode = 0;
  readonly host: InterpreterHost;
  readonly interpreter: InterpreterControl;
  readonly written: string[] = [];
  flushes = 0;
  nowMicroseconds = 1_000_000_000_000_000;

  constructor() {
    const heap = new Int32Array(new ArrayBuffer(REGION_BYTES));
    this.memory = new ObjectMemory({ heap, cards: new Uint8Array(heap.length >> 10) });
    this.memory.initializeEmpty();
    this.host = {
      nowMicroseconds: () => this.nowMicroseconds,
      consoleWrite: (text) => void this.written.push(text),
      processFinished: () => {},
      unhandledError: () => {},
      random: (bytes) => new Uint8Array(bytes).fill(7),
      timeZoneOffsetSeconds: () => 3600,
      generations: () => [{ number: 3, wallMs: 5, label: 'known good' }],
      commit: (request) => request !== this.memory.nil,
    };
    this.interpreter = {
      flushCaches: () => void this.flushes++,
      lookup: () => 0,
      activeProcess: this.memory.nil,
      stackTrace: () => 'nothing runs',
      interrupt: () => {},
      statistic: (name) => (name === 'sends' ? 12 : undefined),
    };
  }

  /** A class in old space whose instances have these named slots and this format. */
  newClass(slotNames: string[], format: number): Oop {
    const { memory } = this;
    const classOop = memory.instantiateOld(SHAPE.Array, CLASS_SLOTS);
    const names = memory.instantiateOld(SHAPE.Array, slotNames.length);
    slotNames.forEach((name, i) => {
      memory.store(names, i, memory.internSymbol(name));
    });
    memory.newShape(classOop, names, format);
    return classOop;
  }

  /** Makes the class at a well-known shape index, as a bootstrap does. */
  classAt(shape: number, format: number): Oop {
    const classOop = this.memory.instantiateOld(SHAPE.Array, CLASS_SLOTS);
    defineShape(this.memory, shape, { classOop, slotNames: this.memory.nil, format });
    this.memory.store(classOop, BEHAVIOR.shape, (shape << 1) | 1);
    return classOop;
  }

  /** The oop of a test value. */
  oop(value: Value): Oop {
    const { memory } = this;
    if (typeof value === 'bigint') return memory.newInteger(value);
    if (typeof value === 'number') {
      return Number.isInteger(value) ? memory.newInteger(value) : memory.newFloat(value);
    }
    if (typeof value === 'boolean') return value ? memory.true : memory.false;
    if (value === null) return memory.nil;
    if (typeof value === 'string') {
      return value.startsWith('#') ? memory.internSymbol(value.slice(1)) : memory.newString(value);
    }
    if (!Array.isArray(value)) return value.oop;
    const array = memory.instantiate(SHAPE.Array, value.length);
    value.forEach((element, i) => {
      memory.store(array, i, this.oop(element));
    });
    return array;
  }

  /** A Float, whole-numbered ones too. */
  float(value: number): Oops {
    return { oop: this.memory.newFloat(value) };
  }

  /** A Character. */
  character(text: string): Oops {
    return { oop: CHAR0 + 2 * text.codePointAt(0)! };
  }

  bytes(...bytes: number[]): Oops {
    const size = bytes.length;
    const oop = this.memory.instantiate(SHAPE.ByteArray, (size + 3) >> 2, -1, -size & 3);
    this.memory.storeBytes(oop, Uint8Array.from(bytes));
    return { oop };
  }

  /** The row of a primitive by number or name. */
  entry(primitive: number | string): PrimitiveEntry {
    const entry =
      typeof primitive === 'number'
        ? PRIMITIVES.numbered(primitive)
        : PRIMITIVES.named(MODULE, primitive);
    assert(entry !== undefined, `there is no primitive ${primitive}`);
    return entry;
  }

  /** Runs a primitive as the interpreter would; 0 when it fails, with `failCode` set. */
  call(primitive: number | string, receiver: Value, ...args: Value[]): Oop {
    const base = 8;
    this.failCode = 0;
    this.stack[base - 1] = this.oop(receiver);
    args.forEach((arg, i) => {
      this.stack[base + i] = this.oop(arg);
    });
    const result = this.entry(primitive).run(this, this.stack[base - 1]!, base, args.length);
    assert(result === 0 || this.failCode === 0, 'a primitive succeeded with a reason of failure');
    return result;
  }

  /** The answer of a primitive as a JavaScript value, or `{ fails: code }`. */
  answer(primitive: number | string, receiver: Value, ...args: Value[]): unknown {
    const result = this.call(primitive, receiver, ...args);
    return result === 0 ? { fails: this.failCode } : this.value(result);
  }

  /** The JavaScript value of an oop: Strings as text, Symbols as `#text`, Arrays as arrays. */
  value(oop: Oop): unknown {
    const { memory } = this;
    if (oop === memory.nil) return null;
    if (oop === memory.true || oop === memory.false) return oop === memory.true;
    if ((oop & 1) === 1) return oop >> 1;
    switch (memory.shapeOf(oop)) {
      case 2:
        return `$${String.fromCodePoint((oop - CHAR0) >> 1)}`;
      case SHAPE.BoxedFloat64:
        return memory.floatValue(oop);
      case SHAPE.LargePositiveInteger:
      case SHAPE.LargeNegativeInteger:
        return memory.integerValue(oop);
      case SHAPE.ByteSymbol:
      case SHAPE.WideSymbol:
        return `#${memory.stringValue(oop)}`;
      case SHAPE.ByteString:
      case SHAPE.WideString:
        return memory.stringValue(oop);
      case SHAPE.ByteArray:
        return [...memory.fetchBytes(oop)];
      case SHAPE.Array:
        return this.#elements(oop);
      default:
        return memory.formatOf(oop) === FORMAT.fixed ? this.#elements(oop) : { oop };
    }
  }

  #elements(oop: Oop): unknown[] {
    const size = this.memory.slotCount(oop);
    return Array.from({ length: size }, (_, i) => this.value(this.memory.fetch(oop, i)));
  }
}

/** What `answer` gives for a failed primitive. */
export function fails(code: number): { fails: number } {
  return { fails: code };
}
