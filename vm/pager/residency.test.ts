import { randomInt } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Residency } from './residency.ts';

const PAGES = 4096;
const BUDGET = 512;
const RESIDENT = 0x8000;
const CAME = 0xc000;

/** Memory in which pages come in when they are touched, as the pager does it. */
class Simulated {
  readonly states = new Uint16Array(PAGES);
  readonly dirty = new Set<number>();
  resident = 0;
  faults = 0;
  drops = 0;
  readonly residency = new Residency({
    states: this.states,
    budgetPages: BUDGET,
    isClean: (page) => !this.dirty.has(page),
    drop: (first, count) => {
      for (let page = first; page < first + count; page++) {
        expect(this.has(page), 'a page is gone by its state before it is dropped').toBe(false);
      }
      this.resident -= count;
      this.drops++;
    },
  });

  has(page: number): boolean {
    return (this.states[page]! & RESIDENT) !== 0;
  }

  touch(page: number): void {
    if (this.has(page)) return;
    this.faults++;
    this.states[page]! |= CAME;
    this.resident++;
    if (this.resident > BUDGET) this.residency.evict(this.resident - BUDGET + 32, PAGES);
  }
}

describe('Residency.evict()', () => {
  const seed = randomInt(2 ** 31);

  test(`keeps to the budget, and no dirty page goes, seed ${seed}`, () => {
    const memory = new Simulated();
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let step = 0; step < 20_000; step++) {
      const page = random(PAGES);
      memory.touch(page);
      if (random(20) === 0 && memory.dirty.size < 200) memory.dirty.add(page);
      if (random(20) === 0) memory.dirty.delete([...memory.dirty][0] ?? 0);
      expect(memory.resident).toBeLessThanOrEqual(BUDGET);
      expect([...memory.dirty].filter((each) => !memory.has(each))).toEqual([]);
    }
    expect(memory.states.reduce((sum, each) => sum + (each >>> 15), 0)).toBe(memory.resident);
  });

  test('ends when all pages are dirty, and says so', () => {
    const memory = new Simulated();
    for (let page = 0; page < BUDGET; page++) {
      memory.dirty.add(page);
      memory.touch(page);
    }
    const { evicted, dirty } = memory.residency.evict(10, PAGES);
    expect(evicted).toBe(0);
    expect(dirty).toBeGreaterThanOrEqual(BUDGET);
  });

  test('neighbours leave together', () => {
    const memory = new Simulated();
    for (let page = 1000; page < 1000 + BUDGET; page++) memory.touch(page);
    expect(memory.residency.evict(BUDGET, PAGES).evicted).toBe(BUDGET);
    expect(memory.drops).toBeLessThanOrEqual(BUDGET / 256 + 1);
  });

  test('a walk through much does not drive out what is used again and again', () => {
    const memory = new Simulated();
    const hot = 200;
    const use = (): number => {
      const before = memory.faults;
      for (let page = 0; page < hot; page++) memory.touch(page);
      return memory.faults - before;
    };
    let faults = 0;
    let uses = 0;
    for (let page = hot; page < PAGES; page++) {
      memory.touch(page);
      if (page % 16 !== 0) continue;
      faults += use();
      uses++;
    }
    // By age alone each would leave once for every BUDGET pages that come.
    expect(faults).toBeLessThan((hot * (PAGES - hot)) / BUDGET);
    expect(uses).toBeGreaterThan(0);
  });
});
