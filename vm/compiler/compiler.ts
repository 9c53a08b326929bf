/**
 * The compiler's front: Smalltalk source in, plain data out.
 *
 *     source ─ parser ─▶ syntax tree ─ analyze ─▶ what names mean ─ generate ─▶ MethodSpec
 *
 * It lives outside the image, so a broken image can still be mended; it knows no heap and no class,
 * only the Scope it is given. Everything it can say no to is a CompileError.
 */
import { analyze } from './analyze.ts';
import { checkSuperclasses, withDefinitions } from './definitions.ts';
import { generateMethod } from './generate.ts';
import type { CompileOptions, DoItOptions, MethodSpec, Scope } from './method-spec.ts';
import { parseDoIt, parseMethod } from './parser.ts';

export { CompileError } from './error.ts';
export type {
  CompileOptions,
  CompileWarning,
  DoItOptions,
  Literal,
  MethodSpec,
  Scope,
} from './method-spec.ts';

/** Compiles a method: pattern, pragmas, temporaries, statements. Unknown names are warned of. */
export function compileMethod(
  source: string,
  scope: Scope,
  options: CompileOptions = {},
): MethodSpec {
  const method = parseMethod(source);
  const analysis = analyze(method, {
    source,
    scope,
    instanceVariables: scope.instanceVariables,
    assignUndeclared: true,
    onWarning: options.onWarning ?? (() => {}),
  });
  return generateMethod(method, analysis, { source, isDoIt: false });
}

/** Compiles statements into a method DoIt that answers the last one's value. */
export function compileDoIt(source: string, scope: Scope, options: DoItOptions = {}): MethodSpec {
  const parsed = parseDoIt(source);
  checkSuperclasses(parsed, source, scope);
  const method = withDefinitions(parsed);
  const analysis = analyze(method, {
    source,
    scope,
    instanceVariables: options.receiverVariables ?? scope.instanceVariables,
    assignUndeclared: options.assignUndeclared ?? false,
    onWarning: options.onWarning ?? (() => {}),
  });
  return generateMethod(method, analysis, { source, isDoIt: true });
}
