/**
 * Finds the partition that holds the journal: partition 4 of the first disk whose partition 4
 * begins like one. Works the same for a card (mmcblk0p4), a virtual disk (vda4) and a USB disk
 * (sda4).
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { JOURNAL_PARTITION } from './partitions.ts';

const SYS_BLOCK = '/sys/block';
const POLL_MS = 50;

export interface JournalPlace {
  readonly disk: string;
  readonly partition: string;
}

/** Disks that have a partition 4, by the kernel's own list. */
export function candidateDisks(sysBlock = SYS_BLOCK): JournalPlace[] {
  return readdirSync(sysBlock)
    .sort()
    .flatMap((disk) =>
      readdirSync(`${sysBlock}/${disk}`)
        .filter((name) => {
          const file = `${sysBlock}/${disk}/${name}/partition`;
          return existsSync(file) && Number(readFileSync(file, 'utf8')) === JOURNAL_PARTITION;
        })
        .map((name) => ({ disk: `/dev/${disk}`, partition: `/dev/${name}` })),
    );
}

/**
 * Waits for the kernel to find the card. `isJournal` looks at a partition. Answers the first that
 * is one, else the first candidate at all (to say what is wrong with it), else undefined.
 */
export async function findJournal(
  isJournal: (path: string) => boolean,
  timeoutMs: number,
): Promise<JournalPlace | undefined> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const candidates = candidateDisks();
    const found = candidates.find((place) => isJournal(place.partition));
    if (found !== undefined) return found;
    if (performance.now() > end) return candidates[0];
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
