import { describe, expect, test } from 'vitest';
import { addParameters, slowness } from './qemu.ts';

describe('addParameters()', () => {
  test("puts parameters before the -- that begins init's arguments", () => {
    expect(addParameters('quiet rdinit=/bin/node -- /app/main.js', ['loglevel=7'])).toBe(
      'quiet rdinit=/bin/node loglevel=7 -- /app/main.js',
    );
  });

  test('adds at the end when init has no arguments', () => {
    expect(addParameters('quiet', ['a=1', 'b'])).toBe('quiet a=1 b');
  });

  test('is not misled by dashes inside a word', () => {
    expect(addParameters('a=--b quiet', ['c'])).toBe('a=--b quiet c');
  });
});

describe('slowness()', () => {
  test('stretches waits and never shrinks them', () => {
    expect(slowness({ PALIMPSEST_SLOW: '3' })).toBe(3);
    expect(slowness({ PALIMPSEST_SLOW: '0.1' })).toBe(1);
    expect(slowness({ PALIMPSEST_SLOW: 'nonsense' })).toBe(1);
    expect(slowness({})).toBe(1);
  });
});
