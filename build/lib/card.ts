/**
 * Which disk may become a card, and what is written to it: decisions on plain data, apart from the
 * reading and writing so that they can be tested without a card.
 */
import { SLOT_PARTITIONS } from './autoboot.ts';
import type { readMbr } from './mbr.ts';

/** A disk as lsblk describes it, with what is mounted from it or its partitions. */
export interface Disk {
  path: string;
  model: string;
  sizeBytes: number;
  /** disk, part, loop, rom… */
  type: string;
  /** The medium can be taken out of its drive (a card in a USB reader). */
  removable: boolean;
  /** A card in a reader on the machine's own SD bus. */
  sdCard: boolean;
  readOnly: boolean;
  mountPoints: string[];
}

type PartitionTable = NonNullable<ReturnType<typeof readMbr>>;

/** Answers why a disk must not be written, as the rest of a sentence, or null when it may. */
export function refusal(disk: Disk, wantedBytes: number): string | null {
  if (disk.type !== 'disk') return `it is a ${disk.type}, wanted a whole disk such as /dev/sdX`;
  if (disk.mountPoints.length > 0) {
    return `it is in use at ${disk.mountPoints.join(', ')}; unmount it first`;
  }
  if (!disk.removable && !disk.sdCard) return 'it is not removable, wanted a card in a reader';
  if (disk.readOnly) return 'it is write-protected; move the switch on the card or the adapter';
  if (disk.sizeBytes < wantedBytes) {
    return `it has ${disk.sizeBytes} bytes, wanted at least ${wantedBytes}`;
  }
  return null;
}

/** Answers why a card cannot be upgraded with an image, as the rest of a sentence, or null. */
export function upgradeRefusal(card: PartitionTable | null, image: PartitionTable): string | null {
  if (!card) return 'it has no partition table; flash it without --upgrade';
  if (card.diskSignature !== image.diskSignature) {
    return `its disk signature is ${card.diskSignature}, wanted ${image.diskSignature}; it is no card of this system`;
  }
  for (const [index, wanted] of image.entries.entries()) {
    const found = card.entries[index];
    const isJournal = index === image.entries.length - 1;
    const sizeFits = isJournal
      ? (found?.sizeBytes ?? 0) >= wanted.sizeBytes
      : found?.sizeBytes === wanted.sizeBytes;
    if (found?.startBytes === wanted.startBytes && sizeFits) continue;
    return (
      `its partition ${index + 1} is ${found?.sizeBytes ?? 0} bytes at ${found?.startBytes ?? 0}, ` +
      `wanted ${wanted.sizeBytes} at ${wanted.startBytes}; the layout has changed, flash it anew`
    );
  }
  return null;
}

/** Answers the slot that is not started, which an upgrade may replace: partition 2 or 3. */
export function inactiveSlot(active: number): number {
  return active === SLOT_PARTITIONS[0] ? SLOT_PARTITIONS[1] : SLOT_PARTITIONS[0];
}

/** Reads `lsblk --json --bytes` for one disk; null when the text describes none. */
export function parseLsblk(text: string, sdCard: boolean): Disk | null {
  interface Node {
    path: string;
    size: number;
    type: string;
    rm: boolean;
    ro: boolean;
    model: string | null;
    mountpoints?: (string | null)[];
    children?: Node[];
  }
  const [top] = (JSON.parse(text) as { blockdevices: Node[] }).blockdevices;
  if (!top) return null;
  const mountPoints: string[] = [];
  const visit = (node: Node): void => {
    for (const place of node.mountpoints ?? []) if (place) mountPoints.push(place);
    for (const child of node.children ?? []) visit(child);
  };
  visit(top);
  return {
    path: top.path,
    model: top.model?.trim() || 'unnamed disk',
    sizeBytes: Number(top.size),
    type: top.type,
    removable: top.rm,
    sdCard,
    readOnly: top.ro,
    mountPoints,
  };
}
