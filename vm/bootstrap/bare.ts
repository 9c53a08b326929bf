/**
 * A heap with the classes the VM knows and no methods: what tests of the memory, the interpreter
 * and the primitives stand on without the class library.
 */
import { ObjectMemory, type Oop } from '../memory/object-memory.ts';
import { PAGE_WORDS } from '../objects/layout.ts';
import { SLOT_NAMES } from '../objects/well-known.ts';
import { buildClasses, type ClassDefinition } from './class-builder.ts';
import { fillSpecialObjects } from './special-objects.ts';

/** Name, superclass, layout; superclasses first. */
const CLASSES: readonly (readonly [string, string | null, string?])[] = [
  ['Object', null],
  ['Behavior', 'Object'],
  ['ClassDescription', 'Behavior'],
  ['Class', 'ClassDescription'],
  ['Metaclass', 'ClassDescription'],
  ['UndefinedObject', 'Object'],
  ['Boolean', 'Object'],
  ['True', 'Boolean'],
  ['False', 'Boolean'],
  ['Magnitude', 'Object'],
  ['Character', 'Magnitude', 'immediate'],
  ['Number', 'Magnitude'],
  ['Integer', 'Number'],
  ['SmallInteger', 'Integer', 'immediate'],
  ['LargePositiveInteger', 'Integer', 'bytes'],
  ['LargeNegativeInteger', 'LargePositiveInteger', 'bytes'],
  ['Float', 'Number'],
  ['BoxedFloat64', 'Float', 'doubleWords'],
  ['Fraction', 'Number'],
  ['ScaledDecimal', 'Number'],
  ['LookupKey', 'Magnitude'],
  ['Association', 'LookupKey'],
  ['Point', 'Object'],
  ['Message', 'Object'],
  ['Collection', 'Object'],
  ['SequenceableCollection', 'Collection'],
  ['ArrayedCollection', 'SequenceableCollection'],
  ['Array', 'ArrayedCollection', 'variable'],
  ['ByteArray', 'ArrayedCollection', 'bytes'],
  ['WordArray', 'ArrayedCollection', 'words'],
  ['DoubleByteArray', 'ArrayedCollection', 'doubleBytes'],
  ['DoubleWordArray', 'ArrayedCollection', 'doubleWords'],
  ['String', 'ArrayedCollection'],
  ['ByteString', 'String', 'bytes'],
  ['WideString', 'String', 'words'],
  ['Symbol', 'String'],
  ['ByteSymbol', 'Symbol', 'bytes'],
  ['WideSymbol', 'Symbol', 'words'],
  ['OrderedCollection', 'SequenceableCollection'],
  ['HashedCollection', 'Collection'],
  ['Dictionary', 'HashedCollection'],
  ['SystemDictionary', 'Dictionary'],
  ['MethodDictionary', 'HashedCollection', 'variable'],
  ['LinkedList', 'SequenceableCollection'],
  ['Semaphore', 'LinkedList'],
  ['Link', 'Object'],
  ['Process', 'Link'],
  ['ProcessorScheduler', 'Object'],
  ['CompiledCode', 'Object', 'compiledMethod'],
  ['CompiledMethod', 'CompiledCode', 'compiledMethod'],
  ['CompiledBlock', 'CompiledCode', 'compiledMethod'],
  ['AdditionalMethodState', 'Object'],
  ['Pragma', 'Object'],
  ['InstanceShape', 'Object'],
  ['BlockClosure', 'Object', 'variable'],
  ['FullBlockClosure', 'BlockClosure', 'variable'],
  ['Context', 'Object', 'variable'],
];

/**
 * Own slots of superclasses that the VM does not know, and of classes whose slots it leaves open.
 */
const OWN_SLOTS: Readonly<Record<string, readonly string[]>> = {
  ClassDescription: ['instanceVariables', 'organization'],
  LookupKey: ['key'],
  Link: ['nextLink'],
  BlockClosure: ['outerContext', 'compiledBlock', 'numArgs'],
  HashedCollection: ['tally', 'array'],
  OrderedCollection: ['array', 'firstIndex', 'lastIndex'],
};

/** Definitions of the classes above; a test may add its own after them. */
export function bareDefinitions(): ClassDefinition[] {
  const all = new Map<string, readonly string[]>();
  return CLASSES.map(([name, superclass, layout]) => {
    const inherited = superclass === null ? [] : all.get(superclass)!;
    const instVars = SLOT_NAMES[name]?.slice(inherited.length) ?? OWN_SLOTS[name] ?? [];
    all.set(name, [...inherited, ...instVars]);
    return {
      name,
      superclass,
      layout: layout ?? 'normal',
      instVars,
      classVars: [],
      classInstVars: [],
      pools: [],
      category: 'Kernel',
      comment: '',
    };
  });
}

/** A heap of `mib` MiB with these classes. */
export function bareHeap(
  options: EmptyOptions & { definitions?: readonly ClassDefinition[] } = {},
): { memory: ObjectMemory; classes: Map<string, Oop> } {
  const memory = emptyMemory(options);
  memory.initializeEmpty();
  const classes = buildClasses(memory, options.definitions ?? bareDefinitions());
  fillSpecialObjects(memory, classes);
  return { memory, classes };
}

/** `mib`: size of the region; the others as in ObjectMemoryOptions. */
export interface EmptyOptions {
  mib?: number;
  edenWords?: number;
  oldWordsMax?: number;
}

/** An ObjectMemory over a region of zeros, 256 MiB unless told. */
export function emptyMemory({ mib = 256, ...options }: EmptyOptions = {}): ObjectMemory {
  const words = mib * 2 ** 18;
  return new ObjectMemory({
    heap: new Int32Array(words),
    cards: new Uint8Array(words / PAGE_WORDS),
    ...options,
  });
}
