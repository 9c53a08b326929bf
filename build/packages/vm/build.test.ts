import { describe, expect, test } from 'vitest';
import { stripFile } from './build.ts';

const KNOWN = new Set(['vm/base/assert.js', 'vm/main.js', 'vm/host/worker.js']);

describe('stripFile()', () => {
  test('rewrites imports, exports, dynamic imports and worker addresses, and nothing else', () => {
    const source = [
      "import { assert } from '../base/assert.ts';",
      "export { main } from '../main.ts';",
      "const a = await import('./worker.ts');",
      "const b = new URL('./worker.ts', import.meta.url);",
      "const text = 'a file named main.ts';",
    ].join('\n');
    expect(stripFile(source, 'vm/host/x.js', KNOWN).split('\n')).toEqual([
      "import { assert } from '../base/assert.js';",
      "export { main } from '../main.js';",
      "const a = await import('./worker.js');",
      "const b = new URL('./worker.js', import.meta.url);",
      "const text = 'a file named main.ts';",
    ]);
  });

  test('keeps every line and column', () => {
    const source = 'const a: number = 1;\ntype T = string;\nconst b = a as unknown as T;\n';
    const stripped = stripFile(source, 'vm/x.js', KNOWN);
    expect(stripped.length).toBe(source.length);
    expect(stripped.indexOf('const b')).toBe(source.indexOf('const b'));
  });

  test('a type import needs no file', () => {
    const source = "import type { T } from './types-only.ts';\n";
    expect(stripFile(source, 'vm/x.js', KNOWN).trim()).toBe('');
  });

  test('names an import from outside the program', () => {
    expect(() => stripFile("import '../../build/main.ts';", 'vm/host/x.js', KNOWN)).toThrow(
      'vm/host/x.js: it imports ../../build/main.ts, which is not part of',
    );
  });
});
