/**
 * Random object graphs held twice: in an ObjectMemory and as plain JavaScript objects that say what
 * must be there. Each step does the same to both; `compare` walks both from the same roots and
 * finds the first difference. What moves, forwards or is paged must not show.
 *
 * Held nodes are roots outside the heap; a heap image copied page by page starts from an Array that
 * is special object ROOTS.
 */
import { bareDefinitions, bareHeap, emptyMemory } from '../../vm/bootstrap/bare.ts';
import { newArray } from '../../vm/bootstrap/class-builder.ts';
import type { ObjectMemory, Oop } from '../../vm/memory/object-memory.ts';
import { CHAR0, FORMAT, PAGE_BYTES, PAGE_WORDS } from '../../vm/objects/layout.ts';
import { BEHAVIOR, SHAPE } from '../../vm/objects/well-known.ts';

const ROOTS = 80;
const HELD_MAX = 40;
/** Slots of a Thing at first; migrations change their number. */
const THING_SLOTS = 3;

type Value = number | Node | null | { codePoint: number };

/** What an object must be. */
interface Node {
  kind: 'pair' | 'array' | 'bytes' | 'thing' | 'float';
  slots: Value[];
  bytes: Uint8Array;
  hash: number;
  forward: Node | null;
}

/** A small generator of numbers below a bound, from a seed. */
export function randomNumbers(seed: number): (bound: number) => number {
  let state = seed | 1;
  return (bound) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    state = Math.imul(state ^ (state >>> 12), 0x297a2d39) + 0x9e3779b9;
    return ((state ^ (state >>> 15)) >>> 0) % bound;
  };
}

export class RandomHeap {
  memory: ObjectMemory;
  readonly #random: (bound: number) => number;
  readonly #edenWords: number;
  readonly #thingClass: Oop;
  #held: { node: Node; oop: Oop }[] = [];
  #thingSlots = THING_SLOTS;
  /** The journal's stand-in: the newest bytes of each page that was ever dirty. */
  readonly #disk = new Map<number, Uint8Array>();
  migrated = 0;

  constructor(seed: number, edenWords = 6000) {
    this.#random = randomNumbers(seed);
    this.#edenWords = edenWords;
    const thing = { ...bareDefinitions()[0]!, name: 'Thing', superclass: 'Object' };
    const definitions = [...bareDefinitions(), { ...thing, instVars: ['a', 'b', 'c'] }];
    const { memory, classes } = bareHeap({ edenWords, definitions });
    this.memory = memory;
    this.#thingClass = classes.get('Thing')!;
    this.#watch();
  }

  #watch(): void {
    this.memory.extraRoots.push((visit) => {
      for (const held of this.#held) held.oop = visit(held.oop);
    });
  }

  /** Does one random thing to both sides. */
  step(): void {
    const dice = this.#random(100);
    if (dice < 35 || this.#held.length < 2) this.#create();
    else if (dice < 70) this.#storeSomething();
    else if (dice < 80) this.#hold();
    else if (dice < 86) this.#release();
    else if (dice < 90) this.#askHash();
    else if (dice < 93) this.#exchange();
    else if (dice < 96) this.#forward();
    else if (dice < 97) this.#migrate();
    else this.memory.scavenge();
    if (this.memory.needsScavenge()) this.memory.scavenge();
  }

  #create(): void {
    const size = this.#size();
    const kind = (['pair', 'array', 'array', 'bytes', 'thing', 'float'] as const)[this.#random(6)]!;
    const old = this.#random(4) === 0;
    const node: Node = { kind, slots: [], bytes: new Uint8Array(0), hash: 0, forward: null };
    let shape: number = SHAPE.Association;
    let slots = 2;
    let odd = 0;
    if (kind === 'array') [shape, slots] = [SHAPE.Array, size];
    if (kind === 'thing') [shape, slots] = [this.#thingShape(), this.#thingSlots];
    if (kind === 'float') [shape, node.bytes] = [SHAPE.BoxedFloat64, new Uint8Array(8)];
    if (kind === 'bytes') {
      node.bytes = new Uint8Array(size);
      [shape, slots, odd] = [SHAPE.ByteArray, (size + 3) >> 2, -size & 3];
    }
    if (kind !== 'bytes' && kind !== 'float') node.slots = Array<Value>(slots).fill(null);
    const { memory } = this;
    const oop = old
      ? memory.instantiateOld(shape, slots, -1, odd)
      : memory.instantiate(shape, slots, -1, odd);
    this.#held.push({ node, oop });
    if (this.#held.length > HELD_MAX) this.#held.splice(this.#random(HELD_MAX), 1);
  }

  /** Mostly small; sometimes with a prefix, over several pages, or too large for eden. */
  #size(): number {
    const dice = this.#random(40);
    if (dice === 0) return 66_000 + this.#random(4000);
    if (dice < 3) return 900 + this.#random(5000);
    if (dice < 6) return 250 + this.#random(10);
    return this.#random(12);
  }

  #thingShape(): number {
    return this.memory.fetch(this.#thingClass, BEHAVIOR.shape) >> 1;
  }

  #pick(): { node: Node; oop: Oop } {
    const held = this.#held[this.#random(this.#held.length)]!;
    return { node: resolve(held.node), oop: this.memory.follow(held.oop) };
  }

  #storeSomething(): void {
    const { memory } = this;
    const target = this.#pick();
    if (target.node.slots.length > 0) {
      const index = this.#random(target.node.slots.length);
      const value = this.#value();
      target.node.slots[index] = value.node;
      memory.store(target.oop, index, value.oop);
    } else if (target.node.bytes.length > 0) {
      const index = this.#random(target.node.bytes.length);
      const byte = this.#random(256);
      target.node.bytes[index] = byte;
      memory.storeByte(target.oop, index, byte);
    }
  }

