/**
 * The compiler, asked from inside the image. It answers a CompiledMethod that is installed nowhere:
 * putting it into a class is the image's own affair. A mistake in the source is an answer too, an
 * Array of what is wrong and where, so that the image can show it in the text.
 */
import { CompileError, compileDoIt, compileMethod } from '../compiler/compiler.ts';
import type { CompileWarning, MethodSpec } from '../compiler/method-spec.ts';
import {
  PRIM_ERROR,
  type Primitive,
  type PrimitiveContext,
} from '../interpreter/primitive-interface.ts';
import type { Oop } from '../memory/object-memory.ts';
import { installMethod } from '../objects/installer.ts';
import { bindingOf, imageScope } from '../objects/scope.ts';
import {
  fail,
  isString,
  isSymbol,
  newArray,
  newString,
  ofOperands,
  smallInteger,
} from './checks.ts';
import { instanceShape } from './object.ts';
import { oldWordsLeft } from './system.ts';

/** Longest source compiled at once; a console line or file-in batch is at most 64 KiB. */
const SOURCE_LENGTH_MAX = 1024 * 1024;
/** Room that must be left in old space: words for each character of source, and in any case. */
const WORDS_PER_CHARACTER = 64;
const WORDS_LEFT_MIN = 64 * 1024;

/**
 * primitiveCompile(source, class or nil, #method, #doIt or #again): a CompiledMethod, or an Array
 * of the message, position (1-based), line and column of the mistake. #again is a method that was
 * compiled before: nothing new is to be said about its names.
 */
export const compile: Primitive = ofOperands(3, (vm, source, classOop, kind) => {
  const { memory } = vm;
  if (!isString(vm, source) || !isSymbol(vm, kind)) return fail(vm, PRIM_ERROR.badArgument);
  const what = memory.stringValue(kind);
  if (!/^(method|doIt|again)$/.test(what)) return fail(vm, PRIM_ERROR.badArgument);
  if (classOop !== memory.nil && instanceShape(vm, classOop) < 0) {
    return fail(vm, PRIM_ERROR.badArgument);
  }
  const text = memory.stringValue(source);
  if (text.length > SOURCE_LENGTH_MAX) return fail(vm, PRIM_ERROR.limitExceeded);
  if (oldWordsLeft(vm) < text.length * WORDS_PER_CHARACTER + WORDS_LEFT_MIN) {
    return fail(vm, PRIM_ERROR.noMemory);
  }
  const spec = specOf(vm, text, classOop, what);
  if (spec instanceof CompileError) return mistake(vm, spec, text);
  return installMethod(memory, spec, {
    classOop,
    selector: spec.selector,
    source: text,
    protocol: null,
    bindingOf: (name) => bindingOf(memory, classOop, name),
  });
});

function specOf(
  vm: PrimitiveContext,
  text: string,
  classOop: Oop,
  kind: string,
): MethodSpec | CompileError {
  const scope = imageScope(vm.memory, classOop);
  try {
    const onWarning = (warning: CompileWarning): void => {
      if (warning.kind === 'undeclared' && kind !== 'again') vm.host.undeclared?.(warning);
    };
    return kind === 'doIt'
      ? compileDoIt(text, scope, { onWarning })
      : compileMethod(text, scope, { onWarning });
  } catch (error) {
    if (error instanceof CompileError) return error;
    throw error;
  }
}

/** What a primitive answers for source that cannot be compiled. */
export function mistake(vm: PrimitiveContext, error: CompileError, source: string): Oop {
  const message = newString(vm, error.message);
  if (message === 0) return 0;
  return newArray(vm, [
    message,
    // Strings in the image count characters, not UTF-16 units.
    smallInteger([...source.slice(0, error.position)].length + 1),
    smallInteger(error.line),
    smallInteger(error.column),
  ]);
}
