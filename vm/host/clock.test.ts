import { describe, expect, test } from 'vitest';
import { forwardClock } from './clock.ts';

describe('forwardClock()', () => {
  test('goes on from the last commit when the system clock lies before it', () => {
    let elapsed = 17;
    const clock = forwardClock(
      5_000,
      () => 100,
      () => elapsed,
    );
    expect(clock()).toBe(5_000);
    elapsed += 250;
    expect(clock()).toBe(5_250);
  });
  test('follows the system clock when that is later, and does not jump with it', () => {
    let wall = 9_000;
    let elapsed = 0;
    const clock = forwardClock(
      5_000,
      () => wall,
      () => elapsed,
    );
    wall = 1_000_000;
    elapsed = 40;
    expect(clock()).toBe(9_040);
  });
});
