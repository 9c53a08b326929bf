import { describe, expect, test } from 'vitest';
import { dirtyPagesWorthCommit } from './checkpoint-policy.ts';

describe('dirtyPagesWorthCommit()', () => {
  const base = { ran: true, msSinceCommit: 6_000, outsideSinceCommit: false };
  test('never wants one when nothing ran', () => {
    expect(dirtyPagesWorthCommit({ ...base, ran: false, msSinceCommit: 1e9 })).toBeNull();
  });
  test('leaves a program that only ticks alone for five minutes', () => {
    expect(dirtyPagesWorthCommit(base)).toBe(17);
    expect(dirtyPagesWorthCommit({ ...base, msSinceCommit: 300_000 })).toBe(1);
  });
  test('commits what came from outside after five seconds', () => {
    expect(dirtyPagesWorthCommit({ ...base, outsideSinceCommit: true })).toBe(1);
    expect(
      dirtyPagesWorthCommit({ ...base, outsideSinceCommit: true, msSinceCommit: 4_999 }),
    ).toBeNull();
  });
});
