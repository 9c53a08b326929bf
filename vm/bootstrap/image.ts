/**
 * From class files to a heap with all classes and methods, nothing run yet.
 */
import { CompileError } from '../compiler/compiler.ts';
import type { CompileWarning } from '../compiler/method-spec.ts';
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { compileIntoClass } from '../objects/installer.ts';
import { declareGlobal } from '../objects/scope.ts';
import { emptyMemory } from './bare.ts';
import { BootstrapError } from './bootstrap-error.ts';
import { buildClasses } from './class-builder.ts';
import type { ClassFile } from './packages.ts';
import { fillSpecialObjects } from './special-objects.ts';
import type { TonelMethod } from './tonel.ts';

/** Globals that are nil until the library's own initialization fills them. */
const GLOBALS = ['Transcript'];

export interface Image {
  memory: ObjectMemory;
  /** All classes by name, superclasses first. */
  classes: Map<string, Oop>;
  /** What a person should look at, such as names nobody declares; `file:line: sentence`. */
  warnings: string[];
}

/** Makes the heap. Throws BootstrapError with everything that does not compile. */
export function buildImage(files: readonly ClassFile[], memory = emptyMemory()): Image {
  memory.initializeEmpty();
  const definitions = files.filter(({ unit }) => unit.kind === 'class').map(({ unit }) => unit);
  const classes = buildClasses(memory, definitions);
  fillSpecialObjects(memory, classes);
  for (const name of GLOBALS) {
    if (!classes.has(name)) declareGlobal(memory, name, memory.nil);
  }
  const warnings: string[] = [];
  const problems: string[] = [];
  for (const { file, unit } of files) {
    for (const method of unit.methods) {
      const problem = install(memory, classes, { file, method, warnings });
      if (problem !== null) problems.push(problem);
    }
  }
  if (problems.length > 0) throw new BootstrapError(problems);
  return { memory, classes, warnings };
}

/** Compiles one method; answers what is wrong with it, or null. */
function install(
  memory: ObjectMemory,
  classes: ReadonlyMap<string, Oop>,
  { file, method, warnings }: { file: string; method: TonelMethod; warnings: string[] },
): string | null {
  const classOop = classes.get(method.className);
  if (classOop === undefined) {
    return `${file}:${method.line}: Cannot add a method: class "${method.className}" is missing`;
  }
  const place = (line: number): string => `${file}:${method.line + line - 1}`;
  const onWarning = (warning: CompileWarning): void => {
    warnings.push(`${place(warning.line)}: ${warning.message}`);
  };
  const target = method.isMeta ? memory.classOf(classOop) : classOop;
  const { source, category: protocol } = method;
  try {
    compileIntoClass(memory, target, { source, protocol }, { onWarning });
    return null;
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return `${place(error.line)}: ${error.message}`;
  }
}
