/**
 * The primitives with names: `<primitive: 'primitiveUtf8Encode' module: 'Palimpsest'>`. Adding one
 * is a function in the file of its receiver and a row here.
 */
import type { PrimitiveEntry } from '../interpreter/primitive-interface.ts';
import * as character from './character.ts';
import { compile } from './compile.ts';
import * as float from './float.ts';
import * as integer from './integer.ts';
import * as object from './object.ts';
import { parse } from './parse.ts';
import * as string from './string.ts';
import * as system from './system.ts';
import * as time from './time.ts';

const unwinds = true;

/** All named primitives, by receiver. */
export const NAMED: readonly PrimitiveEntry[] = [
  { name: 'primitiveCompile', run: compile },
  { name: 'primitiveParse', run: parse },

  { name: 'primitiveIntegerPrint', run: integer.integerPrint },
  { name: 'primitiveIntegerParse', run: integer.integerParse },
  { name: 'primitiveIntegerSqrt', run: integer.integerSqrt },
  { name: 'primitiveIntegerGcd', run: integer.integerGcd },
  { name: 'primitiveIntegerRaisedTo', run: integer.integerRaisedTo },

  { name: 'primitiveFloatPrint', run: float.floatPrint },
  { name: 'primitiveFloatParse', run: float.floatParse },
  { name: 'primitiveFloatTruncatedExact', run: float.truncated },
  { name: 'primitiveFloatMath', run: float.floatMath },

  { name: 'primitiveSymbolIntern', run: string.symbolIntern },
  { name: 'primitiveStringHash', run: string.stringHash },
  { name: 'primitiveStringCompare', run: string.stringCompare },
  { name: 'primitiveStringIndexOf', run: string.stringIndexOf },
  { name: 'primitiveReplaceBytes', run: string.replaceBytes },
  { name: 'primitiveUtf8Encode', run: string.utf8Encode },
  { name: 'primitiveUtf8Decode', run: string.utf8Decode },
  { name: 'primitiveUnicodeMap', run: string.unicodeMap },

  { name: 'primitiveUnicodeCategory', run: character.unicodeCategory },
  { name: 'primitiveUnicodeUpper', run: character.toUpper },
  { name: 'primitiveUnicodeLower', run: character.toLower },

  { name: 'primitiveNewShape', run: object.newShape },
  { name: 'primitiveMigrateInstances', run: object.migrateInstances, unwinds },
  { name: 'primitiveAllInstances', run: object.allInstances, unwinds },

  { name: 'primitiveMethodLookup', run: system.methodLookup },
  { name: 'primitiveFlushCache', run: system.flushCache },
  { name: 'primitiveGcScavenge', run: system.collect, unwinds },
  { name: 'primitiveStatistic', run: system.statistic },
  { name: 'primitiveStackTrace', run: system.stackTrace, unwinds },
  { name: 'primitiveConsoleWrite', run: system.consoleWrite },
  { name: 'primitiveRandomBytes', run: system.randomBytes },
  { name: 'primitiveTimeZoneOffset', run: time.timeZoneOffset },
  { name: 'primitiveCommit', run: system.commit, unwinds },
  { name: 'primitiveShutdown', run: system.shutdown },
  { name: 'primitiveCrash', run: system.crash },
  { name: 'primitiveTestEvent', run: system.testEvent },
  { name: 'primitiveGenerations', run: system.generations },
  { name: 'primitiveJournalLabel', run: system.journalLabel },
];
