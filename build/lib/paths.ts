/**
 * Where things lie. The checkout holds sources and `output/`; everything that can be made again at
 * the price of time or network lies in the cache outside, so that a second checkout is quick.
 */
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** The checkout this file belongs to. */
export const checkoutDir = dirname(dirname(import.meta.dirname));

/** `PALIMPSEST_CACHE`, else `$XDG_CACHE_HOME/palimpsest`, else `~/.cache/palimpsest`. */
export function cacheDir(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment['PALIMPSEST_CACHE'];
  if (own) return own;
  const xdg = environment['XDG_CACHE_HOME'];
  return join(xdg ? xdg : join(homedir(), '.cache'), 'palimpsest');
}

/** The folder in which a board's image and manifest appear. */
export function boardOutputDir(board: string): string {
  return join(checkoutDir, 'output', board);
}

/** The image `npm run image` makes and `npm start` boots. */
export function imagePath(board: string): string {
  return join(boardOutputDir(board), 'palimpsest.img');
}
