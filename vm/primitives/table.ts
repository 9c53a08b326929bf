/**
 * The table of primitives: the numbers of Squeak and Pharo, and ours by name. What runs processes,
 * activates blocks or walks contexts (83–88, 195–212, …) is the interpreter's own and not here.
 *
 * A row says whether its primitive needs the stack unwound. Rows are data, so that a test can go
 * through all of them.
 */
import type { PrimitiveEntry, PrimitiveTable } from '../interpreter/primitive-interface.ts';
import * as character from './character.ts';
import * as code from './code.ts';
import * as float from './float.ts';
import * as integer from './integer.ts';
import { NAMED } from './named.ts';
import * as object from './object.ts';
import * as string from './string.ts';
import * as subscript from './subscript.ts';
import * as system from './system.ts';
import * as time from './time.ts';

/** The module that the named primitives belong to. */
export const MODULE = 'Palimpsest';

const unwinds = true;

/** All numbered primitives, ascending. */
export const NUMBERED: readonly (readonly [number, PrimitiveEntry])[] = [
  [1, { name: 'Integer +', run: integer.add }],
  [2, { name: 'Integer -', run: integer.subtract }],
  [3, { name: 'Integer <', run: integer.lessThan }],
  [4, { name: 'Integer >', run: integer.greaterThan }],
  [5, { name: 'Integer <=', run: integer.lessOrEqual }],
  [6, { name: 'Integer >=', run: integer.greaterOrEqual }],
  [7, { name: 'Integer =', run: integer.equal }],
  [8, { name: 'Integer ~=', run: integer.notEqual }],
  [9, { name: 'Integer *', run: integer.multiply }],
  [10, { name: 'Integer /', run: integer.divide }],
  [11, { name: 'Integer \\\\', run: integer.modulo }],
  [12, { name: 'Integer //', run: integer.floorDivide }],
  [13, { name: 'Integer quo:', run: integer.quotient }],
  [14, { name: 'Integer bitAnd:', run: integer.bitAnd }],
  [15, { name: 'Integer bitOr:', run: integer.bitOr }],
  [16, { name: 'Integer bitXor:', run: integer.bitXor }],
  [17, { name: 'Integer bitShift:', run: integer.bitShift }],
  [18, { name: 'Integer @', run: integer.makePoint }],
  [20, { name: 'Integer rem:', run: integer.remainder }],
  [21, { name: 'Integer +', run: integer.add }],
  [22, { name: 'Integer -', run: integer.subtract }],
  [23, { name: 'Integer <', run: integer.lessThan }],
  [24, { name: 'Integer >', run: integer.greaterThan }],
  [25, { name: 'Integer <=', run: integer.lessOrEqual }],
  [26, { name: 'Integer >=', run: integer.greaterOrEqual }],
  [27, { name: 'Integer =', run: integer.equal }],
  [28, { name: 'Integer ~=', run: integer.notEqual }],
  [29, { name: 'Integer *', run: integer.multiply }],
  [30, { name: 'Integer /', run: integer.divide }],
  [31, { name: 'Integer \\\\', run: integer.modulo }],
  [32, { name: 'Integer //', run: integer.floorDivide }],
  [33, { name: 'Integer quo:', run: integer.quotient }],
  [34, { name: 'Integer bitAnd:', run: integer.bitAnd }],
  [35, { name: 'Integer bitOr:', run: integer.bitOr }],
  [36, { name: 'Integer bitXor:', run: integer.bitXor }],
  [37, { name: 'Integer bitShift:', run: integer.bitShift }],
  [38, { name: 'Float basicAt:', run: float.floatAt }],
  [39, { name: 'Float basicAt:put:', run: float.floatAtPut }],
  [40, { name: 'Integer asFloat', run: float.asFloat }],
  [41, { name: 'Float +', run: float.add }],
  [42, { name: 'Float -', run: float.subtract }],
  [43, { name: 'Float <', run: float.lessThan }],
  [44, { name: 'Float >', run: float.greaterThan }],
  [45, { name: 'Float <=', run: float.lessOrEqual }],
  [46, { name: 'Float >=', run: float.greaterOrEqual }],
  [47, { name: 'Float =', run: float.equal }],
  [48, { name: 'Float ~=', run: float.notEqual }],
  [49, { name: 'Float *', run: float.multiply }],
  [50, { name: 'Float /', run: float.divide }],
  [51, { name: 'Float truncated', run: float.truncated }],
  [52, { name: 'Float fractionPart', run: float.fractionPart }],
  [53, { name: 'Float exponent', run: float.exponent }],
  [54, { name: 'Float timesTwoPower:', run: float.timesTwoPower }],
  [55, { name: 'Float sqrt', run: float.squareRoot }],
  [56, { name: 'Float sin', run: float.sine }],
  [57, { name: 'Float arcTan', run: float.arcTangent }],
  [58, { name: 'Float ln', run: float.naturalLogarithm }],
  [59, { name: 'Float exp', run: float.exponential }],
  [60, { name: 'at:', run: subscript.at }],
  [61, { name: 'at:put:', run: subscript.atPut }],
  [62, { name: 'size', run: subscript.size }],
  [63, { name: 'String at:', run: subscript.stringAt }],
  [64, { name: 'String at:put:', run: subscript.stringAtPut }],
  [68, { name: 'CompiledCode objectAt:', run: code.objectAt }],
  [69, { name: 'CompiledCode objectAt:put:', run: code.objectAtPut }],
  [70, { name: 'Behavior new', run: object.basicNew }],
  [71, { name: 'Behavior new:', run: object.basicNewSized }],
  [72, { name: 'Array becomeForward:', run: object.arrayBecomeOneWay, unwinds }],
  [73, { name: 'instVarAt:', run: subscript.slotAt }],
  [74, { name: 'instVarAt:put:', run: subscript.slotAtPut }],
  [75, { name: 'identityHash', run: object.identityHash }],
  [89, { name: 'flushCache', run: system.flushCache }],
  [105, { name: 'replaceFrom:to:with:startingAt:', run: subscript.replaceFromTo }],
  [110, { name: '==', run: object.same }],
  [111, { name: 'class', run: object.classOf }],
  [112, { name: 'bytesLeft', run: system.bytesLeft }],
  [115, { name: 'primitiveChangeClassTo:', run: object.changeClass }],
  [116, { name: 'CompiledMethod flushCache', run: system.flushCache }],
  [119, { name: 'Symbol flushCache', run: system.flushCache }],
  [128, { name: 'Array become:', run: object.arrayBecome, unwinds }],
  [129, { name: 'specialObjectsArray', run: system.specialObjects }],
  [130, { name: 'garbageCollect', run: system.collect, unwinds }],
  [131, { name: 'garbageCollectMost', run: system.collect, unwinds }],
  [132, { name: 'pointsTo:', run: object.pointsTo }],
  [135, { name: 'millisecondClock', run: time.millisecondClock }],
  [137, { name: 'secondClock', run: time.secondClock }],
  [143, { name: 'shortAt:', run: subscript.shortAt }],
  [144, { name: 'shortAt:put:', run: subscript.shortAtPut }],
  [145, { name: 'atAllPut:', run: subscript.constantFill }],
  [148, { name: 'clone', run: object.clone }],
  [158, { name: 'String compareWith:', run: string.stringCompare }],
  [159, { name: 'Integer hashMultiply', run: integer.hashMultiply }],
  [160, { name: 'Behavior adoptInstance:', run: object.adoptInstance }],
  [163, { name: 'isReadOnlyObject', run: object.isReadOnlyObject }],
  [164, { name: 'setIsReadOnlyObject:', run: object.setReadOnlyObject }],
  [165, { name: 'integerAt:', run: subscript.integerAt }],
  [166, { name: 'integerAt:put:', run: subscript.integerAtPut }],
  [168, { name: 'copyFrom:', run: object.copyFrom }],
  [169, { name: '~~', run: object.different }],
  [170, { name: 'Character value:', run: character.asCharacter }],
  [171, { name: 'Character asInteger', run: character.asInteger }],
  [173, { name: 'slotAt:', run: subscript.slotAt }],
  [174, { name: 'slotAt:put:', run: subscript.slotAtPut }],
  [175, { name: 'Behavior hash', run: object.identityHash }],
  [176, { name: 'maxIdentityHash', run: object.maxIdentityHash }],
  [177, { name: 'Behavior allInstances', run: object.allInstances, unwinds }],
  [178, { name: 'allObjects', run: object.allObjects, unwinds }],
  [181, { name: 'Behavior byteSizeOfInstance', run: object.byteSizeOfInstance }],
  [182, { name: 'Behavior byteSizeOfInstanceOfSize:', run: object.byteSizeOfInstance }],
  [240, { name: 'utcMicrosecondClock', run: time.utcMicroseconds }],
  [241, { name: 'localMicrosecondClock', run: time.localMicroseconds }],
  [249, { name: 'Array becomeForward:copyHash:', run: object.arrayBecomeOneWayCopyHash, unwinds }],
];

/** The table the interpreter asks. */
export const PRIMITIVES: PrimitiveTable = primitiveTable();

/** Makes the table from the rows. */
export function primitiveTable(): PrimitiveTable {
  const numbered: (PrimitiveEntry | undefined)[] = [];
  for (const [number, entry] of NUMBERED) numbered[number] = entry;
  const named = new Map(NAMED.map((entry) => [entry.name, entry]));
  return {
    numbered: (number) => numbered[number],
    named: (module, name) => (module === MODULE ? named.get(name) : undefined),
  };
}
