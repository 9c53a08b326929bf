import { describe, expect, test } from 'vitest';
import { tidy } from './tidy.ts';

const head = '/** What it is. */\n';

describe('tidy()', () => {
  test('lets a file of its layer pass', () => {
    const text = `${head}import { assert } from '../base/assert.ts';\nassert(true);\n`;
    expect(tidy([{ path: 'vm/store/a.ts', text }])).toEqual([]);
  });
  test('refuses an import across layers, and node:* outside of the host', () => {
    const text = `${head}import { x } from '../memory/x.ts';\nimport fs from 'node:fs';\n`;
    const findings = tidy([{ path: 'vm/store/a.ts', text }]);
    expect(findings).toHaveLength(2);
    expect(findings[0]).toContain('vm/store may import');
  });
  test('refuses imports written over several lines', () => {
    const text = `${head}import {\n  x,\n} from '../jit/x.ts';\n`;
    expect(tidy([{ path: 'vm/primitives/a.ts', text }])).toHaveLength(1);
  });
  test('refuses long files, missing openings, registry hosts and left-overs', () => {
    expect(tidy([{ path: 'vm/store/a.ts', text: head + '\n'.repeat(900) }])[0]).toContain('split');
    expect(tidy([{ path: 'vm/store/a.ts', text: 'let a = 1;\n' }])[0]).toContain('open it');
    expect(tidy([{ path: 'docs/a.md', text: ['deb', 'debian', 'org'].join('.') }])[0]).toContain(
      'mirror',
    );
    expect(tidy([{ path: 'vm/store/a.ts', text: `${head}// TODO later\n` }])).toHaveLength(1);
  });
  test('knows no layer for a stray file', () => {
    expect(tidy([{ path: 'stray/a.ts', text: head }])[0]).toContain('no layer');
  });
});
