/**
 * Fills the specialObjectsArray once the classes exist: what the VM finds by position, the
 * scheduler with its empty lists, the globals that are no classes.
 */
import { assert } from '../base/assert.ts';
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { declareGlobal } from '../objects/scope.ts';
import { SCHEDULER, SHAPE, SPECIAL, SPECIAL_SELECTORS, WELL_KNOWN } from '../objects/well-known.ts';
import { newArray } from './class-builder.ts';

const PRIORITIES = 80;

const CLASSES: readonly (readonly [number, string])[] = [
  [SPECIAL.classBitmap, 'WordArray'],
  [SPECIAL.classSmallInteger, 'SmallInteger'],
  [SPECIAL.classString, 'ByteString'],
  [SPECIAL.classArray, 'Array'],
  [SPECIAL.classFloat, 'BoxedFloat64'],
  [SPECIAL.classContext, 'Context'],
  [SPECIAL.classPoint, 'Point'],
  [SPECIAL.classLargePositiveInteger, 'LargePositiveInteger'],
  [SPECIAL.classMessage, 'Message'],
  [SPECIAL.classCompiledMethod, 'CompiledMethod'],
  [SPECIAL.classSemaphore, 'Semaphore'],
  [SPECIAL.classCharacter, 'Character'],
  [SPECIAL.classByteArray, 'ByteArray'],
  [SPECIAL.classProcess, 'Process'],
  [SPECIAL.classBlockClosure, 'FullBlockClosure'],
  [SPECIAL.classLargeNegativeInteger, 'LargeNegativeInteger'],
  [SPECIAL.classFullBlockClosure, 'FullBlockClosure'],
];

const SELECTORS: readonly (readonly [number, string])[] = [
  [SPECIAL.selectorDoesNotUnderstand, 'doesNotUnderstand:'],
  [SPECIAL.selectorCannotReturn, 'cannotReturn:'],
  [SPECIAL.selectorMustBeBoolean, 'mustBeBoolean'],
  [SPECIAL.selectorCannotInterpret, 'cannotInterpret:'],
  [SPECIAL.selectorAboutToReturn, 'aboutToReturn:through:'],
  [SPECIAL.selectorRunWithIn, 'run:with:in:'],
];

/** By failure code less 1, as in Squeak; nil is a failure without a reason. */
const PRIMITIVE_ERRORS: readonly (string | null)[] = [
  null,
  'bad receiver',
  'bad argument',
  'bad index',
  'bad number of arguments',
  'inappropriate operation',
  'unsupported operation',
  'no modification',
  'insufficient object memory',
  'insufficient C memory',
  'not found',
  'bad method',
  'internal error in named primitive machinery',
  'object may move',
  'resource limit exceeded',
  'object is pinned',
  'primitive write beyond end of object',
  'object moved',
  'object not pinned',
  'callback error',
  'operating system error',
  'function has errors',
  'need compaction',
  'operation failed',
];

/** Fills the special objects of a heap whose classes are those of `classes`. */
export function fillSpecialObjects(memory: ObjectMemory, classes: ReadonlyMap<string, Oop>): void {
  const classNamed = (name: string): Oop => {
    const oop = classes.get(name);
    assert(oop !== undefined, `there is no class ${name}`);
    return oop;
  };
  const symbolOrNil = (name: string | null): Oop =>
    name === null ? memory.nil : memory.internSymbol(name);
  for (const [index, name] of CLASSES) memory.setSpecial(index, classNamed(name));
  for (const [index, name] of SELECTORS) memory.setSpecial(index, memory.internSymbol(name));
  memory.setSpecial(SPECIAL.vmClasses, newArray(memory, WELL_KNOWN.map(classNamed)));
  const selectors = SPECIAL_SELECTORS.flatMap(([selector, count]) => [
    memory.internSymbol(selector),
    (count << 1) | 1,
  ]);
  memory.setSpecial(SPECIAL.specialSelectors, newArray(memory, selectors));
  const errors = PRIMITIVE_ERRORS.map(symbolOrNil);
  memory.setSpecial(SPECIAL.primitiveErrorTable, newArray(memory, errors));

  declareGlobal(memory, 'Smalltalk', memory.special(SPECIAL.smalltalk));
  declareGlobal(memory, 'Undeclared', memory.special(SPECIAL.undeclared));
  const processor = declareGlobal(memory, 'Processor', newScheduler(memory));
  memory.setSpecial(SPECIAL.schedulerAssociation, processor);
}

function newScheduler(memory: ObjectMemory): Oop {
  const lists: Oop[] = [];
  for (let i = 0; i < PRIORITIES; i++) lists.push(memory.instantiateOld(SHAPE.LinkedList, 2));
  const scheduler = memory.instantiateOld(
    SHAPE.ProcessorScheduler,
    Math.max(2, memory.shapes.fixed[SHAPE.ProcessorScheduler]!),
  );
  memory.store(scheduler, SCHEDULER.quiescentProcessLists, newArray(memory, lists));
  return scheduler;
}
