/** `npm run bench -- journal`: the page journal beside the disk, and beside LMDB and SQLite. */
import type { Bench } from './bench.ts';
import { bytesPart } from './journal/bytes.ts';
import { commitPart } from './journal/commit.ts';
import { openingPart } from './journal/opening.ts';
import { peersPart } from './journal/peers.ts';
import { vacuumPart } from './journal/vacuum.ts';

export const journalBench: Bench = {
  parts: [commitPart, bytesPart, openingPart, vacuumPart, peersPart],
};
