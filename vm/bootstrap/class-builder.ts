/**
 * Makes classes from their definitions in an empty heap: class and metaclass, shapes, globals,
 * class pools. All classes come at once, because they refer to each other in circles: first every
 * class object is allocated, superclasses first, then its slots are filled.
 *
 * The order of the definitions decides where everything lies: the same definitions give the same
 * heap, word for word.
 */
import { assert } from '../base/assert.ts';
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { defineShape } from '../memory/shapes.ts';
import { newDictionary, newMethodDictionary, putAt } from '../objects/dictionaries.ts';
import {
  FORMAT,
  SHAPE_CHARACTER,
  SHAPE_DYNAMIC_FIRST,
  SHAPE_SMALL_INTEGER,
} from '../objects/layout.ts';
import { declareGlobal } from '../objects/scope.ts';
import {
  BEHAVIOR,
  CLASS,
  METACLASS,
  SHAPE,
  SLOT_NAMES,
  SPECIAL,
  WELL_KNOWN,
  type WellKnown,
  wellKnownFormat,
} from '../objects/well-known.ts';
import { BootstrapError } from './bootstrap-error.ts';

/** What a Tonel class definition says. */
export interface ClassDefinition {
  name: string;
  superclass: string | null;
  layout: string;
  instVars: readonly string[];
  classVars: readonly string[];
  classInstVars: readonly string[];
  pools: readonly string[];
  category: string;
  comment: string;
}

const CLASS_SLOTS = Object.keys(CLASS).length + Object.keys(BEHAVIOR).length;
const POINTER_LAYOUTS: Readonly<Record<string, number>> = {
  variable: FORMAT.variable,
  VariableLayout: FORMAT.variable,
  weak: FORMAT.weak,
  WeakLayout: FORMAT.weak,
  ephemeron: FORMAT.ephemeron,
  EphemeronLayout: FORMAT.ephemeron,
};
const BIT_LAYOUTS: Readonly<Record<string, number>> = {
  bytes: FORMAT.bytes,
  ByteLayout: FORMAT.bytes,
  doubleBytes: FORMAT.words16,
  DoubleByteLayout: FORMAT.words16,
  words: FORMAT.words32,
  WordLayout: FORMAT.words32,
  doubleWords: FORMAT.words64,
  DoubleWordLayout: FORMAT.words64,
  compiledMethod: FORMAT.compiledCode,
  CompiledMethodLayout: FORMAT.compiledCode,
  immediate: FORMAT.empty,
  ImmediateLayout: FORMAT.empty,
};
const PLAIN_LAYOUTS = new Set(['normal', 'FixedLayout', 'PointerLayout', 'EmptyLayout']);

/** A class on its way into the heap. */
interface Draft {
  definition: ClassDefinition;
  superclass: Draft | null;
  /** Inherited names first. */
  slotNames: string[];
  classSlotNames: string[];
  format: number;
  shape: number;
  metaShape: number;
  oop: Oop;
  meta: Oop;
}

/** Makes all classes; answers them in superclass order. Throws BootstrapError. */
export function buildClasses(
  memory: ObjectMemory,
  definitions: readonly ClassDefinition[],
): Map<string, Oop> {
  const drafts = draftClasses(definitions);
  const byName = new Map(drafts.map((draft) => [draft.definition.name, draft]));
  const classDraft = byName.get('Class');
  assert(classDraft !== undefined, 'there is no class Class');
  assert(classDraft.slotNames.length === CLASS_SLOTS, 'Class has other slots than the VM expects');
  for (const draft of drafts) allocate(memory, draft, classDraft);
  for (const draft of drafts) defineShapes(memory, draft, classDraft);
  memory.setSpecial(SPECIAL.smalltalk, newDictionary(memory, SHAPE.SystemDictionary, 1024));
  memory.setSpecial(SPECIAL.undeclared, newDictionary(memory, SHAPE.SystemDictionary, 64));
  for (const draft of drafts) declareGlobal(memory, draft.definition.name, draft.oop);
  const poolShape = byName.get('IdentityDictionary')?.shape ?? SHAPE.SystemDictionary;
  for (const draft of drafts) fillClass(memory, draft, { poolShape, classClass: classDraft.oop });
  fillPools(memory, drafts);
  fillSubclasses(memory, drafts);
  return new Map(drafts.map((draft) => [draft.definition.name, draft.oop]));
}

