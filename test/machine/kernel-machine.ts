/**
 * A machine for tests of the interpreter: the classes the VM knows, a kernel of methods just large
 * enough to use closures, ensure:, processes and semaphores, and a clock that a test can move. What
 * is tested is the machine; the class library has its own tests.
 */
import { bareDefinitions } from '../../vm/bootstrap/bare.ts';
import { buildClasses, type ClassDefinition } from '../../vm/bootstrap/class-builder.ts';
import { fillSpecialObjects } from '../../vm/bootstrap/special-objects.ts';
import { compileDoIt } from '../../vm/compiler/compiler.ts';
import { Interpreter, type InterpreterOptions } from '../../vm/interpreter/interpreter.ts';
import type { InterpreterHost } from '../../vm/interpreter/primitive-interface.ts';
import { ObjectMemory, type Oop } from '../../vm/memory/object-memory.ts';
import { compileIntoClass, installMethod } from '../../vm/objects/installer.ts';
import { PAGE_BYTES } from '../../vm/objects/layout.ts';
import { bindingOf, declareGlobal, imageScope } from '../../vm/objects/scope.ts';
import { SHAPE, SPECIAL } from '../../vm/objects/well-known.ts';
import { PRIMITIVES } from '../../vm/primitives/table.ts';

/** Class, then its methods; 'X class' for the class side. */
const KERNEL: Readonly<Record<string, readonly string[]>> = {
  Object: [
    'yourself ^ self',
    'class <primitive: 111>',
    'isNil ^ false',
    '= other ^ self == other',
    'at: i <primitive: 60> ^ #badIndex',
    'at: i put: x <primitive: 61> ^ #badIndex',
    'size <primitive: 62> ^ 0',
    'perform: s <primitive: 83> ^ #badPerform',
    'perform: s with: a <primitive: 83> ^ #badPerform',
    'perform: s with: a with: b <primitive: 83> ^ #badPerform',
    'perform: s withArguments: a <primitive: 84> ^ #badPerform',
    'perform: s withArguments: a inSuperclass: c <primitive: 100> ^ #badPerform',
    'withArgs: a executeMethod: m <primitive: 188> ^ #badExecute',
    'become: other ^ { self } exchange: { other }',
    'exchange: others <primitive: 128> ^ #cannotBecome',
    'doesNotUnderstand: m ^ Log add: m selector; yourself',
    'mustBeBoolean ^ false',
    "stop: text <primitive: 'primitiveUnhandledError' module: 'Palimpsest'>",
    'stop: p context: c text: t ' +
      "<primitive: 'primitiveUnhandledError' module: 'Palimpsest'> ^ #badStop",
  ],
  UndefinedObject: ['isNil ^ true'],
  'Object class': [],
  Behavior: [
    'new <primitive: 70> ^ #badNew',
    'new: n <primitive: 71> ^ #badNew',
    'basicNew: n <primitive: 71> ^ #badNew',
  ],
  Message: ['selector ^ selector', 'arguments ^ args'],
  SmallInteger: [
    '+ other <primitive: 1> ^ #notANumber',
    '- other <primitive: 2> ^ #notANumber',
    '* other <primitive: 9> ^ #notANumber',
    '/ other <primitive: 10> ^ #cannotDivide',
    '< other <primitive: 3> ^ #notANumber',
    'fib ^ self < 2 ifTrue: [ 1 ] ifFalse: [ (self - 1) fib + (self - 2) fib ]',
    'down ^ self = 0 ifTrue: [ 0 ] ifFalse: [ 1 + (self - 1) down ]',
    'downBlock ^ self = 0 ifTrue: [ 0 ] ifFalse: [ [ 1 + (self - 1) downBlock ] value ]',
    'error: x <primitive: 60 error: code> ^ code',
    'downError: x <primitive: 60 error: code> ^ self = 0 ifTrue: [ code ] ' +
      'ifFalse: [ (self - 1) downError: x ]',
  ],
  LargePositiveInteger: [
    '+ other <primitive: 21> ^ #notANumber',
    '= other <primitive: 27> ^ false',
  ],
  FullBlockClosure: [
    'value <primitive: 207> ^ #wrongArguments',
    'value: a <primitive: 207> ^ #wrongArguments',
    'value: a value: b <primitive: 207> ^ #wrongArguments',
    'valueWithArguments: a <primitive: 208> ^ #wrongArguments',
    'numArgs ^ numArgs',
    'copied: i ^ self at: i',
    'ensure: aBlock | complete value | <primitive: 198> ' +
      'value := self value. complete ifNil: [ complete := true. aBlock value ]. ^ value',
    'mark: aBlock | done | <primitive: 199> ^ self value',
    'newProcess ^ Process onContext: (Context for: [ self value. Processor endActive ])',
    'forkAt: p | process | process := self newProcess. process priority: p. ' +
      'process resume. ^ process',
    'fork ^ self forkAt: Processor activePriority',
    'whileDo: aBlock [ self value ] whileTrue: [ aBlock value ]',
  ],
  Context: [
    'sender ^ sender',
    'pc ^ pc',
    'receiver ^ receiver',
    'method ^ method',
    'closure ^ closureOrNil',
    'setSender: s sender := s',
    'at: i <primitive: 210> ^ #badIndex',
    'at: i put: x <primitive: 211> ^ #badIndex',
    'size <primitive: 212>',
    'stackp: n <primitive: 76> ^ #badStackp',
    'nextUnwindUpTo: c <primitive: 195> ^ nil',
    'terminateTo: c <primitive: 196> ^ #badTerminate',
    'nextHandler <primitive: 197> ^ nil',
    'home ^ closureOrNil isNil ifTrue: [ self ] ifFalse: [ closureOrNil outer home ]',
    'setClosure: c method: m pc: p receiver := c receiverOf. closureOrNil := c. method := m. pc := p',
    'aboutToReturn: value through: first | context | context := first. ' +
      '[ context isNil ] whileFalse: [ (context at: 2) isNil ifTrue: [ | block | ' +
      'context at: 2 put: true. block := context at: 1. ' +
      'thisContext terminateTo: context. block value ]. ' +
      'context := context nextUnwindUpTo: self home ]. ' +
      'thisContext terminateTo: self home sender. ^ value',
    'cannotReturn: value Log add: #cannotReturn; add: value. ^ value',
    'stackOverflow Log add: #stackOverflow. self stop: Processor activeProcess context: self ' +
      "text: 'StackOverflow'",
  ],
  'Context class': [
    'for: aBlock | context | context := self basicNew: 40. ' +
      'context setClosure: aBlock method: aBlock block pc: aBlock block initialPC. ' +
      'context stackp: aBlock numCopied. ' +
      '1 to: aBlock numCopied do: [ :i | context at: i put: (aBlock at: i) ]. ' +
      'context stackp: aBlock block numTemps. ^ context',
  ],
  BlockClosure: ['outer ^ outerContext', 'block ^ compiledBlock'],
  CompiledCode: [
    'header <primitive: 68>',
    'numTemps ^ ((self objectAt: 1) bitShift: -18) bitAnd: 63',
    'numLiterals ^ (self objectAt: 1) bitAnd: 32767',
    'initialPC ^ (self numLiterals + 1) * 4 + 1',
    'objectAt: i <primitive: 68> ^ #badIndex',
  ],
  'Process class': ['onContext: c | p | p := self new. p setContext: c. ^ p'],
  Process: [
    'setContext: c suspendedContext := c. priority := 40',
    'priority: n priority := n',
    'priority ^ priority',
    'list ^ myList',
    'context ^ suspendedContext',
    'resume <primitive: 87> ^ #cannotResume',
    'suspend <primitive: 88> ^ #cannotSuspend',
  ],
  ProcessorScheduler: [
    'activeProcess ^ activeProcess',
    'activePriority ^ activeProcess priority',
    'yield <primitive: 167>',
    'endActive activeProcess suspend',
    'signal: s at: us <primitive: 242> ^ #badTimer',
  ],
  Semaphore: [
    'setUp excessSignals := 0',
    'signal <primitive: 85> ^ #badSemaphore',
    'wait <primitive: 86> ^ #badSemaphore',
  ],
  'Semaphore class': ['new | s | s := self basicNew: 0. s setUp. ^ s'],
  OrderedLog: [
    'setUp items := Array new: 200. size := 0',
    'add: x size := size + 1. items at: size put: x',
    'items | copy | copy := Array new: size. 1 to: size do: [ :i | copy at: i put: (items at: i) ]. ' +
      '^ copy',
    'last ^ items at: size',
    'size ^ size',
  ],
};

