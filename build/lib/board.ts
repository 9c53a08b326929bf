/**
 * A board as data: which kernel, device trees, firmware and boot files it takes and how its card is
 * laid out. Read from `board/<name>/`, checked by schema, and then by the rules a schema cannot
 * say.
 */
import { join } from 'node:path';
import { BuildError } from './failure.ts';
import { pathExists } from './files.ts';
import { checkoutDir } from './paths.ts';
import { readValidated } from './validate.ts';

export const MIB = 1 << 20;

export interface Partition {
  name: string;
  /** selector: says which slot starts; slot: a bootable system; journal: the Smalltalk memory. */
  role: 'selector' | 'slot' | 'journal';
  startMiB: number;
  sizeMiB: number;
  /** MBR partition type, two hex digits. */
  type: string;
  fat?: { bits: 16 | 32; serial: string; label: string };
}

export interface CardLayout {
  diskSignature: string;
  alignmentMiB: number;
  partitions: Partition[];
}

export interface Board {
  name: string;
  description: string;
  architecture: 'arm64';
  imageMiB: number;
  initramfsBytesMax: number;
  kernel: { config: string; file: string };
  deviceTrees: Record<'hardware' | 'qemu', { source: string; file: string }>;
  initramfs: string;
  firmware: string[];
  bootFiles: string[];
  partitions: string;
  /** The folder the files above lie in. */
  dir: string;
  layout: CardLayout;
}

/** Reads a board by name; what is wrong is a sentence with file, field and wanted value. */
export async function readBoard(name: string, root = checkoutDir): Promise<Board> {
  const dir = join(root, 'board', name);
  const shownName = `board/${name}/board.json`;
  const board = await readValidated<Omit<Board, 'dir' | 'layout'>>(join(dir, 'board.json'), {
    schema: 'board.schema.json',
    shownName,
    code: 'BOARD_INVALID',
  });
  if (board.name !== name) {
    throw new BuildError(
      'BOARD_INVALID',
      `Cannot use ${shownName}: name is "${board.name}", wanted "${name}", as its folder`,
    );
  }
  const files = [
    board.kernel.config,
    board.deviceTrees.hardware.source,
    board.deviceTrees.qemu.source,
    ...board.bootFiles,
  ];
  for (const file of files) {
    if (await pathExists(join(dir, file))) continue;
    throw new BuildError(
      'BOARD_INVALID',
      `Cannot use ${shownName}: it names ${file}, wanted a file in board/${name}`,
    );
  }
  const layout = await readValidated<CardLayout>(join(dir, board.partitions), {
    schema: 'partitions.schema.json',
    shownName: `board/${name}/${board.partitions}`,
    code: 'BOARD_INVALID',
  });
  const fault = layoutFault(layout, board.imageMiB);
  if (fault) {
    throw new BuildError('BOARD_INVALID', `Cannot use board/${name}/${board.partitions}: ${fault}`);
  }
  return { ...board, dir, layout };
}

/** Says what is wrong with a layout that fits its schema, or answers null. */
export function layoutFault(layout: CardLayout, imageMiB: number): string | null {
  const roles = layout.partitions.map((partition) => partition.role).join(', ');
  if (roles !== 'selector, slot, slot, journal') {
    return `the roles are ${roles}, wanted selector, slot, slot, journal`;
  }
  let endMiB = layout.alignmentMiB;
  for (const [index, { name, role, startMiB, sizeMiB, fat }] of layout.partitions.entries()) {
    if (startMiB < endMiB) {
      return `partitions.${index}.startMiB is ${startMiB}, wanted at least ${endMiB} for ${name}`;
    }
    if ((role === 'journal') === (fat !== undefined)) {
      const want = role === 'journal' ? 'no fat (it is raw)' : 'a fat description';
      return `partitions.${index} has role ${role}, wanted ${want}`;
    }
    endMiB = startMiB + sizeMiB;
  }
  return endMiB > imageMiB
    ? `the last partition ends at ${endMiB} MiB, wanted at most imageMiB, ${imageMiB}`
    : null;
}

/** Answers the only partition with this role; slots are asked for by index. */
export function partitionOf(layout: CardLayout, role: Partition['role'], index = 0): Partition {
  const found = layout.partitions.filter((partition) => partition.role === role)[index];
  if (!found) throw new BuildError('BOARD_INVALID', `Cannot find partition ${role} ${index}`);
  return found;
}
