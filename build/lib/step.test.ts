import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentProgress } from './progress.ts';
import { runStep, type StepSpec } from './step.ts';

describe('runStep()', () => {
  let stepsDir = '';
  let recipe = '';
  let builds = 0;

  beforeEach(async () => {
    stepsDir = await mkdtemp(join(tmpdir(), 'palimpsest-step-'));
    recipe = join(stepsDir, 'recipe.ts');
    await writeFile(recipe, 'one');
    builds = 0;
  });

  afterEach(() => rm(stepsDir, { recursive: true, force: true }));

  const run = (change: Partial<StepSpec> = {}) =>
    runStep(
      { stepsDir, progress: silentProgress },
      {
        name: 'thing',
        detail: 'making a thing',
        inputs: { a: '1' },
        recipe: [recipe],
        build: async (dir) => {
          builds++;
          await writeFile(join(dir, 'out'), `build ${builds}`);
        },
        ...change,
      },
    );

  test('builds once for the same inputs and answers the same folder', async () => {
    const first = await run();
    const second = await run();
    expect([first.built, second.built, builds]).toEqual([true, false, 1]);
    expect(second.dir).toBe(first.dir);
    expect(await readFile(join(first.dir, 'out'), 'utf8')).toBe('build 1');
  });

  test('builds again when an input or the recipe changes, and keeps the old output', async () => {
    const first = await run();
    const other = await run({ inputs: { a: '2' } });
    await writeFile(recipe, 'two');
    const third = await run();
    expect(new Set([first.dir, other.dir, third.dir]).size).toBe(3);
    expect(await readFile(join(first.dir, 'out'), 'utf8')).toBe('build 1');
  });

  test('a failed build leaves nothing that counts as built', async () => {
    const failing = run({
      build: async (dir) => {
        await writeFile(join(dir, 'out'), 'half');
        throw new Error('no space');
      },
    });
    await expect(failing).rejects.toThrow('no space');
    expect(await readdir(join(stepsDir, 'thing'))).toEqual([]);
    expect((await run()).built).toBe(true);
  });

  test('two builds of the same step at once agree', async () => {
    const results = await Promise.all([run(), run()]);
    expect(results[0]?.dir).toBe(results[1]?.dir);
    expect((await readdir(join(stepsDir, 'thing'))).length).toBe(1);
  });
});
