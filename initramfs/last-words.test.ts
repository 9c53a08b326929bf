import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { panicReason, takeLastWords } from './last-words.ts';

const LOG = [
  'Panic#1 Part1',
  '<6>[   12.345678] Out of memory: Killed process 1 (node)',
  '<0>[   12.345999] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009',
  '<4>[   12.346001] CPU: 1 PID: 1 Comm: node Not tainted 6.12.117 #1',
].join('\n');

describe('panicReason()', () => {
  test('finds the panic in a log, and none where there is none', () => {
    expect(panicReason(LOG)).toBe(
      'the kernel stopped: Attempted to kill init! exitcode=0x00000009',
    );
    expect(panicReason('<6>[    1.0] all is well')).toBeNull();
  });
});

describe('takeLastWords()', () => {
  test('reads the panic once, ignores the console log of a plain restart', () => {
    const dir = mkdtempSync(join(tmpdir(), 'palimpsest-pstore-'));
    try {
      writeFileSync(join(dir, 'console-ramoops-0'), 'no panic here');
      expect(takeLastWords(dir)).toBeNull();
      writeFileSync(join(dir, 'dmesg-ramoops-0'), LOG);
      expect(takeLastWords(dir)).toContain('Attempted to kill init');
      expect(readdirSync(dir)).toEqual([]);
      expect(takeLastWords(dir)).toBeNull();
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
  test('is silent where there is no such place', () => {
    expect(takeLastWords('/nowhere/at/all')).toBeNull();
  });
});
