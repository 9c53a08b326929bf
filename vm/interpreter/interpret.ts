/**
 * The bytecode loop: one call of `interpret` is one activation.
 *
 * Frame on the value stack (one Int32Array for the whole interpreter):
 *
 *     base - 1      receiver of a method, closure of a block
 *     base …        arguments, a block's copied values, temporaries
 *     …  sp         operands; sp is the top
 *
 * The caller has pushed receiver and arguments, so they are where the callee wants them and nothing
 * is copied. `interpret` answers the oop returned, or 0 while the stack unwinds: the caller then
 * saves its own frame, with receiver and arguments popped and the pc after the send, and answers 0
 * as well. `vm.unwinding` tells why. A non-local return unwinds the same way, but frames on its way
 * are left.
 *
 * A fresh activation is entered with pc ENTRY; a Context is resumed with its pc and sp. `context`
 * is the heap Context that a frame has when a closure or thisContext asked for it, else 0. While
 * the frame lives, that Context's sender slot is the SmallInteger `base`.
 *
 * The literal case labels are 2–3 times as fast as names from the table in vm/bytecode; a test
 * holds them against that table. The function is as long as the instruction set.
 */
import {
  CARD_BOTH,
  CHAR0,
  HEADER_WORDS,
  PAGE_SHIFT,
  SHAPE_FORWARDER,
  SHAPE_MASK,
  SHAPE_SMALL_INTEGER,
  SLOTS_BITS,
  SLOTS_LARGE,
  SLOTS_SHIFT,
} from '../objects/layout.ts';
import { ASSOCIATION, CLOSURE, CONTEXT, SHAPE } from '../objects/well-known.ts';
import { type Code, KIND } from './code.ts';
import { newClosure, newLiveContext, saveFrame } from './frames.ts';
import type { Interpreter } from './interpreter.ts';

/** Why the stack unwinds. */
export const UNWIND = { none: 0, save: 1, nonLocal: 2 } as const;

/** Selector indices below this one mean special selectors, -1 - index; -33 is mustBeBoolean. */
export const MUST_BE_BOOLEAN = -33;

/** startPc of a fresh activation, and of one after a primitive failed that wants the error code. */
export const ENTRY = -1;
export const ENTRY_FAILED = -2;

const ASSOCIATION_VALUE = HEADER_WORDS + ASSOCIATION.value;
const INTEGER_MIN = -(2 ** 30);
const INTEGER_MAX = 2 ** 30 - 1;

