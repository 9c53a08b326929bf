/**
 * A step turns named inputs into a folder of outputs, once for each combination of inputs.
 *
 * The folder lies in the cache as `steps/<name>/<key>`, where the key is the SHA-256 over the names
 * and hashes of all inputs, the recipe's own source among them. It is built under a temporary name
 * and renamed when complete; `stamp.json` in it tells which inputs made it. Invariant: a folder
 * with a stamp is complete and is never changed again, so checkouts and builds may share it.
 */
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { compareCodeUnits, pathExists, sha256, sha256File, writeFileAtomic } from './files.ts';
import type { Progress } from './progress.ts';

const KEY_DIGITS = 24;
const STAMP = 'stamp.json';
const KEPT_PER_STEP = 4;
const UNUSED_MS_MAX = 24 * 3600 * 1000;

export interface StepContext {
  /** The folder that holds all steps' outputs. */
  stepsDir: string;
  progress: Progress;
}

export interface StepSpec {
  name: string;
  /** What kind of work it is, for the progress line. */
  detail: string;
  /** Name to hash, version or text: whatever decides the output. */
  inputs: Record<string, string>;
  /** Source files of the recipe; their contents are inputs too. */
  recipe: readonly string[];
  /** Fills `dir`, an empty folder, with the outputs. */
  build(dir: string): Promise<void>;
}

export interface StepResult {
  name: string;
  key: string;
  dir: string;
  /** Whether this call built it; false when the cache had it. */
  built: boolean;
}

/** Answers the step's outputs, building them only when no earlier build had the same inputs. */
export async function runStep(context: StepContext, spec: StepSpec): Promise<StepResult> {
  const inputs: Record<string, string> = { ...spec.inputs };
  for (const path of spec.recipe) {
    inputs[`recipe ${path.slice(path.lastIndexOf('/build/') + 1)}`] = await sha256File(path);
  }
  const sorted = Object.entries(inputs).sort(([a], [b]) => compareCodeUnits(a, b));
  const key = sha256(JSON.stringify([spec.name, sorted])).slice(0, KEY_DIGITS);
  const home = join(context.stepsDir, spec.name);
  const dir = join(home, key);
  if (await pathExists(join(dir, STAMP))) {
    const now = new Date();
    await utimes(dir, now, now);
    context.progress.skip(spec.name);
    return { name: spec.name, key, dir, built: false };
  }
  context.progress.start(spec.name, spec.detail);
  await mkdir(home, { recursive: true });
  await removeLeftovers(home);
  const work = await mkdtemp(join(home, `tmp-${process.pid}-`));
  try {
    await spec.build(work);
    const stamp = { step: spec.name, key, inputs: Object.fromEntries(sorted) };
    await writeFileAtomic(join(work, STAMP), `${JSON.stringify(stamp, null, 2)}\n`);
    await placeFolder(work, dir);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  await prune(home, key);
  context.progress.finish('built');
  return { name: spec.name, key, dir, built: true };
}

/** Two builds may finish the same step at once: both folders hold the same, the first one stays. */
async function placeFolder(work: string, dir: string): Promise<void> {
  try {
    await rename(work, dir);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    if (await pathExists(join(dir, STAMP))) return;
    await rm(dir, { recursive: true, force: true });
    await rename(work, dir);
  }
}

/** Removes the temporary folders of builds that are no longer running. */
async function removeLeftovers(home: string): Promise<void> {
  for (const name of await readdir(home)) {
    const pid = /^tmp-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    await rm(join(home, name), { recursive: true, force: true });
  }
}

/** Whether a process with this id exists on this machine. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Keeps the newest outputs of a step and whatever was used within a day; the rest is cache. */
async function prune(home: string, currentKey: string): Promise<void> {
  const candidates: { name: string; usedMs: number }[] = [];
  for (const name of await readdir(home)) {
    if (name === currentKey || name.startsWith('tmp-')) continue;
    candidates.push({ name, usedMs: (await stat(join(home, name))).mtimeMs });
  }
  candidates.sort((a, b) => b.usedMs - a.usedMs);
  for (const { name, usedMs } of candidates.slice(KEPT_PER_STEP - 1)) {
    if (Date.now() - usedMs < UNUSED_MS_MAX) continue;
    await rm(join(home, name), { recursive: true, force: true });
  }
}