/** Sorts, checks and numbers the definitions. */
function draftClasses(definitions: readonly ClassDefinition[]): Draft[] {
  const problems: string[] = [];
  const drafts: Draft[] = [];
  const done = new Map<string, Draft>();
  let shape = SHAPE_DYNAMIC_FIRST;
  for (const definition of superclassesFirst(definitions, problems)) {
    const superclass = definition.superclass === null ? null : done.get(definition.superclass)!;
    const slotNames = [...(superclass?.slotNames ?? []), ...definition.instVars];
    const draft: Draft = {
      definition,
      superclass,
      slotNames,
      classSlotNames: [...(superclass?.classSlotNames ?? []), ...definition.classInstVars],
      format: formatOf(definition, superclass, slotNames.length, problems),
      shape: fixedShape(definition.name) || shape++,
      metaShape: shape++,
      oop: 0,
      meta: 0,
    };
    checkWellKnown(draft, problems);
    drafts.push(draft);
    done.set(definition.name, draft);
  }
  for (const name of WELL_KNOWN) {
    if (!done.has(name)) problems.push(`Cannot build the image: class "${name}" is in no package`);
  }
  if (problems.length > 0) throw new BootstrapError(problems);
  return drafts;
}

/** Definitions in superclass order, otherwise as given; leaves out what cannot be placed. */
function superclassesFirst(
  definitions: readonly ClassDefinition[],
  problems: string[],
): ClassDefinition[] {
  const byName = new Map<string, ClassDefinition>();
  for (const definition of definitions) {
    if (byName.has(definition.name)) {
      problems.push(`Cannot define class "${definition.name}": it is defined twice`);
    }
    byName.set(definition.name, definition);
  }
  const sorted: ClassDefinition[] = [];
  const state = new Map<string, 'open' | 'placed' | 'refused'>();
  const place = (definition: ClassDefinition): boolean => {
    const { name, superclass } = definition;
    const known = state.get(name);
    if (known !== undefined) return known === 'placed';
    state.set(name, 'open');
    const parent = superclass === null ? null : byName.get(superclass);
    if (parent === undefined || (parent !== null && !place(parent))) {
      const why = parent === undefined ? 'in no package' : 'not to be had, or below it';
      problems.push(`Cannot define class "${name}": its superclass "${superclass}" is ${why}`);
      state.set(name, 'refused');
      return false;
    }
    state.set(name, 'placed');
    sorted.push(definition);
    return true;
  };
  for (const definition of byName.values()) place(definition);
  return sorted;
}

function fixedShape(name: string): number {
  if (name === 'SmallInteger') return SHAPE_SMALL_INTEGER;
  if (name === 'Character') return SHAPE_CHARACTER;
  return Object.hasOwn(SHAPE, name) ? SHAPE[name as WellKnown] : 0;
}

function formatOf(
  definition: ClassDefinition,
  superclass: Draft | null,
  slots: number,
  problems: string[],
): number {
  const { layout, name } = definition;
  const plain = slots === 0 ? FORMAT.empty : FORMAT.fixed;
  const bits = BIT_LAYOUTS[layout];
  if (bits !== undefined) {
    if (slots > 0 && bits !== FORMAT.empty) {
      problems.push(`Cannot define class "${name}": layout "${layout}" has no named slots`);
    }
    return bits;
  }
  const pointers = POINTER_LAYOUTS[layout];
  if (pointers !== undefined) {
    return pointers === FORMAT.variable && slots > 0 ? FORMAT.fixedVariable : pointers;
  }
  if (!PLAIN_LAYOUTS.has(layout)) {
    problems.push(`Cannot define class "${name}": layout "${layout}" is unknown`);
  }
  const inherited = superclass?.format ?? FORMAT.empty;
  if (inherited === FORMAT.variable) return slots > 0 ? FORMAT.fixedVariable : FORMAT.variable;
  return inherited > FORMAT.fixed ? inherited : plain;
}

/** The VM reads these classes' instances by position. */
function checkWellKnown(draft: Draft, problems: string[]): void {
  const { name } = draft.definition;
  if (Object.hasOwn(SHAPE, name)) {
    const wanted = wellKnownFormat(name as WellKnown);
    if (draft.format !== wanted) {
      problems.push(
        `Cannot define class "${name}": its layout gives format ${draft.format}, the VM expects ${wanted}`,
      );
    }
  }
  const slots = SLOT_NAMES[name];
  if (slots !== undefined && slots.join() !== draft.slotNames.join()) {
    problems.push(
      `Cannot define class "${name}": its slots are ${draft.slotNames.join(' ') || 'none'}, ` +
        `the VM expects ${slots.join(' ')}`,
    );
  }
}

function allocate(memory: ObjectMemory, draft: Draft, classDraft: Draft): void {
  const slots = classDraft.slotNames.length + draft.classSlotNames.length;
  draft.meta = memory.instantiateOld(SHAPE.Metaclass, Object.keys(CLASS_OF_METACLASS).length);
  draft.oop = memory.instantiateOld(draft.metaShape, slots, FORMAT.fixed);
}