  #value(): { node: Value; oop: Oop } {
    const dice = this.#random(8);
    const number = this.#random(2 ** 20) - 2 ** 19;
    if (dice === 0) return { node: null, oop: this.memory.nil };
    if (dice === 1) return { node: number, oop: (number << 1) | 1 };
    if (dice === 2) return { node: { codePoint: 955 }, oop: CHAR0 + 2 * 955 };
    return this.#pick();
  }

  /** Holds something that a held object refers to. */
  #hold(): void {
    const { node, oop } = this.#pick();
    if (node.slots.length === 0) return;
    const index = this.#random(node.slots.length);
    const value = node.slots[index]!;
    if (!isNode(value)) return;
    this.#held.push({ node: value, oop: this.memory.fetch(oop, index) });
  }

  #release(): void {
    this.#held.splice(this.#random(this.#held.length), 1);
  }

  #askHash(): void {
    const { node, oop } = this.#pick();
    if (node.kind === 'float') return;
    const hash = this.memory.identityHash(oop);
    if (node.hash !== 0 && node.hash !== hash) throw new Error('an identity hash has changed');
    node.hash = hash;
  }

  #exchange(): void {
    const first = this.#pick();
    const second = this.#pick();
    if (first.node === second.node || first.node.kind === 'float') return;
    if (second.node.kind === 'float') return;
    if (!this.memory.become([[first.oop, second.oop]])) throw new Error('become: was refused');
    const { kind, slots, bytes } = first.node;
    first.node.kind = second.node.kind;
    first.node.slots = second.node.slots;
    first.node.bytes = second.node.bytes;
    Object.assign(second.node, { kind, slots, bytes });
  }

  #forward(): void {
    const from = this.#pick();
    const to = this.#pick();
    if (from.node === to.node || to.node.kind === 'float') return;
    const copyHash = this.#random(2) === 0;
    if (!this.memory.becomeForward([[from.oop, to.oop]], copyHash)) throw new Error('refused');
    from.node.forward = to.node;
    if (copyHash && from.node.hash !== 0 && from.node.kind !== 'float') {
      to.node.hash = from.node.hash;
    }
  }

  /** Gives all Things a random layout of 1 to 6 slots, each an old one's or new. */
  #migrate(): void {
    const { memory } = this;
    const slotMap = new Int32Array(1 + this.#random(6));
    for (let i = 0; i < slotMap.length; i++) {
      slotMap[i] = this.#random(this.#thingSlots + 1) - 1;
    }
    const things = [...this.#reachable()].filter((node) => node.kind === 'thing');
    const oldShape = this.#thingShape();
    const names = newArray(memory, Array<Oop>(slotMap.length).fill(memory.internSymbol('slot')));
    const shape = memory.newShape(this.#thingClass, names, FORMAT.fixed);
    const count = memory.migrateInstances(oldShape, shape, slotMap);
    if (count < things.length) throw new Error('an instance was not migrated');
    this.migrated += count;
    this.#thingSlots = slotMap.length;
    for (const node of things) {
      node.slots = Array.from(slotMap, (from) => (from < 0 ? null : node.slots[from]!));
    }
  }

  #reachable(): Set<Node> {
    const seen = new Set<Node>();
    const open = this.#held.map(({ node }) => resolve(node));
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (seen.has(node)) continue;
      seen.add(node);
      for (const value of node.slots) if (isNode(value)) open.push(resolve(value));
    }
    return seen;
  }

  /** Copies the dirty pages, as a checkpoint does, and goes on in a fresh memory made of them. */
  checkpointAndResume(): void {
    const old = this.memory;
    old.setSpecial(
      ROOTS,
      newArray(
        old,
        this.#held.map(({ oop }) => oop),
      ),
    );
    old.prepareCheckpoint();
    const pages = old.dirtyPages();
    for (const page of pages) {
      const start = old.H.byteOffset + page * PAGE_BYTES;
      this.#disk.set(page, new Uint8Array(old.H.buffer, start, PAGE_BYTES).slice());
    }
    old.clearCheckpointCards(pages);
    if (old.dirtyPages().length > 0) throw new Error('a page stayed dirty');

    const fresh = emptyMemory({ edenWords: this.#edenWords });
    for (const [page, bytes] of this.#disk) {
      fresh.H.set(new Int32Array(bytes.buffer), page * PAGE_WORDS);
    }
    fresh.attach();
    this.memory = fresh;
    const roots = fresh.special(ROOTS);
    this.#held.forEach((held, index) => {
      held.oop = fresh.fetch(roots, index);
    });
    this.#watch();
  }

  /** The first difference between both sides, or null. */
  compare(): string | null {
    const places = new Map<Node, Oop>();
    const nodes = new Map<Oop, Node>();
    const open: [Value, Oop][] = this.#held.map(({ node, oop }) => [node, oop]);
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [value, given] = next;
      const oop = this.memory.follow(given);
      if (!isNode(value)) {
        if (!this.#isImmediate(value, oop)) return `${oop} is not ${JSON.stringify(value)}`;
        continue;
      }
      const node = resolve(value);
      if (places.has(node) || nodes.has(oop)) {
        if (places.get(node) !== oop || nodes.get(oop) !== node) return `${oop} is another object`;
        continue;
      }
      places.set(node, oop);
      nodes.set(oop, node);
      const difference = this.#difference(node, oop);
      if (difference !== null) return difference;
      node.slots.forEach((slot, i) => {
        open.push([slot, this.memory.fetch(oop, i)]);
      });
    }
    return null;
  }

  #isImmediate(value: Exclude<Value, Node>, oop: Oop): boolean {
    if (value === null) return oop === this.memory.nil;
    if (typeof value === 'number') return oop === ((value << 1) | 1);
    return oop === CHAR0 + 2 * value.codePoint;
  }

  #difference(node: Node, oop: Oop): string | null {
    const { memory } = this;
    const shapes = {
      pair: SHAPE.Association,
      array: SHAPE.Array,
      bytes: SHAPE.ByteArray,
      float: SHAPE.BoxedFloat64,
      thing: this.#thingShape(),
    };
    if (memory.shapeOf(oop) !== shapes[node.kind]) return `${oop} is no ${node.kind}`;
    const isBits = node.kind === 'bytes' || node.kind === 'float';
    if (!isBits && memory.slotCount(oop) !== node.slots.length) return `${oop} has another size`;
    const bytes = isBits ? memory.fetchBytes(oop) : new Uint8Array(0);
    if (bytes.join() !== node.bytes.join()) return `${oop} has other bytes`;
    if (node.hash !== 0 && node.kind !== 'float' && memory.identityHash(oop) !== node.hash) {
      return `${oop} has another identity hash`;
    }
    return null;
  }
}

function isNode(value: Value): value is Node {
  return typeof value === 'object' && value !== null && 'kind' in value;
}

function resolve(node: Node): Node {
  let target = node;
  while (target.forward !== null) target = target.forward;
  return target;
}
