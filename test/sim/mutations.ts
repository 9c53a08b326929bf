/**
 * `npm run sim -- --mutations [--runs M] [--only TEXT]`: does the simulator find bugs? Each planted
 * bug is a few replacements in a copy of the store; the simulator must fail on it. A bug it misses,
 * or a replacement that no longer applies, fails this check.
 *
 * Where the format guards a thing twice, one guard alone cannot be missed by any test: such bugs
 * take away both.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Edit {
  file: string;
  find: string;
  replace: string;
}

interface Mutation extends Edit {
  name: string;
  also?: readonly Edit[];
  /** It needs a long life to show: more operations, fewer crash images. */
  long?: true;
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
    file: 'tables.ts',
    find: 'for (const tree of [TREE.objects, TREE.farBodies]) state.roots.set(tree, rootOf(from, tree));',
    replace: 'for (const tree of [0, 1, TREE.changes]) state.roots.set(tree, rootOf(from, tree));',
  },
  {
    name: 'rollback forgets the delta of the target',
    file: 'tables.ts',
    find: 'for (const [key, pointer] of from.delta) if (pages(key)) state.delta.set(key, pointer);',
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
    find: 'this.changeLog.takeUnits(reader.storage, found.changes);',
    replace: '',
  },
  {
    name: 'vacuum does not walk far bodies',
    file: 'live-map.ts',
    find: 'if (state) yield* walker.trees(state, [TREE.objects, TREE.farBodies]);',
    replace: 'if (state) yield* walker.trees(state, [TREE.objects]);',
  },
  {
    name: 'vacuum walks the head only',
    file: 'live-map.ts',
    find: 'of source.kept()) {',
    replace: 'of [...source.kept()].slice(0, 1)) {',
  },
  {
    name: 'vacuum loses the old relocations',
    file: 'vacuum.ts',
    find: 'return this.#keyOf.get(address) ?? this.#source',
    replace: 'return this.#source',
  },
  {
    name: 'vacuum takes the chain of the superblock',
    file: 'vacuum.ts',
    find: 'sequence >= limit || ',
    replace: 'sequence > limit + 1 || ',
  },
  {
    name: 'unversioned copies are written without a flush between',
    file: 'unversioned.ts',
    find: 'this.#storage.write(first, written);\n      this.#storage.flush();',
    replace: 'this.#storage.write(first, written);',
  },
  {
    name: 'a fold drops the last entry',
    file: 'tables.ts',
    find: 'treeUpdate(reader, rootOf(state, tree), changes, append)',
    replace: 'treeUpdate(reader, rootOf(state, tree), changes.slice(0, -1), append)',
  },
  {
    name: 'page number not in the checksum',
    file: 'format.ts',
    find: '  prefixView.setUint32(0, page % 0x1_0000_0000, true);\n',
    replace: '',
  },
  {
    name: 'place not in the checksum',
    file: 'format.ts',
    find: '  prefixView.setUint32(8, offsetBytes % 0x1_0000_0000, true);\n',
    replace: '',
  },
  {
    name: 'mount epoch not hashed, units of two mounts not told apart',
    file: 'log-writer.ts',
    find: '        mount: this.#mount,\n        salt: this.#salt,',
    replace: '        mount: 1,\n        salt: 1,',
    also: [
      {
        file: 'log-writer.ts',
        find: 'previousUnitChecksum: this.#unitChecksum,',
        replace: 'previousUnitChecksum: 0,',
      },
      {
        file: 'recovery.ts',
        find: '(before === -1 || header.previousUnitChecksum === before) &&',
        replace: '(before === -1 || header.previousUnitChecksum === 0) &&',
      },
      {
        file: 'recovery.ts',
        find: 'if (header && header.nonce === this.#nonce && header.slot === slot) headers',
        replace: 'if (slot < 0) headers',
      },
    ],
  },
  {
    name: 'superblock checksum not compared',
    file: 'superblock.ts',
    find: 'if (headerChecksum(block, 20) !== view.getUint32(20, true)) {',
    replace: 'if (version < 0) {',
  },
  {
    name: 'ring order: both rings of superblocks are written at once',
    file: 'superblock.ts',
    find: '  storage.write(offset, block);\n  storage.flush();\n',
    replace: '  storage.write(offset, block);\n',
  },
  {
    name: 'root written before pages: a record calls durable what is not',
    file: 'log-writer.ts',
    find: '        durable: this.#durable,',
    replace: '        durable: addressOf(this.#chain.sequence, this.#unitSlot),',
  },
  {
    name: 'emptied segments are reused at once',
    file: 'segments.ts',
    find: 'if (retired === 0 || superblock < retired + 2) continue;',
    replace: 'if (retired === 0) continue;',
  },
  {
    name: 'emptied segments are reused one superblock too early',
    file: 'segments.ts',
    find: 'if (retired === 0 || superblock < retired + 2) continue;',
    replace: 'if (retired === 0 || superblock < retired + 1) continue;',
  },
  {
    name: 'liveness by interval: only the oldest and the newest generation are walked',
    file: 'live-map.ts',
    find: 'of source.kept()) {',
    replace: 'of [...source.kept()].filter((_, at, all) => at === 0 || at === all.length - 1)) {',
  },
  {
    name: 'vacuum takes segments with staged pages',
    file: 'vacuum.ts',
    find: 'if (!staged.has(sequence)) found.push(physical);',
    replace: 'found.push(physical);',
    long: true,
  },
  {
    name: 'vacuum does not write the nodes of the relocation tree anew',
    file: 'vacuum.ts',
    find: 'if (!first || keys.has(first.key)) continue;',
    replace: 'if (first !== null) continue;',
  },
];