/** Methods with slots that only FullBlockClosure has. */
const CLOSURE_METHODS = ['receiverOf ^ receiver', 'numCopied ^ self size'];

const TEST_CLASSES: readonly (readonly [string, string, readonly string[]])[] = [
  ['OrderedLog', 'Object', ['items', 'size']],
  ['Parent', 'Object', ['a']],
  ['Child', 'Parent', ['b']],
];

/** What an oop is in JavaScript, as far as tests compare it. */
export type Plain = number | bigint | string | boolean | null | Plain[] | { class: string };

export interface Stop {
  process: Oop;
  context: Oop;
  description: string;
}

export type MachineOptions = Partial<InterpreterOptions> & {
  /** Words of eden before a scavenge. */
  edenWords?: number;
  /** Whether other threads may see the heap. */
  isShared?: boolean;
};

const REGION_MIB = 256;

export class Machine {
  readonly memory: ObjectMemory;
  readonly classes: Map<string, Oop>;
  readonly interpreter: Interpreter;
  readonly finished: { process: Oop; value: Oop }[] = [];
  readonly stops: Stop[] = [];
  written = '';
  nowMicroseconds = 1_000_000_000_000_000;
  /** Microseconds the clock moves at each look at it. */
  tickMicroseconds = 0;

  constructor(options: MachineOptions = {}) {
    const { edenWords, isShared, ...interpreterOptions } = options;
    const bytes = REGION_MIB * 2 ** 20;
    this.memory = new ObjectMemory({
      heap: new Int32Array(
        isShared === true ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes),
      ),
      cards: new Uint8Array(bytes / PAGE_BYTES),
      ...(edenWords === undefined ? {} : { edenWords }),
    });
    const { memory } = this;
    memory.initializeEmpty();
    const definitions = [...bareDefinitions(), ...TEST_CLASSES.map(definition)];
    this.classes = buildClasses(memory, definitions);
    fillSpecialObjects(memory, this.classes);
    declareGlobal(memory, 'Log', memory.nil);
    for (const [name, methods] of Object.entries(KERNEL)) this.define(name, ...methods);
    this.define('FullBlockClosure', ...CLOSURE_METHODS);
    const host: InterpreterHost = {
      nowMicroseconds: () => (this.nowMicroseconds += this.tickMicroseconds),
      consoleWrite: (text) => void (this.written += text),
      processFinished: (process, value) => void this.finished.push({ process, value }),
      unhandledError: (process, context, description) =>
        void this.stops.push({ process, context, description }),
    };
    memory.extraRoots.push((visit) => {
      for (const each of this.finished) {
        each.process = visit(each.process);
        each.value = visit(each.value);
      }
      for (const each of this.stops) {
        each.process = visit(each.process);
        each.context = visit(each.context);
      }
    });
    this.interpreter = new Interpreter({
      memory,
      primitives: PRIMITIVES,
      host,
      ...interpreterOptions,
    });
    this.evaluate('Log := OrderedLog new. Log setUp');
  }

  /** Compiles methods into a class, or a class side: 'Foo class'. */
  define(className: string, ...sources: string[]): void {
    const isMeta = className.endsWith(' class');
    const classOop = this.classes.get(isMeta ? className.slice(0, -6) : className);
    if (classOop === undefined) throw new RangeError(`there is no class ${className}`);
    const target = isMeta ? this.memory.classOf(classOop) : classOop;
    for (const source of sources) {
      compileIntoClass(this.memory, target, { source, protocol: null });
    }
  }

  /** Starts an expression as a process of priority 40. */
  start(source: string, priority = 40): Oop {
    const { memory } = this;
    const spec = compileDoIt(source, imageScope(memory, memory.nil));
    const method = installMethod(memory, spec, {
      classOop: memory.nil,
      selector: spec.selector,
      source,
      protocol: null,
      bindingOf: (name) => bindingOf(memory, memory.nil, name),
    });
    return this.interpreter.spawn(method, memory.nil, [], { priority, name: 'test' });
  }

  /**
   * Runs an expression to its end; what else is ready runs too. Answers the value as plain data.
   */
  evaluate(source: string): Plain {
    this.finished.length = 0;
    const { memory } = this;
    memory.setSpecial(SPECIAL.consoleProcess, this.start(source));
    for (let turns = 0; turns < 1000; turns++) {
      const { status } = this.interpreter.run();
      if (status === 'idle') break;
    }
    const wanted = memory.special(SPECIAL.consoleProcess);
    const done = this.finished.find(({ process }) => process === wanted);
    if (done === undefined) return { class: this.stops.at(-1)?.description ?? 'does not end' };
    return this.plain(done.value);
  }

  /** What was added to the Log since the last call. */
  log(): Plain {
    const items = this.evaluate('Log items');
    this.evaluate('Log setUp');
    return items;
  }

  plain(oop: Oop): Plain {
    const { memory } = this;
    if ((oop & 1) === 1) return oop >> 1;
    if (oop === memory.nil) return null;
    if (oop === memory.true) return true;
    if (oop === memory.false) return false;
    switch (memory.shapeOf(oop)) {
      case SHAPE.LargePositiveInteger:
      case SHAPE.LargeNegativeInteger:
        return memory.integerValue(oop);
      case SHAPE.BoxedFloat64:
        return memory.floatValue(oop);
      case SHAPE.ByteString:
      case SHAPE.WideString:
        return memory.stringValue(oop);
      case SHAPE.ByteSymbol:
      case SHAPE.WideSymbol:
        return `#${memory.stringValue(oop)}`;
      case SHAPE.Array:
        return Array.from({ length: memory.slotCount(oop) }, (_, i) =>
          this.plain(memory.fetch(oop, i)),
        );
      default:
        return { class: this.#className(oop) };
    }
  }

  #className(oop: Oop): string {
    for (const [name, classOop] of this.classes) {
      if (this.memory.classOf(oop) === classOop) return name;
    }
    return 'a class';
  }
}

function definition([name, superclass, instVars]: readonly [
  string,
  string,
  readonly string[],
]): ClassDefinition {
  return {
    name,
    superclass,
    layout: 'normal',
    instVars,
    classVars: [],
    classInstVars: [],
    pools: [],
    category: 'Test',
    comment: '',
  };
}
