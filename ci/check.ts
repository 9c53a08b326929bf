/**
 * The quick checks, for every save and every commit: tidy, format and lint, types, unused exports
 * are the compiler's and Biome's business. `npm run check` adds the unit tests; no image, no QEMU.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tidy, tidyWarnings } from './tidy.ts';

const root = join(import.meta.dirname, '..');
const CHECKED = /\.(ts|mjs|c|h|st|json|md|sh)$/;

function run(program: string, words: readonly string[]): boolean {
  const path = `${join(process.execPath, '..')}:${process.env['PATH']}`;
  const env = { ...process.env, PATH: path };
  return spawnSync(program, words, { cwd: root, stdio: 'inherit', env }).status === 0;
}

function tool(name: string, ...words: string[]): boolean {
  return run(join(root, 'node_modules', '.bin', name), words);
}

function tidyCheck(): boolean {
  const list = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
  });
  const files = list.stdout
    .split('\0')
    .filter((path) => CHECKED.test(path))
    .flatMap((path) => {
      try {
        return [{ path, text: readFileSync(join(root, path), 'utf8') }];
      } catch {
        return []; // Deleted, but not yet in a commit.
      }
    });
  for (const warning of tidyWarnings(files)) console.log(`note: ${warning}`);
  const findings = tidy(files);
  for (const finding of findings) console.log(finding);
  return findings.length === 0;
}

/** Runs the checks that read the sources; answers their names by outcome. */
export function runChecks(): { passed: string[]; failed: string[] } {
  const checks: readonly (readonly [string, () => boolean])[] = [
    ['tidy', tidyCheck],
    ['format and lint', () => tool('biome', 'check', '--error-on-warnings', '.')],
    ['types', () => tool('tsc', '-p', 'tsconfig.json')],
  ];
  const passed: string[] = [];
  const failed: string[] = [];
  for (const [name, check] of checks) (check() ? passed : failed).push(name);
  return { passed, failed };
}

if (import.meta.main) {
  const { failed } = runChecks();
  if (!run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run'])) failed.push('unit tests');
  if (failed.length > 0) {
    console.log(`Check failed: ${failed.join(', ')}`);
    process.exitCode = 1;
  }
}
