/**
 * Makes the contents of the journal partition: the Smalltalk image, bootstrapped from the Tonel
 * sources into a fresh journal. The journal's identity and all secrets are made at first boot, not
 * here, so that two cards from one image are two different appliances.
 */

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { MIB, partitionOf } from '../lib/board.ts';
import { BuildError } from '../lib/failure.ts';
import { hashTree, pathExists } from '../lib/files.ts';
import type { BuildContext } from '../lib/package.ts';
import { cacheDir, checkoutDir } from '../lib/paths.ts';
import { silentProgress } from '../lib/progress.ts';
import { runStep, type StepResult } from '../lib/step.ts';

const HOST_JOURNAL_BYTES = 64 * MIB;

interface Bootstrap {
  bootstrapJournal(path: string, options: { sizeBytes: number }): Promise<unknown>;
}

/** Answers the journal's step: `journal.img`, as large as its partition. */
export async function buildJournal(context: BuildContext): Promise<StepResult> {
  const sizeBytes = partitionOf(context.board.layout, 'journal').sizeMiB * MIB;
  const root = join(context.sourceRoot, 'vm');
  const bootstrap = join(root, 'bootstrap', 'main.ts');
  return runStep(context, {
    name: 'journal',
    detail: 'bootstrapping the Smalltalk image',
    inputs: {
      node: process.version,
      sizeBytes: String(sizeBytes),
      sources: await hashSources(root),
    },
    recipe: [import.meta.filename],
    build: async (dir) => {
      const path = join(dir, 'journal.img');
      if (await pathExists(bootstrap)) {
        await runBootstrap(bootstrap, path, sizeBytes);
      } else {
        await blank(path);
      }
      const handle = await open(path, 'r+');
      await handle.truncate(sizeBytes);
      await handle.close();
    },
  });
}

/** Answers the path of a fresh journal for `npm run host`; quick when the sources are the same. */
export async function hostJournal(): Promise<string> {
  const root = join(checkoutDir, 'vm');
  const step = await runStep(
    { stepsDir: join(cacheDir(), 'steps'), progress: silentProgress },
    {
      name: 'journal-host',
      detail: 'bootstrapping the Smalltalk image',
      inputs: { node: process.version, sources: await hashSources(root) },
      recipe: [import.meta.filename],
      build: async (dir) => {
        const bootstrap = join(root, 'bootstrap', 'main.ts');
        await runBootstrap(bootstrap, join(dir, 'fresh.journal'), HOST_JOURNAL_BYTES);
      },
    },
  );
  return join(step.dir, 'fresh.journal');
}

/** A fault in the Smalltalk sources is the programmer's to mend: its sentences, not our stack. */
async function runBootstrap(bootstrap: string, path: string, sizeBytes: number): Promise<void> {
  const { bootstrapJournal } = (await import(bootstrap)) as Bootstrap;
  try {
    await bootstrapJournal(path, { sizeBytes });
  } catch (cause) {
    const { code, message } = cause as { code?: unknown; message?: unknown };
    if (code !== 'BOOTSTRAP') throw cause;
    throw new BuildError('BOOTSTRAP', String(message), { cause });
  }
}

function hashSources(root: string): Promise<string> {
  return hashTree(root, (name) => !/\.test\.ts$|^pager\/native/.test(name));
}

async function blank(path: string): Promise<void> {
  await (await open(path, 'w')).close();
}
