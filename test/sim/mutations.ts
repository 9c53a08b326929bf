/**
 * `node test/sim/mutations.ts [--runs M]`: does the simulator find bugs? Each planted bug is one
 * replacement in a copy of the store; the simulator must fail on it. A bug it does not find, or a
 * replacement that no longer applies, fails this check.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

interface Mutation {
  name: string;
  file: string;
  find: string;
  replace: string;
}

const MUTATIONS: readonly Mutation[] = [
  {
    name: 'page checksum not compared',
    file: 'block-reader.ts',
    find: 'if (found === place.checksum) return',
    replace: 'if (found !== -1) return',
  },
  {
    name: 'unit header checksum not compared',
    file: 'format.ts',
    find: 'if (headerChecksum(block, 4) !== sum) return null;',
    replace: '',
  },
  {
    name: 'no flush after a point',
    file: 'log-writer.ts',
    find: 'this.#flush(this.#slot);\n      return { address',
    replace: 'this.#durable = addressOf(this.#chain.sequence, this.#slot);\n      return { address',
  },
  {
    name: 'no flush before a superblock',
    file: 'log-writer.ts',
    find: 'this.#flush(this.#slot);\n    const superblock',
    replace: 'this.#durable = addressOf(this.#chain.sequence, this.#slot);\n    const superblock',
  },
  {
    name: 'payload not proved before a record counts',
    file: 'recovery.ts',
    find: 'if (!units.every((unit) => this.#provedPayload(unit))) return false;',
    replace: '',
  },
  {
    name: 'durable mark ignored: only the last unit is proved',
    file: 'recovery.ts',
    find: 'for (let index = first; index <= target; index++) {',
    replace: 'for (let index = target; index < target; index++) {',
  },
  {
    name: 'a record counts though units before it are missing',
    file: 'recovery.ts',
    find: 'if (reached !== end) return false;',
    replace: '',
  },
  {
    name: 'the oldest superblock is taken',
    file: 'superblock.ts',
    find: 'sort((a, b) => b.number - a.number)',
    replace: 'sort((a, b) => a.number - b.number)',
  },
  {
    name: 'rollback takes the change log back',
    file: 'journal.ts',
    find: 'const heap = [TREE.objects, TREE.farBodies] as readonly number[];',
    replace: 'const heap = [TREE.objects, TREE.farBodies, TREE.changes] as readonly number[];',
  },
  {
    name: 'rollback forgets the delta of the target',
    file: 'journal.ts',
    find: 'if (heap.includes(treeOfKey(key))) state.delta.set(key, pointer);',
    replace: '',
  },
  {
    name: 'the index is not told of the head',
    file: 'generations.ts',
    find: 'state.delta.set(key, this.head.pointer);',
    replace: 'if (key % 7 !== 3) state.delta.set(key, this.head.pointer);',
  },
  {
    name: 'pending changes are dropped at opening',
    file: 'generations.ts',
    find: 'this.takeChanges(found);',
    replace: '',
  },
  {
    name: 'vacuum does not walk far bodies',
    file: 'vacuum.ts',
    find: 'markTrees(source.state(number), [TREE.objects, TREE.farBodies]);',
    replace: 'markTrees(source.state(number), [TREE.objects]);',
  },
  {
    name: 'vacuum walks the head only',
    file: 'vacuum.ts',
    find: 'for (const { number, pointer } of source.kept()) {',
    replace: 'for (const { number, pointer } of [...source.kept()].slice(0, 1)) {',
  },
  {
    name: 'vacuum loses the old relocations',
    file: 'vacuum.ts',
    find: '} else if (live.relocated.has(entry.key)) entries.set(entry.key, entry);',
    replace: '}',
  },
  {
    name: 'vacuum takes the chain of the superblock',
    file: 'vacuum.ts',
    find: 'sequence >= protectedSequence || ',
    replace: 'sequence > protectedSequence + 1 || ',
  },
  {
    name: 'unversioned copies are written without a flush between',
    file: 'unversioned.ts',
    find: 'this.#storage.write(offset, written);\n      this.#storage.flush();',
    replace: 'this.#storage.write(offset, written);',
  },
  {
    name: 'a fold drops the last entry',
    file: 'tables.ts',
    find: 'treeUpdate(reader, rootOf(state, tree), changes, append)',
    replace: 'treeUpdate(reader, rootOf(state, tree), changes.slice(0, -1), append)',
  },
];

function main(): number {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '12' }, only: { type: 'string' } },
  });
  const root = join(import.meta.dirname, '..', '..');
  let missed = 0;
  for (const mutation of MUTATIONS) {
    if (values.only !== undefined && !mutation.name.includes(values.only)) continue;
    const directory = mkdtempSync(join(tmpdir(), 'mutation-'));
    try {
      const problem = plant(root, directory, mutation) ?? simulate(directory, values.runs);
      if (problem !== null) missed++;
      process.stdout.write(`${problem === null ? 'found ' : 'MISSED'}  ${mutation.name}`);
      process.stdout.write(problem === null ? '\n' : `: ${problem}\n`);
    } finally {
      rmSync(directory, { recursive: true });
    }
  }
  process.stdout.write(`${MUTATIONS.length} planted bugs, ${missed} not found\n`);
  return missed === 0 ? 0 : 1;
}

/** Copies the store and the simulator and plants the bug; a sentence when it cannot. */
function plant(root: string, directory: string, mutation: Mutation): string | null {
  for (const folder of ['vm/base', 'vm/store', 'test/sim']) {
    mkdirSync(join(directory, folder), { recursive: true });
    cpSync(join(root, folder), join(directory, folder), { recursive: true });
  }
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }\n');
  const path = join(directory, 'vm/store', mutation.file);
  const source = readFileSync(path, 'utf8');
  if (source.split(mutation.find).length !== 2) return 'the replacement does not apply';
  writeFileSync(
    path,
    source.replace(mutation.find, () => mutation.replace),
  );
  return null;
}

/** Runs the simulator on the copy; null when it fails, as it must. */
function simulate(directory: string, runs: string): string | null {
  const main = join(directory, 'test/sim/main.ts');
  const done = spawnSync(process.execPath, [main, '--runs', runs, '--no-shrink'], {
    encoding: 'utf8',
  });
  return done.status === 0 ? `${done.stdout.trim()}` : null;
}

process.exitCode = main();
