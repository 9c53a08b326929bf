/**
 * What every package of the pipeline has in common. A package is a folder below build/packages:
 * `about.json` says what it is, which pinned sources it takes and which host tools leave their mark
 * on its output; `build.ts` exports the function that runs it as a step.
 */
import { join } from 'node:path';
import type { Board } from './board.ts';
import { BuildError } from './failure.ts';
import { sha256 } from './files.ts';
import { fetchSource, type Lock, lockedSource } from './lock.ts';
import { toolVersion } from './run.ts';
import type { StepContext } from './step.ts';
import { readValidated } from './validate.ts';

export interface BuildContext extends StepContext {
  /** Downloads, apt lists and work trees. */
  cache: string;
  /** The checkout whose vm/, initramfs/ and overlay/ go into the image. */
  sourceRoot: string;
  board: Board;
  lock: Lock;
  /** Our own version, from package.json. */
  version: string;
  /** One hash and size over our own sources, for the manifest. */
  ownSources: { sha256: string; sizeBytes: number };
  /** Host tools used so far, command to version line: they stand in the manifest. */
  tools: Map<string, string>;
  /** Names of the pinned sources used so far. */
  sources: Set<string>;
}

export interface Package {
  about: { description: string; sources: string[]; tools: string[] };
  /** Inputs that follow from about.json: versions and hashes of sources, versions of tools. */
  inputs: Record<string, string>;
  /** Fetches the named source, one of about.json's, and answers its path. */
  fetch(name: string): Promise<string>;
}

/** Reads a package's about.json from the folder its build.ts lies in. */
export async function openPackage(context: BuildContext, dir: string): Promise<Package> {
  const name = dir.slice(dir.lastIndexOf('/') + 1);
  const about = await readValidated<Package['about']>(join(dir, 'about.json'), {
    schema: 'about.schema.json',
    shownName: `build/packages/${name}/about.json`,
    code: 'BOARD_INVALID',
  });
  const inputs: Record<string, string> = {};
  for (const source of about.sources) {
    context.sources.add(source);
    const { version, sha256: hash } = lockedSource(context.lock, source);
    inputs[`source ${source}`] = `${version} ${hash}`;
  }
  for (const tool of about.tools) inputs[`tool ${tool}`] = await useTool(context, tool);
  return {
    about,
    inputs,
    fetch: async (source) => {
      if (!about.sources.includes(source)) {
        throw new Error(`Bug: package ${name} fetches ${source}, which about.json does not name`);
      }
      return fetchSource(context.cache, context.lock, source, context.progress);
    },
  };
}

/** Answers a tool's version line and remembers it for the manifest. */
export async function useTool(context: BuildContext, command: string): Promise<string> {
  const known = context.tools.get(command);
  if (known !== undefined) return known;
  const version = await toolVersion(command);
  if (version === '') {
    throw new BuildError(
      'HOST_PACKAGES_MISSING',
      `Cannot use ${command}: it does not say its version, wanted it installed and in PATH`,
    );
  }
  context.tools.set(command, version);
  return version;
}

/** Answers a short hash of several texts, for names of work folders. */
export function shortHash(...texts: string[]): string {
  return sha256(texts.join('\0')).slice(0, 12);
}
