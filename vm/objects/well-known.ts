/**
 * The classes, special objects and slot orders the VM knows by position. Slot orders of Context,
 * Process, Semaphore, FullBlockClosure and MethodDictionary, the specialObjectsArray and the
 * special selectors are Squeak's, so that code and tools which know them move in unchanged.
 */
import { FORMAT, SHAPE_WELL_KNOWN_FIRST } from './layout.ts';

/**
 * Classes with a fixed shape index: SHAPE_WELL_KNOWN_FIRST + position. Appending is allowed,
 * reordering changes every image.
 */
export const WELL_KNOWN = [
  'Object',
  'UndefinedObject',
  'True',
  'False',
  'Array',
  'ByteString',
  'WideString',
  'ByteSymbol',
  'WideSymbol',
  'ByteArray',
  'WordArray',
  'BoxedFloat64',
  'LargePositiveInteger',
  'LargeNegativeInteger',
  'Association',
  'Point',
  'Message',
  'CompiledMethod',
  'CompiledBlock',
  'FullBlockClosure',
  'Context',
  'MethodDictionary',
  'Process',
  'ProcessorScheduler',
  'LinkedList',
  'Semaphore',
  'Metaclass',
  'InstanceShape',
  'AdditionalMethodState',
  'SystemDictionary',
  'OrderedCollection',
  'DoubleByteArray',
  'DoubleWordArray',
  'Fraction',
  'ScaledDecimal',
  'Pragma',
] as const;
export type WellKnown = (typeof WELL_KNOWN)[number];

/** Shape index of a well-known class. */
export const SHAPE: Readonly<Record<WellKnown, number>> = Object.freeze(
  Object.fromEntries(WELL_KNOWN.map((name, i) => [name, SHAPE_WELL_KNOWN_FIRST + i])),
) as Readonly<Record<WellKnown, number>>;

/** Formats of the instances of well-known classes; those not listed are `fixed`. */
const FORMATS: Partial<Record<WellKnown, number>> = {
  Object: FORMAT.empty,
  UndefinedObject: FORMAT.empty,
  True: FORMAT.empty,
  False: FORMAT.empty,
  Array: FORMAT.variable,
  ByteString: FORMAT.bytes,
  WideString: FORMAT.words32,
  ByteSymbol: FORMAT.bytes,
  WideSymbol: FORMAT.words32,
  ByteArray: FORMAT.bytes,
  WordArray: FORMAT.words32,
  BoxedFloat64: FORMAT.words64,
  LargePositiveInteger: FORMAT.bytes,
  LargeNegativeInteger: FORMAT.bytes,
  CompiledMethod: FORMAT.compiledCode,
  CompiledBlock: FORMAT.compiledCode,
  FullBlockClosure: FORMAT.fixedVariable,
  Context: FORMAT.fixedVariable,
  MethodDictionary: FORMAT.fixedVariable,
  DoubleByteArray: FORMAT.words16,
  DoubleWordArray: FORMAT.words64,
};

/** The format of the instances of a well-known class. */
export function wellKnownFormat(name: WellKnown): number {
  return FORMATS[name] ?? FORMAT.fixed;
}

/** Slots (0-based). */
export const BEHAVIOR = { superclass: 0, methodDictionary: 1, format: 2, shape: 3 } as const;
/** ClassDescription continues Behavior, Class and Metaclass continue ClassDescription. */
export const CLASS = {
  instanceVariables: 4, // Array of ByteString/Symbol, own names only, or nil
  organization: 5, // a ClassOrganization, or nil: the image's business
  subclasses: 6, // Array of classes, or nil
  name: 7, // Symbol
  classPool: 8, // Dictionary name -> Association, or nil
  sharedPools: 9, // OrderedCollection of Dictionaries, or nil
  environment: 10, // the SystemDictionary
  category: 11, // package name
  comment: 12, // String or nil
} as const;
export const METACLASS = { thisClass: 6 } as const;
/** One shape = one layout of the instances of one class. */
export const SHAPE_SLOTS = { class: 0, slotNames: 1, successor: 2, index: 3, format: 4 } as const;

export const ASSOCIATION = { key: 0, value: 1 } as const;
export const METHOD_DICTIONARY = { tally: 0, array: 1, keysFirst: 2 } as const;
export const CONTEXT = {
  sender: 0, // SmallInteger = stack depth while the activation lives on the JS stack
  pc: 1, // 1-based byte index of the next bytecode in the method object; nil = dead
  stackp: 2,
  method: 3,
  closureOrNil: 4,
  receiver: 5,
  tempsFirst: 6,
} as const;
export const CONTEXT_SLOTS_SMALL = 16;
export const CONTEXT_SLOTS_LARGE = 56;
export const CLOSURE = {
  outerContext: 0,
  compiledBlock: 1, // startpc in Squeak's BlockClosure, the CompiledBlock in FullBlockClosure
  numArgs: 2,
  receiver: 3,
  copiedFirst: 4,
} as const;
export const PROCESS = {
  nextLink: 0,
  suspendedContext: 1,
  priority: 2,
  myList: 3,
  threadId: 4,
  name: 5,
  effectiveProcess: 6,
  env: 7, // process-local variables
  terminating: 8,
} as const;
export const SCHEDULER = { quiescentProcessLists: 0, activeProcess: 1 } as const;
export const LINKED_LIST = { firstLink: 0, lastLink: 1 } as const;
export const SEMAPHORE = { firstLink: 0, lastLink: 1, excessSignals: 2 } as const;
export const MESSAGE = { selector: 0, args: 1, lookupClass: 2 } as const;
export const POINT = { x: 0, y: 1 } as const;
/** The penultimate literal of every CompiledMethod and CompiledBlock. */
export const METHOD_STATE = {
  method: 0,
  selector: 1,
  source: 2, // String; nil for blocks (the home method has it)
  protocol: 3, // Symbol
  tempNames: 4, // Array of Strings
  sourceMap: 5, // WordArray: pairs (0-based bytecode offset, 0-based character offset)
  pragmas: 6, // Array of Pragma
  stamp: 7, // String or nil
  properties: 8, // IdentityDictionary or nil: the image's business
} as const;
export const PRAGMA = { method: 0, keyword: 1, arguments: 2 } as const;

