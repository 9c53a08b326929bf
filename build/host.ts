/**
 * `npm run host`: the same Smalltalk machine on this PC. Brings into shape what it needs (the
 * native addon for this machine, a fresh image to start from), then hands over to vm/main.ts.
 */
import { copyFile, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { main } from '../vm/main.ts';
import { runMain } from './lib/failure.ts';
import { checkoutDir } from './lib/paths.ts';
import { hostAddon } from './packages/addon/build.ts';
import { hostJournal } from './steps/journal.ts';

/** Makes output/host complete and answers the path of the fresh journal in it. */
export async function prepareHost(): Promise<string> {
  const dir = join(checkoutDir, 'output', 'host');
  await mkdir(dir, { recursive: true });
  const addon = join(dir, 'addon.node');
  await copyFile(await hostAddon(), `${addon}.new`);
  await rename(`${addon}.new`, addon);
  return hostJournal();
}

if (import.meta.main) {
  // The machine's threads would keep the process alive; what they had to say is durable.
  await runMain(async () => process.exit(await main(process.argv.slice(2), await prepareHost())));
}