/**
 * Plants each bug whose name has `only` in it, runs the simulator on each up to `runs` times; answers
 * an exit code.
 */
export function plantAll(runs: number, only: string): number {
  const root = join(import.meta.dirname, '..', '..');
  const chosen = MUTATIONS.filter(({ name }) => name.includes(only));
  let missed = 0;
  for (const mutation of chosen) {
    const directory = mkdtempSync(join(tmpdir(), 'mutation-'));
    const begin = performance.now();
    try {
      const { found, says } =
        plant(root, directory, mutation) ?? simulate(directory, runs, mutation);
      if (!found) missed++;
      const seconds = ((performance.now() - begin) / 1000).toFixed(1);
      process.stdout.write(
        `${found ? 'found ' : 'MISSED'}  ${mutation.name}, ${seconds} s: ${says}\n`,
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  }
  process.stdout.write(`${chosen.length} planted bugs, ${missed} not found\n`);
  return missed === 0 && chosen.length > 0 ? 0 : 1;
}

interface Verdict {
  found: boolean;
  says: string;
}

/** Copies the store and the simulator and plants the bug; a verdict when it cannot. */
function plant(root: string, directory: string, mutation: Mutation): Verdict | null {
  for (const folder of ['vm/base', 'vm/store', 'test/sim']) {
    mkdirSync(join(directory, folder), { recursive: true });
    cpSync(join(root, folder), join(directory, folder), { recursive: true });
  }
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }\n');
  for (const { file, find, replace } of [mutation, ...(mutation.also ?? [])]) {
    const path = join(directory, 'vm/store', file);
    const source = readFileSync(path, 'utf8');
    if (source.split(find).length !== 2) {
      return { found: false, says: `"${find}" is not once in ${file}` };
    }
    writeFileSync(
      path,
      source.replace(find, () => replace),
    );
  }
  return null;
}

/** Runs the simulator on the copy: it must fail with a violation or an error of the store. */
function simulate(directory: string, runs: number, { long }: Mutation): Verdict {
  const main = join(directory, 'test/sim/main.ts');
  const size = long ? ['--ops', '300', '--images', '2', '--hostile', '0'] : [];
  const words = [main, '--runs', String(runs), '--no-shrink', ...size];
  const done = spawnSync(process.execPath, words, { encoding: 'utf8' });
  const violation = /^Violation with (.*)$/m.exec(done.stderr)?.[1];
  if (done.status === 1 && violation) return { found: true, says: violation.slice(0, 160) };
  return { found: false, says: `${done.stdout}${done.stderr}`.trim().slice(0, 400) };
}