/** Indices (0-based) into the specialObjectsArray, as in Squeak; ours from 64 on. */
export const SPECIAL = {
  nil: 0,
  false: 1,
  true: 2,
  schedulerAssociation: 3,
  classBitmap: 4,
  classSmallInteger: 5,
  classString: 6,
  classArray: 7,
  smalltalk: 8,
  classFloat: 9,
  classContext: 10,
  classPoint: 12,
  classLargePositiveInteger: 13,
  classMessage: 15,
  classCompiledMethod: 16,
  lowSpaceSemaphore: 17,
  classSemaphore: 18,
  classCharacter: 19,
  selectorDoesNotUnderstand: 20,
  selectorCannotReturn: 21,
  specialSelectors: 23, // Array of 64: selector, number of arguments, …
  selectorMustBeBoolean: 25,
  classByteArray: 26,
  classProcess: 27,
  timerSemaphore: 29,
  interruptSemaphore: 30,
  selectorCannotInterpret: 34,
  classBlockClosure: 36,
  classLargeNegativeInteger: 42,
  selectorAboutToReturn: 48,
  selectorRunWithIn: 49,
  primitiveErrorTable: 51,
  classFullBlockClosure: 60,
  symbolTable: 64, // Array of buckets (Array of Symbols, or nil); its size is a power of two
  shapeTable: 65, // Array of InstanceShape, by shape index
  undeclared: 66, // Dictionary of bindings not defined yet
  vmClasses: 67, // Array of the WELL_KNOWN classes, in that order
  consoleProcess: 68, // the Process of the console's last evaluation, or nil
  timerDeadline: 69, // when timerSemaphore is to be signalled (UTC, microseconds), or nil
} as const;
export const SPECIAL_COUNT = 96;

/** Special selectors of the bytecodes 0x60–0x7F, with their argument counts. */
export const SPECIAL_SELECTORS: readonly (readonly [string, number])[] = [
  ['+', 1],
  ['-', 1],
  ['<', 1],
  ['>', 1],
  ['<=', 1],
  ['>=', 1],
  ['=', 1],
  ['~=', 1],
  ['*', 1],
  ['/', 1],
  ['\\\\', 1],
  ['@', 1],
  ['bitShift:', 1],
  ['//', 1],
  ['bitAnd:', 1],
  ['bitOr:', 1],
  ['at:', 1],
  ['at:put:', 2],
  ['size', 0],
  ['next', 0],
  ['nextPut:', 1],
  ['atEnd', 0],
  ['==', 1],
  ['class', 0],
  ['~~', 1],
  ['value', 0],
  ['value:', 1],
  ['do:', 1],
  ['new', 0],
  ['new:', 1],
  ['x', 0],
  ['y', 0],
];

/** Squeak's name for the second of them. */
const BEHAVIOR_NAMES = ['superclass', 'methodDict', 'format', 'shape'];

function namesOf(slots: Readonly<Record<string, number>>): string[] {
  return Object.keys(slots).filter((name) => !name.endsWith('First'));
}

/** All slot names, inherited ones first, that the VM expects instances of these classes to have. */
export const SLOT_NAMES: Readonly<Record<string, readonly string[]>> = {
  Behavior: BEHAVIOR_NAMES,
  Class: [...BEHAVIOR_NAMES, ...Object.keys(CLASS)],
  Metaclass: [...BEHAVIOR_NAMES, 'instanceVariables', 'organization', 'thisClass'],
  InstanceShape: namesOf(SHAPE_SLOTS),
  AdditionalMethodState: namesOf(METHOD_STATE),
  Pragma: namesOf(PRAGMA),
  Context: namesOf(CONTEXT),
  FullBlockClosure: namesOf(CLOSURE),
  MethodDictionary: namesOf(METHOD_DICTIONARY),
  SystemDictionary: ['tally', 'array'],
  Dictionary: ['tally', 'array'],
  Association: namesOf(ASSOCIATION),
  Process: namesOf(PROCESS),
  ProcessorScheduler: namesOf(SCHEDULER),
  LinkedList: namesOf(LINKED_LIST),
  Semaphore: namesOf(SEMAPHORE),
  Message: namesOf(MESSAGE),
  Point: namesOf(POINT),
  Fraction: ['numerator', 'denominator'],
  ScaledDecimal: ['numerator', 'denominator', 'scale'],
};
