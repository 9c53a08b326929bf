/**
 * `npm run check`: the quick checks, for every save and every commit. Tidy, format and lint, types, and
 * the unit tests; no image, no QEMU.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tidy, tidyWarnings } from './tidy.ts';

const root = join(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);

/** One check: its name, and the command that makes it. */
interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

const checks: readonly Check[] = [
  { name: 'format and lint', command: [bin('biome'), 'check', '.'] },
  { name: 'types', command: [bin('tsc'), '-p', 'tsconfig.json'] },
  {
    name: 'unit tests',
    command: [process.execPath, join(root, 'node_modules/vitest/vitest.mjs'), 'run'],
  },
];

function tidyCheck(): boolean {
  const list = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
  });
  const files = list.stdout
    .split('\0')
    .filter((path) => path !== '' && /\.(ts|mjs|c|h|st|json|md|sh)$/.test(path))
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

const failed: string[] = tidyCheck() ? [] : ['tidy'];
for (const { name, command } of checks) {
  const [program = '', ...rest] = command;
  const done = spawnSync(program, rest, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${join(process.execPath, '..')}:${process.env['PATH']}` },
  });
  if (done.status !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.log(`Check failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
