/**
 * Runs the class-side `initialize` of every class that defines one, superclasses first, by the
 * interpreter itself: each in a Process of its own that must finish. After that class variables are
 * set and the image can live.
 */
import { Interpreter } from '../interpreter/interpreter.ts';
import type { InterpreterHost, PrimitiveTable } from '../interpreter/primitive-interface.ts';
import { methodAt } from '../objects/dictionaries.ts';
import { BEHAVIOR } from '../objects/well-known.ts';
import { BootstrapError } from './bootstrap-error.ts';
import type { Image } from './image.ts';

const PRIORITY = 40;
const RUNS_MAX = 100_000;

/** What ran, for whoever wants to go on with it. */
export interface Initialization {
  interpreter: Interpreter;
  /** What the library wrote to the console meanwhile. */
  output: string;
}

/** Initializes all classes; `nowMicroseconds` is the only clock they see. Throws BootstrapError. */
export function initializeClasses(
  image: Image,
  { primitives, nowMicroseconds }: { primitives: PrimitiveTable; nowMicroseconds: number },
): Initialization {
  const { memory, classes } = image;
  const problems: string[] = [];
  const finished = new Set<number>();
  let output = '';
  const host: InterpreterHost = {
    nowMicroseconds: () => nowMicroseconds,
    consoleWrite: (text) => {
      output += text;
    },
    processFinished: (process) => {
      finished.add(process);
    },
    unhandledError: (process, context, description) => {
      const trace = interpreter.stackTrace(context === memory.nil ? process : context);
      problems.push(`Cannot initialize ${current}: ${description}\n${trace}`);
    },
  };
  const interpreter: Interpreter = new Interpreter({ memory, primitives, host });
  let current = '';
  const selector = memory.internSymbol('initialize');
  for (const [name, classOop] of classes) {
    const dictionary = memory.fetch(memory.classOf(classOop), BEHAVIOR.methodDictionary);
    const method = methodAt(memory, dictionary, selector);
    if (method === 0) continue;
    current = name;
    finished.clear();
    const before = problems.length;
    interpreter.spawn(method, classOop, [], { priority: PRIORITY, name: `initialize ${name}` });
    for (let run = 0; run < RUNS_MAX && finished.size === 0; run++) {
      if (interpreter.run().status === 'idle') break;
    }
    if (finished.size === 0 && problems.length === before) {
      problems.push(`Cannot initialize ${name}: it waits for something that never comes`);
    }
  }
  if (problems.length > 0) throw new BootstrapError(problems);
  return { interpreter, output };
}
