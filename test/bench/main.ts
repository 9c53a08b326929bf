/**
 * `npm run bench -- NAME [PART…] [--dir DIR] [--seed N] [--json | --markdown]`: benchmarks beside
 * their peers.
 *
 * Prints a table, with --markdown one for docs/BENCHMARKS.md, with --json one value {name, rows,
 * machine}. Exit status 0 = every bar holds, 1 = one does not or it could not be measured, 2 =
 * wrong usage. Files lie in --dir (default: a folder under output/, so on the disk of the checkout)
 * and are removed at the end.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { prepareHost } from '../../build/host.ts';
import { runMain } from '../../build/lib/failure.ts';
import { checkoutDir } from '../../build/lib/paths.ts';
import type { Bench, Row } from './bench.ts';
import { describeMachine } from './machine.ts';
import { markdown, table } from './report.ts';

/** The benchmarks by name; a new one is a module with its parts and a line here. */
const BENCHES: Record<string, () => Promise<Bench>> = {
  checkpoint: async () => (await import('./checkpoint.ts')).checkpointBench,
  idle: async () => (await import('./idle.ts')).idleBench,
  journal: async () => (await import('./journal.ts')).journalBench,
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      dir: { type: 'string', default: join(checkoutDir, 'output') },
      seed: { type: 'string', default: '1' },
    },
  });
  const [name = '', ...wanted] = positionals;
  const bench = await BENCHES[name]?.();
  if (!bench) return usage(`found ${name === '' ? 'no name' : `"${name}"`}`);
  const unknown = wanted.find((part) => !bench.parts.some((known) => known.name === part));
  if (unknown !== undefined) return usage(`${name} has no part "${unknown}"`, bench);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed)) return usage(`--seed wants a number, found "${values.seed}"`);

  await prepareHost();
  mkdirSync(resolve(values.dir), { recursive: true });
  const rows: Row[] = [];
  const machine = describeMachine(resolve(values.dir));
  for (const part of bench.parts) {
    if (wanted.length > 0 && !wanted.includes(part.name)) continue;
    const dir = mkdtempSync(join(resolve(values.dir), 'bench-'));
    const remove = (): void => rmSync(dir, { recursive: true, force: true });
    process.once('exit', remove);
    try {
      const progress = (text: string): void => {
        process.stderr.write(`${part.name}: ${text}\n`);
      };
      rows.push(...(await part.run({ dir, seed, progress })));
    } finally {
      process.removeListener('exit', remove);
      remove();
    }
  }
  const print = values.markdown ? markdown : table;
  console.log(
    values.json ? JSON.stringify({ name, rows, machine }, null, 1) : print(name, rows, machine),
  );
  return rows.every(({ ok }) => ok !== false) ? 0 : 1;
}

function usage(found: string, bench?: Bench): number {
  process.stderr.write(
    `Cannot run the benchmark: ${found}; usage: npm run bench -- NAME [PART…] [--json | --markdown]\n` +
      (bench
        ? bench.parts.map(({ name, about }) => `  ${name}: ${about}\n`).join('')
        : `names: ${Object.keys(BENCHES).join(', ')}\n`),
  );
  return 2;
}

// Exit handlers take down what was set up.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
await runMain(main);
