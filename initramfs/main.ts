/**
 * The first line of the appliance. It says that Node runs before the program itself is loaded, so
 * that a machine that stops here is told from one whose kernel never came up.
 */
import { writeSync } from 'node:fs';

writeSync(1, 'Palimpsest is starting.\n');
const { boot } = await import('./boot.ts');
await boot();