/** Runs one activation; see the head of this file. */
export function interpret(
  vm: Interpreter,
  code: Code,
  base: number,
  depth: number,
  startPc: number,
  startSp: number,
  startContext: number,
): number {
  const H = vm.H;
  const stack = vm.stack;
  const bytes = code.bytes;
  const literals = code.literals;
  const nil = vm.nil;
  let pc = startPc;
  let sp = startSp;
  let context = startContext;
  let receiver = stack[base - 1]!;
  let ensureBefore = 0;
  let result = 0;
  let extendA = 0;
  let extendB = 0;
  let extendBytes = 0; // bytes of extensions so far, and 256 for each of B
  let argc = 0;
  let selector = 0;
  let flag = false;

  if (pc < 0) {
    pc = code.startPc;
    sp = base + code.numArgs - 1;
    if (code.isBlock) {
      const closure = receiver;
      receiver = H[closure + HEADER_WORDS + CLOSURE.receiver]!;
      const words = (H[closure + 1]! >>> SLOTS_SHIFT) & SLOTS_BITS;
      const room = CLOSURE.copiedFirst + code.numTemps - code.numArgs;
      const end = closure + HEADER_WORDS + Math.min(words, room);
      for (let at = closure + HEADER_WORDS + CLOSURE.copiedFirst; at < end; at++) {
        stack[++sp] = H[at]!;
      }
      if ((receiver & 1) === 0 && (H[receiver]! & SHAPE_MASK) === SHAPE_FORWARDER) {
        receiver = vm.memory.follow(receiver);
      }
    }
    const last = base + code.numTemps - 1;
    while (sp < last) stack[++sp] = nil;
    if (startPc === ENTRY_FAILED) stack[sp] = vm.primitiveError;
    if (depth > vm.depthMax || base + code.frameWords > vm.stackLimit) {
      vm.overflow();
      saveFrame(vm, code, base, sp, pc, context, receiver);
      return 0;
    }
    if (--vm.ticks < 0 || H[0] !== 0) {
      if (vm.poll()) {
        saveFrame(vm, code, base, sp, pc, context, receiver);
        return 0;
      }
    }
  } else if (code.isBlock) {
    receiver = H[receiver + HEADER_WORDS + CLOSURE.receiver]!;
    if ((receiver & 1) === 0 && (H[receiver]! & SHAPE_MASK) === SHAPE_FORWARDER) {
      receiver = vm.memory.follow(receiver);
    }
  }
  if (code.isEnsure) {
    ensureBefore = vm.ensureBase;
    vm.ensureBase = base;
  }
  const siteWord = code.siteWord;
  const siteCode = code.siteCode;
  const cards = vm.cards;

  activation: for (;;) {
    // biome-ignore lint/suspicious/noConfusingLabels: two ways out of the switch, without flags
    send: {
      // biome-ignore lint/suspicious/noConfusingLabels: as above
      test: {
        const op = bytes[pc++]!;
        switch (op) {
          case 0x00: // pushReceiverVariable
          case 0x01: // pushReceiverVariable
          case 0x02: // pushReceiverVariable
          case 0x03: // pushReceiverVariable
          case 0x04: // pushReceiverVariable
          case 0x05: // pushReceiverVariable
          case 0x06: // pushReceiverVariable
          case 0x07: // pushReceiverVariable
          case 0x08: // pushReceiverVariable
          case 0x09: // pushReceiverVariable
          case 0x0a: // pushReceiverVariable
          case 0x0b: // pushReceiverVariable
          case 0x0c: // pushReceiverVariable
          case 0x0d: // pushReceiverVariable
          case 0x0e: // pushReceiverVariable
          case 0x0f: // pushReceiverVariable
            stack[++sp] = H[receiver + HEADER_WORDS + op]!;
            continue activation;
          case 0x10: // pushLiteralVariable
          case 0x11: // pushLiteralVariable
          case 0x12: // pushLiteralVariable
          case 0x13: // pushLiteralVariable
          case 0x14: // pushLiteralVariable
          case 0x15: // pushLiteralVariable
          case 0x16: // pushLiteralVariable
          case 0x17: // pushLiteralVariable
          case 0x18: // pushLiteralVariable
          case 0x19: // pushLiteralVariable
          case 0x1a: // pushLiteralVariable
          case 0x1b: // pushLiteralVariable
          case 0x1c: // pushLiteralVariable
          case 0x1d: // pushLiteralVariable
          case 0x1e: // pushLiteralVariable
          case 0x1f: // pushLiteralVariable
            {
              let binding = H[literals + op - 0x10]!;
              if ((H[binding]! & SHAPE_MASK) === SHAPE_FORWARDER)
                binding = vm.memory.follow(binding);
              stack[++sp] = H[binding + ASSOCIATION_VALUE]!;
              continue activation;
            }
          case 0x20: // pushLiteral
          case 0x21: // pushLiteral
          case 0x22: // pushLiteral
          case 0x23: // pushLiteral
          case 0x24: // pushLiteral
          case 0x25: // pushLiteral
          case 0x26: // pushLiteral
          case 0x27: // pushLiteral
          case 0x28: // pushLiteral
          case 0x29: // pushLiteral
          case 0x2a: // pushLiteral
          case 0x2b: // pushLiteral
          case 0x2c: // pushLiteral
          case 0x2d: // pushLiteral
          case 0x2e: // pushLiteral
          case 0x2f: // pushLiteral
          case 0x30: // pushLiteral
          case 0x31: // pushLiteral
          case 0x32: // pushLiteral
          case 0x33: // pushLiteral
          case 0x34: // pushLiteral
          case 0x35: // pushLiteral
          case 0x36: // pushLiteral
          case 0x37: // pushLiteral
          case 0x38: // pushLiteral
          case 0x39: // pushLiteral
          case 0x3a: // pushLiteral
          case 0x3b: // pushLiteral
          case 0x3c: // pushLiteral
          case 0x3d: // pushLiteral
          case 0x3e: // pushLiteral
          case 0x3f: // pushLiteral
            stack[++sp] = H[literals + op - 0x20]!;
            continue activation;
          case 0x40: // pushTemp
          case 0x41: // pushTemp
          case 0x42: // pushTemp
          case 0x43: // pushTemp
          case 0x44: // pushTemp
          case 0x45: // pushTemp
          case 0x46: // pushTemp
          case 0x47: // pushTemp
          case 0x48: // pushTemp
          case 0x49: // pushTemp
          case 0x4a: // pushTemp
          case 0x4b: // pushTemp
            stack[++sp] = stack[base + op - 0x40]!;
            continue activation;
          case 0x4c: // pushReceiver
            stack[++sp] = receiver;
            continue activation;
          case 0x4d: // pushTrue
            stack[++sp] = vm.true;
            continue activation;
          case 0x4e: // pushFalse
            stack[++sp] = vm.false;
            continue activation;
          case 0x4f: // pushNil
            stack[++sp] = nil;
            continue activation;
          case 0x50: // pushInteger
            stack[++sp] = 1;
            continue activation;
          case 0x51: // pushInteger
            stack[++sp] = 3;
            continue activation;
          case 0x52: // pushThisContext
            if (extendB !== 0) {
              stack[++sp] = vm.activeProcess;
              extendB = 0;
              extendBytes = 0;
              continue activation;
            }
            if (context === 0) context = newLiveContext(vm, code, base, receiver);
            stack[++sp] = context;
            continue activation;
          case 0x53: // duplicate
            stack[sp + 1] = stack[sp]!;
            sp++;
            continue activation;
          case 0x58: // returnReceiver
            result = receiver;
            break activation;
          case 0x59: // returnTrue
            result = vm.true;
            break activation;
          case 0x5a: // returnFalse
            result = vm.false;
            break activation;
          case 0x5b: // returnNil
            result = nil;
            break activation;
          case 0x5c: // returnTop
            result = stack[sp]!;
            break activation;
          case 0x5d: // blockReturnNil
            result = nil;
            flag = true;
            break activation;
          case 0x5e: // blockReturnTop
            result = stack[sp]!;
            flag = true;
            break activation;
          case 0x5f: // nop
            extendA = 0;
            extendB = 0;
            extendBytes = 0;
            continue activation;
          case 0x60: // sendSpecial +
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                const sum = (a - 1 + b) | 0;
                if (((a ^ sum) & (b ^ sum)) >= 0) {
                  stack[--sp] = sum;
                  continue activation;
                }
              } else {
                const sum = vm.floatAdd(a, b);
                if (sum !== 0) {
                  stack[--sp] = sum;
                  continue activation;
                }
              }
              argc = 1;
              selector = -1;
              break send;
            }
          case 0x61: // sendSpecial -
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                const difference = (a - b + 1) | 0;
                if (((a ^ b) & (a ^ difference)) >= 0) {
                  stack[--sp] = difference;
                  continue activation;
                }
              } else {
                const difference = vm.floatSubtract(a, b);
                if (difference !== 0) {
                  stack[--sp] = difference;
                  continue activation;
                }
              }
              argc = 1;
              selector = -2;
              break send;
            }
          case 0x62: // sendSpecial <
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                flag = a < b;
                break test;
              }
              if (vm.floatPair(a, b)) {
                flag = vm.left < vm.right;
                break test;
              }
              argc = 1;
              selector = -3;
              break send;
            }
          case 0x63: // sendSpecial >
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                flag = a > b;
                break test;
              }
              if (vm.floatPair(a, b)) {
                flag = vm.left > vm.right;
                break test;
              }
              argc = 1;
              selector = -4;
              break send;
            }
          case 0x64: // sendSpecial <=
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                flag = a <= b;
                break test;
              }
              if (vm.floatPair(a, b)) {
                flag = vm.left <= vm.right;
                break test;
              }
              argc = 1;
              selector = -5;
              break send;
            }
          case 0x65: // sendSpecial >=
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                flag = a >= b;
                break test;
              }
              if (vm.floatPair(a, b)) {
                flag = vm.left >= vm.right;
                break test;
              }
              argc = 1;
              selector = -6;
              break send;
            }
          case 0x66: // sendSpecial =
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                flag = a === b;
                break test;
              }
              if (vm.floatPair(a, b)) {
                flag = vm.left === vm.right;
                break test;
              }
              argc = 1;
              selector = -7;
              break send;
            }
          case 0x67: // sendSpecial ~=
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                flag = a !== b;
                break test;
              }
              if (vm.floatPair(a, b)) {
                flag = vm.left !== vm.right;
                break test;
              }
              argc = 1;
              selector = -8;
              break send;
            }
          case 0x68: // sendSpecial *
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                const product = (a >> 1) * (b >> 1);
                if (product >= INTEGER_MIN && product <= INTEGER_MAX) {
                  stack[--sp] = (product << 1) | 1;
                  continue activation;
                }
              } else if (vm.floatPair(a, b)) {
                stack[--sp] = vm.newFloat(vm.left * vm.right);
                continue activation;
              }
              argc = 1;
              selector = -9;
              break send;
            }
          case 0x69: // sendSpecial /
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                if (b !== 1 && (a >> 1) % (b >> 1) === 0) {
                  const quotient = (a >> 1) / (b >> 1);
                  if (quotient <= INTEGER_MAX) {
                    stack[--sp] = (quotient << 1) | 1;
                    continue activation;
                  }
                }
              } else if (vm.floatPair(a, b) && vm.right !== 0) {
                stack[--sp] = vm.newFloat(vm.left / vm.right);
                continue activation;
              }
              argc = 1;
              selector = -10;
              break send;
            }
          case 0x6a: // sendSpecial \\
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0 && b !== 1) {
                const divisor = b >> 1;
                let rest = (a >> 1) % divisor;
                if (rest !== 0 && (rest ^ divisor) < 0) rest += divisor;
                stack[--sp] = (rest << 1) | 1;
                continue activation;
              }
              argc = 1;
              selector = -11;
              break send;
            }
          case 0x6b: // sendSpecial @
            argc = 1;
            selector = -12;
            break send;
          case 0x6c: // sendSpecial bitShift:
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                const value = a >> 1;
                const shift = b >> 1;
                if (shift <= 0) {
                  stack[--sp] = ((value >> (shift < -31 ? 31 : -shift)) << 1) | 1;
                  continue activation;
                }
                if (shift < 31 && (value << shift) >> shift === value) {
                  const shifted = value << shift;
                  if (shifted >= INTEGER_MIN && shifted <= INTEGER_MAX) {
                    stack[--sp] = (shifted << 1) | 1;
                    continue activation;
                  }
                }
              }
              argc = 1;
              selector = -13;
              break send;
            }
          case 0x6d: // sendSpecial //
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0 && b !== 1) {
                const quotient = Math.floor((a >> 1) / (b >> 1));
                if (quotient <= INTEGER_MAX) {
                  stack[--sp] = (quotient << 1) | 1;
                  continue activation;
                }
              }
              argc = 1;
              selector = -14;
              break send;
            }
          case 0x6e: // sendSpecial bitAnd:
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                stack[--sp] = a & b;
                continue activation;
              }
              argc = 1;
              selector = -15;
              break send;
            }
          case 0x6f: // sendSpecial bitOr:
            {
              const a = stack[sp - 1]!;
              const b = stack[sp]!;
              if ((a & b & 1) !== 0) {
                stack[--sp] = a | b;
                continue activation;
              }
              argc = 1;
              selector = -16;
              break send;
            }
          case 0x70: // sendSpecial at:
            {
              const array = stack[sp - 1]!;
              const index = stack[sp]!;
              // Array>>at: is primitive 60 here, as the inline cache says: nothing is bypassed.
              if (
                (array & 1) === 0 &&
                (index & 1) !== 0 &&
                H[array] === vm.arrayWord &&
                siteWord[pc] === vm.arrayWord &&
                siteCode[pc]!.primitive === 60
              ) {
                const slots = (H[array + 1]! >>> SLOTS_SHIFT) & SLOTS_BITS;
                if (slots !== SLOTS_LARGE && index > 1 && index >> 1 <= slots) {
                  stack[--sp] = H[array + HEADER_WORDS - 1 + (index >> 1)]!;
                  continue activation;
                }
              }
              argc = 1;
              selector = -17;
              break send;
            }
          case 0x71: // sendSpecial at:put:
            {
              const array = stack[sp - 2]!;
              const index = stack[sp - 1]!;
              if (
                (array & 1) === 0 &&
                (index & 1) !== 0 &&
                H[array] === vm.arrayWord &&
                siteWord[pc] === vm.arrayWord &&
                siteCode[pc]!.primitive === 61
              ) {
                const slots = (H[array + 1]! >>> SLOTS_SHIFT) & SLOTS_BITS;
                if (slots !== SLOTS_LARGE && index > 1 && index >> 1 <= slots) {
                  const at = array + HEADER_WORDS - 1 + (index >> 1);
                  H[at] = stack[sp]!;
                  cards[at >> PAGE_SHIFT] = CARD_BOTH;
                  sp -= 2;
                  stack[sp] = stack[sp + 2]!;
                  continue activation;
                }
              }
              argc = 2;
              selector = -18;
              break send;
            }
          case 0x72: // sendSpecial size
            argc = 0;
            selector = -19;
            break send;
          case 0x73: // sendSpecial next
            argc = 0;
            selector = -20;
            break send;
          case 0x74: // sendSpecial nextPut:
            argc = 1;
            selector = -21;
            break send;
          case 0x75: // sendSpecial atEnd
            argc = 0;
            selector = -22;
            break send;
          case 0x76: // sendSpecial ==
            flag = stack[sp - 1] === stack[sp] || vm.identical(stack[sp - 1]!, stack[sp]!);
            break test;
          case 0x77: // sendSpecial class
            stack[sp] = vm.memory.classOf(stack[sp]!);
            continue activation;
          case 0x78: // sendSpecial ~~
            flag = stack[sp - 1] !== stack[sp] && !vm.identical(stack[sp - 1]!, stack[sp]!);
            break test;
          case 0x79: // sendSpecial value
            argc = 0;
            selector = -26;
            break send;
          case 0x7a: // sendSpecial value:
            argc = 1;
            selector = -27;
            break send;
          case 0x7b: // sendSpecial do:
            argc = 1;
            selector = -28;
            break send;
          case 0x7c: // sendSpecial new
            argc = 0;
            selector = -29;
            break send;
          case 0x7d: // sendSpecial new:
            argc = 1;
            selector = -30;
            break send;
          case 0x7e: // sendSpecial x
            argc = 0;
            selector = -31;
            break send;
          case 0x7f: // sendSpecial y
            argc = 0;
            selector = -32;
            break send;
          case 0x80: // send
          case 0x81: // send
          case 0x82: // send
          case 0x83: // send
          case 0x84: // send
          case 0x85: // send
          case 0x86: // send
          case 0x87: // send
          case 0x88: // send
          case 0x89: // send
          case 0x8a: // send
          case 0x8b: // send
          case 0x8c: // send
          case 0x8d: // send
          case 0x8e: // send
          case 0x8f: // send
            argc = 0;
            selector = op - 0x80;
            break send;
          case 0x90: // send
          case 0x91: // send
          case 0x92: // send
          case 0x93: // send
          case 0x94: // send
          case 0x95: // send
          case 0x96: // send
          case 0x97: // send
          case 0x98: // send
          case 0x99: // send
          case 0x9a: // send
          case 0x9b: // send
          case 0x9c: // send
          case 0x9d: // send
          case 0x9e: // send
          case 0x9f: // send
            argc = 1;
            selector = op - 0x90;
            break send;
          case 0xa0: // send
          case 0xa1: // send
          case 0xa2: // send
          case 0xa3: // send
          case 0xa4: // send
          case 0xa5: // send
          case 0xa6: // send
          case 0xa7: // send
          case 0xa8: // send
          case 0xa9: // send
          case 0xaa: // send
          case 0xab: // send
          case 0xac: // send
          case 0xad: // send
          case 0xae: // send
          case 0xaf: // send
            argc = 2;
            selector = op - 0xa0;
            break send;
          case 0xb0: // jump
          case 0xb1: // jump
          case 0xb2: // jump
          case 0xb3: // jump
          case 0xb4: // jump
          case 0xb5: // jump
          case 0xb6: // jump
          case 0xb7: // jump
            pc += op - 0xaf;
            continue activation;
          case 0xb8: // jumpIfTrue
          case 0xb9: // jumpIfTrue
          case 0xba: // jumpIfTrue
          case 0xbb: // jumpIfTrue
          case 0xbc: // jumpIfTrue
          case 0xbd: // jumpIfTrue
          case 0xbe: // jumpIfTrue
          case 0xbf: // jumpIfTrue
            if (stack[sp] === vm.true) {
              sp--;
              pc += op - 0xb7;
              continue activation;
            }
            if (stack[sp] === vm.false) {
              sp--;
              continue activation;
            }
            pc -= 1;
            argc = 0;
            selector = MUST_BE_BOOLEAN;
            break send;
          case 0xc0: // jumpIfFalse
          case 0xc1: // jumpIfFalse
          case 0xc2: // jumpIfFalse
          case 0xc3: // jumpIfFalse
          case 0xc4: // jumpIfFalse
          case 0xc5: // jumpIfFalse
          case 0xc6: // jumpIfFalse
          case 0xc7: // jumpIfFalse
            if (stack[sp] === vm.false) {
              sp--;
              pc += op - 0xbf;
              continue activation;
            }
            if (stack[sp] === vm.true) {
              sp--;
              continue activation;
            }
            pc -= 1;
            argc = 0;
            selector = MUST_BE_BOOLEAN;
            break send;
          case 0xc8: // popIntoReceiverVariable
          case 0xc9: // popIntoReceiverVariable
          case 0xca: // popIntoReceiverVariable
          case 0xcb: // popIntoReceiverVariable
          case 0xcc: // popIntoReceiverVariable
          case 0xcd: // popIntoReceiverVariable
          case 0xce: // popIntoReceiverVariable
          case 0xcf: // popIntoReceiverVariable
            {
              const at = receiver + HEADER_WORDS + op - 0xc8;
              H[at] = stack[sp--]!;
              cards[at >> PAGE_SHIFT] = CARD_BOTH;
              continue activation;
            }
          case 0xd0: // popIntoTemp
          case 0xd1: // popIntoTemp
          case 0xd2: // popIntoTemp
          case 0xd3: // popIntoTemp
          case 0xd4: // popIntoTemp
          case 0xd5: // popIntoTemp
          case 0xd6: // popIntoTemp
          case 0xd7: // popIntoTemp
            stack[base + op - 0xd0] = stack[sp--]!;
            continue activation;
          case 0xd8: // pop
            sp--;
            continue activation;
          case 0xe0: // extendA
            extendA = (extendA << 8) | bytes[pc++]!;
            extendBytes += 2;
            continue activation;
          case 0xe1: // extendB
            {
              const byte = bytes[pc++]!;
              extendB = extendBytes < 256 && byte > 127 ? byte - 256 : (extendB << 8) | byte;
              extendBytes += 258;
              continue activation;
            }
          case 0xe2: // pushReceiverVariable
            stack[++sp] = H[receiver + HEADER_WORDS + (extendA << 8) + bytes[pc++]!]!;
            extendA = 0;
            extendBytes = 0;
            continue activation;
          case 0xe3: // pushLiteralVariable
            {
              let binding = H[literals + (extendA << 8) + bytes[pc++]!]!;
              extendA = 0;
              extendBytes = 0;
              if ((H[binding]! & SHAPE_MASK) === SHAPE_FORWARDER)
                binding = vm.memory.follow(binding);
              stack[++sp] = H[binding + ASSOCIATION_VALUE]!;
              continue activation;
            }
          case 0xe4: // pushLiteral
            stack[++sp] = H[literals + (extendA << 8) + bytes[pc++]!]!;
            extendA = 0;
            extendBytes = 0;
            continue activation;
          case 0xe5: // pushTemp
            stack[++sp] = stack[base + bytes[pc++]!]!;
            continue activation;
          case 0xe7: // pushNewArray
            {
              const size = bytes[pc]! & 0x7f;
              const pops = bytes[pc++]! > 0x7f;
              const array = vm.instantiate(SHAPE.Array, size);
              if (pops) {
                sp -= size;
                for (let i = 0; i < size; i++) H[array + HEADER_WORDS + i] = stack[sp + 1 + i]!;
              }
              stack[++sp] = array;
              continue activation;
            }
          case 0xe8: // pushInteger
            stack[++sp] = (((extendB << 8) + bytes[pc++]!) << 1) | 1;
            extendB = 0;
            extendBytes = 0;
            continue activation;
          case 0xe9: // pushCharacter
            stack[++sp] = CHAR0 + 2 * ((extendB << 8) + bytes[pc++]!);
            extendB = 0;
            extendBytes = 0;
            continue activation;
          case 0xea: // send
            selector = (bytes[pc]! >> 3) + (extendA << 5);
            argc = (bytes[pc++]! & 7) + (extendB << 3);
            extendA = 0;
            extendB = 0;
            extendBytes = 0;
            break send;
          case 0xeb: // superSend
            {
              selector = (bytes[pc]! >> 3) + (extendA << 5);
              argc = (bytes[pc++]! & 7) + ((extendB & 63) << 3);
              extendA = 0;
              extendB = 0;
              extendBytes = 0;
              let target = siteCode[pc];
              if (target === undefined) {
                target = vm.sends.toSuper(code, pc, H[literals + selector]!, sp - argc + 1, argc);
                argc = vm.sends.count;
                sp = vm.sends.base + argc - 1;
              }
              const value =
                target.kind === KIND.plain
                  ? interpret(vm, target, sp - argc + 1, depth + 1, -1, 0, 0)
                  : vm.invoke(target, sp - argc + 1, argc, depth);
              sp -= argc;
              if (value !== 0) {
                stack[sp] = value;
                continue activation;
              }
              if (vm.unwinding === UNWIND.nonLocal) {
                if (vm.nonLocalBase === base) {
                  vm.unwinding = UNWIND.none;
                  result = vm.nonLocalValue;
                  flag = true;
                  break activation;
                }
                if (context !== 0) vm.killContext(context);
                return 0;
              }
              saveFrame(vm, code, base, sp - 1, pc, context, receiver);
              return 0;
            }
          case 0xed: // jump
            {
              const distance = (extendB << 8) + bytes[pc++]!;
              pc += distance;
              extendB = 0;
              extendBytes = 0;
              if (distance < 0 && (--vm.ticks < 0 || H[0] !== 0)) {
                if (vm.poll()) {
                  saveFrame(vm, code, base, sp, pc, context, receiver);
                  return 0;
                }
              }
              continue activation;
            }
          case 0xee: // jumpIfTrue
            if (stack[sp] === vm.true) {
              sp--;
              pc += (extendB << 8) + bytes[pc]! + 1;
            } else if (stack[sp] === vm.false) {
              sp--;
              pc++;
            } else {
              pc -= 1 + (extendBytes & 255);
              extendB = 0;
              extendBytes = 0;
              argc = 0;
              selector = MUST_BE_BOOLEAN;
              break send;
            }
            extendB = 0;
            extendBytes = 0;
            continue activation;
          case 0xef: // jumpIfFalse
            if (stack[sp] === vm.false) {
              sp--;
              pc += (extendB << 8) + bytes[pc]! + 1;
            } else if (stack[sp] === vm.true) {
              sp--;
              pc++;
            } else {
              pc -= 1 + (extendBytes & 255);
              extendB = 0;
              extendBytes = 0;
              argc = 0;
              selector = MUST_BE_BOOLEAN;
              break send;
            }
            extendB = 0;
            extendBytes = 0;
            continue activation;
          case 0xf0: // popIntoReceiverVariable
            {
              const at = receiver + HEADER_WORDS + (extendA << 8) + bytes[pc++]!;
              H[at] = stack[sp--]!;
              cards[at >> PAGE_SHIFT] = CARD_BOTH;
              extendA = 0;
              extendBytes = 0;
              continue activation;
            }
          case 0xf1: // popIntoLiteralVariable
          case 0xf4: // storeLiteralVariable
            {
              let binding = H[literals + (extendA << 8) + bytes[pc++]!]!;
              extendA = 0;
              extendBytes = 0;
              if ((H[binding]! & SHAPE_MASK) === SHAPE_FORWARDER)
                binding = vm.memory.follow(binding);
              H[binding + ASSOCIATION_VALUE] = stack[sp]!;
              cards[(binding + ASSOCIATION_VALUE) >> PAGE_SHIFT] = CARD_BOTH;
              if (op === 0xf1) sp--;
              continue activation;
            }
          case 0xf2: // popIntoTemp
            stack[base + bytes[pc++]!] = stack[sp--]!;
            continue activation;
          case 0xf3: // storeReceiverVariable
            {
              const at = receiver + HEADER_WORDS + (extendA << 8) + bytes[pc++]!;
              H[at] = stack[sp]!;
              cards[at >> PAGE_SHIFT] = CARD_BOTH;
              extendA = 0;
              extendBytes = 0;
              continue activation;
            }
          case 0xf5: // storeTemp
            stack[base + bytes[pc++]!] = stack[sp]!;
            continue activation;
          case 0xf8: // callPrimitive
            pc += 2;
            continue activation;
          case 0xf9: // pushFullClosure
            {
              const literal = H[literals + (extendA << 8) + bytes[pc]!]!;
              const flags = bytes[pc + 1]!;
              pc += 2;
              extendA = 0;
              extendBytes = 0;
              let owner = receiver;
              if (flags > 0x7f) owner = stack[sp--]!;
              let outer = nil;
              if ((flags & 0x40) === 0) {
                if (context === 0) context = newLiveContext(vm, code, base, receiver);
                outer = context;
              }
              const copied = flags & 0x3f;
              sp -= copied;
              stack[sp + 1] = newClosure(vm, literal, copied, owner, outer, sp + 1);
              sp++;
              continue activation;
            }
          case 0xfb: // pushRemoteTemp
            {
              let vector = stack[base + bytes[pc + 1]!]!;
              if (H[vector] !== vm.arrayWord) {
                vector = vm.tempVector(vector);
                if (vector === 0) {
                  saveFrame(vm, code, base, sp, pc - 1, context, receiver);
                  return 0;
                }
              }
              stack[++sp] = H[vector + HEADER_WORDS + bytes[pc]!]!;
              pc += 2;
              continue activation;
            }
          case 0xfc: // storeRemoteTemp
          case 0xfd: // popIntoRemoteTemp
            {
              let vector = stack[base + bytes[pc + 1]!]!;
              if (H[vector] !== vm.arrayWord) {
                vector = vm.tempVector(vector);
                if (vector === 0) {
                  saveFrame(vm, code, base, sp, pc - 1, context, receiver);
                  return 0;
                }
              }
              const at = vector + HEADER_WORDS + bytes[pc]!;
              H[at] = stack[sp]!;
              cards[at >> PAGE_SHIFT] = CARD_BOTH;
              if (op === 0xfd) sp--;
              pc += 2;
              continue activation;
            }
          default:
            vm.trapped(code, pc - 1);
            saveFrame(vm, code, base, sp, pc - 1, context, receiver);
            return 0;
        }
      }
      // A comparison of two operands: most often a jump follows, and no Boolean is pushed.
      sp -= 2;
      const next = bytes[pc]!;
      if (next >= 0xc0 && next <= 0xc7) {
        pc += flag ? 1 : next - 0xbe;
      } else if (next === 0xef) {
        pc += flag ? 2 : 2 + bytes[pc + 1]!;
      } else {
        stack[++sp] = flag ? vm.true : vm.false;
      }
      flag = false;
      continue;
    }

    const target0 = stack[sp - argc]!;
    const word = (target0 & 1) !== 0 ? SHAPE_SMALL_INTEGER : H[target0]!;
    let target: Code;
    if (siteWord[pc] === word) {
      target = siteCode[pc]!;
    } else {
      target = vm.sends.atSite(code, pc, selector, sp - argc + 1, argc);
      argc = vm.sends.count;
      sp = vm.sends.base + argc - 1;
    }
    let value: number;
    const kind = target.kind;
    if (kind === KIND.plain) {
      value = interpret(vm, target, sp - argc + 1, depth + 1, -1, 0, 0);
    } else if (kind === KIND.primitive) {
      value = target.run(vm, stack[sp - argc]!, sp - argc + 1, argc);
      if (value === 0) value = vm.primitiveFailed(target, sp - argc + 1, argc, depth);
    } else if (kind === KIND.returnReceiver) {
      sp -= argc;
      continue;
    } else if (kind === KIND.returnSlot) {
      sp -= argc;
      stack[sp] = H[stack[sp]! + HEADER_WORDS + target.slot]!;
      continue;
    } else {
      value = vm.invoke(target, sp - argc + 1, argc, depth);
    }
    sp -= argc;
    if (value !== 0) {
      stack[sp] = value;
      continue;
    }
    if (vm.unwinding === UNWIND.nonLocal) {
      if (vm.nonLocalBase === base) {
        vm.unwinding = UNWIND.none;
        result = vm.nonLocalValue;
        flag = true;
        break;
      }
      if (context !== 0) vm.killContext(context);
      return 0;
    }
    saveFrame(vm, code, base, sp - 1, pc, context, receiver);
    return 0;
  }

  // A return. `flag` says that it leaves just this activation; else a block's goes to its home.
  if (code.isBlock && !flag) {
    if (vm.nonLocalReturn(stack[base - 1]!, result)) {
      if (context !== 0) vm.killContext(context);
      return 0;
    }
    const popped = bytes[pc - 1] === 0x5c ? sp - 1 : sp;
    saveFrame(vm, code, base, popped, pc - 1, context, receiver);
    return 0;
  }
  if (code.isEnsure) vm.ensureBase = ensureBefore;
  if (context !== 0) {
    H[context + HEADER_WORDS + CONTEXT.sender] = nil;
    H[context + HEADER_WORDS + CONTEXT.pc] = nil;
    cards[(context + HEADER_WORDS) >> PAGE_SHIFT] = CARD_BOTH;
  }
  return result;
}
