/**
 * The step of a debugger that is under way, if any: one Context runs from a copy of its code that
 * has traps in it, until one is met or the Context has returned. The copy belongs to this Context
 * alone, so other activations of the method do not notice; should the process be switched away
 * meanwhile, it goes on from the copy when it is resumed.
 */
import type { Oop, Visit } from '../memory/object-memory.ts';
import type { Code } from './code.ts';

export class Stepping {
  process: Oop = 0;
  /** The Context that runs from `code`; 0 when nothing is stepped. */
  context: Oop = 0;
  code: Code | null = null;
  /** A trap was met; the process is to stop when the stack is unwound. */
  isTrapped = false;

  get isActive(): boolean {
    return this.process !== 0;
  }

  begin(process: Oop, context: Oop, code: Code): void {
    this.process = process;
    this.context = context;
    this.code = code;
  }

  end(): void {
    this.process = 0;
    this.context = 0;
    this.code = null;
    this.isTrapped = false;
  }

  visitRoots(visit: Visit): void {
    if (this.process === 0) return;
    this.process = visit(this.process);
    this.context = visit(this.context);
  }
}