/** Slots of a Metaclass: Behavior's, ClassDescription's and its own. */
const CLASS_OF_METACLASS = {
  ...BEHAVIOR,
  instanceVariables: CLASS.instanceVariables,
  organization: CLASS.organization,
  ...METACLASS,
};

function defineShapes(memory: ObjectMemory, draft: Draft, classDraft: Draft): void {
  defineShape(memory, draft.shape, {
    classOop: draft.oop,
    slotNames: symbolArray(memory, draft.slotNames),
    format: draft.format,
  });
  defineShape(memory, draft.metaShape, {
    classOop: draft.meta,
    slotNames: symbolArray(memory, [...classDraft.slotNames, ...draft.classSlotNames]),
    format: FORMAT.fixed,
  });
}

function fillClass(
  memory: ObjectMemory,
  draft: Draft,
  { poolShape, classClass }: { poolShape: number; classClass: Oop },
): void {
  const { definition, superclass, oop, meta } = draft;
  assert(memory.classOf(oop) === meta, 'a class has another class');
  const put = (index: number, value: Oop): void => memory.store(oop, index, value);
  put(BEHAVIOR.superclass, superclass?.oop ?? memory.nil);
  put(BEHAVIOR.methodDictionary, newMethodDictionary(memory));
  put(BEHAVIOR.format, behaviorFormat(draft.slotNames.length, draft.format));
  put(BEHAVIOR.shape, (draft.shape << 1) | 1);
  put(CLASS.instanceVariables, symbolArray(memory, definition.instVars));
  put(CLASS.name, memory.internSymbol(definition.name));
  put(CLASS.environment, memory.special(SPECIAL.smalltalk));
  put(CLASS.category, memory.internSymbol(definition.category));
  put(CLASS.comment, memory.newStringOld(definition.comment));
  if (definition.classVars.length > 0) {
    const pool = newDictionary(memory, poolShape);
    for (const name of definition.classVars) {
      putAt(memory, pool, memory.internSymbol(name), memory.nil);
    }
    put(CLASS.classPool, pool);
  }

  memory.store(meta, BEHAVIOR.superclass, superclass?.meta ?? classClass);
  memory.store(meta, BEHAVIOR.methodDictionary, newMethodDictionary(memory));
  memory.store(meta, BEHAVIOR.format, behaviorFormat(memory.slotCount(oop), FORMAT.fixed));
  memory.store(meta, BEHAVIOR.shape, (draft.metaShape << 1) | 1);
  memory.store(meta, CLASS.instanceVariables, symbolArray(memory, definition.classInstVars));
  memory.store(meta, METACLASS.thisClass, oop);
}

/** Spur's encoding of a class format: named slots, and the instances' format from bit 16 on. */
function behaviorFormat(slots: number, format: number): Oop {
  return ((slots | (format << 16)) << 1) | 1;
}

function fillPools(memory: ObjectMemory, drafts: readonly Draft[]): void {
  const problems: string[] = [];
  const byName = new Map(drafts.map((draft) => [draft.definition.name, draft]));
  for (const { definition, oop } of drafts) {
    const pools: Oop[] = [];
    for (const name of definition.pools) {
      const pool = byName.get(name);
      const dictionary = pool === undefined ? memory.nil : memory.fetch(pool.oop, CLASS.classPool);
      if (dictionary !== memory.nil) pools.push(dictionary);
      else problems.push(`Cannot define class "${definition.name}": there is no pool "${name}"`);
    }
    if (pools.length > 0) memory.store(oop, CLASS.sharedPools, newArray(memory, pools));
  }
  if (problems.length > 0) throw new BootstrapError(problems);
}

function fillSubclasses(memory: ObjectMemory, drafts: readonly Draft[]): void {
  const subclasses = new Map<Draft, Oop[]>();
  for (const draft of drafts) {
    if (draft.superclass === null) continue;
    const known = subclasses.get(draft.superclass);
    if (known === undefined) subclasses.set(draft.superclass, [draft.oop]);
    else known.push(draft.oop);
  }
  for (const [draft, oops] of subclasses) {
    memory.store(draft.oop, CLASS.subclasses, newArray(memory, oops));
  }
}

/** An Array in old space. */
export function newArray(memory: ObjectMemory, elements: readonly Oop[]): Oop {
  const array = memory.instantiateOld(SHAPE.Array, elements.length);
  for (const [i, element] of elements.entries()) memory.store(array, i, element);
  return array;
}

function symbolArray(memory: ObjectMemory, names: readonly string[]): Oop {
  return newArray(
    memory,
    names.map((name) => memory.internSymbol(name)),
  );
}
