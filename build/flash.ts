/**
 * `npm run flash`: puts the image on a card, or a new system into an existing card's free slot.
 *
 *   npm run flash -- /dev/sdX [--upgrade] [--image FILE] [--used] [--yes]
 *
 * --upgrade replaces only the boot slot that is not started and leaves the journal. --used allows
 * an image in which somebody has already lived: its memory and identity go onto the card. --yes
 * does not ask.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { type Disk, parseLsblk, refusal, upgradeRefusal } from './lib/card.ts';
import { type CardWriter, upgradeCard, writeNewCard } from './lib/card-writer.ts';
import { BuildError, runMain } from './lib/failure.ts';
import { pathExists, sha256File } from './lib/files.ts';
import { readMbr, SECTOR_BYTES } from './lib/mbr.ts';
import { imagePath } from './lib/paths.ts';
import { createProgress, type Progress } from './lib/progress.ts';
import { run } from './lib/run.ts';
import { readFully } from './lib/sparse.ts';

const USAGE = 'npm run flash -- /dev/sdX [--upgrade] [--image FILE] [--used] [--yes]';

interface Request {
  device: string;
  image: string;
  upgrade: boolean;
  used: boolean;
  yes: boolean;
}

async function main(): Promise<number> {
  const request = readArguments();
  const { device, image: imageFile } = request;
  if (!(await pathExists(imageFile))) {
    throw new BuildError(
      'IMAGE_MISSING',
      `Cannot flash ${imageFile}: no such file; run npm run image`,
    );
  }
  const image = await open(imageFile, 'r');
  const { size } = await image.stat();
  const table = readMbr(await readFully(image, SECTOR_BYTES, 0));
  if (!table) {
    throw new BuildError(
      'IMAGE_UNREADABLE',
      `Cannot flash ${imageFile}: it has no partition table`,
    );
  }
  const disk = await readDisk(device);
  const fault = refusal(disk, size);
  if (fault) throw refused(device, fault);
  if (!request.upgrade && !request.used) await checkUnused(imageFile);
  const card = await openCard(device);
  try {
    const cardTable = readMbr(await readFully(card, SECTOR_BYTES, 0));
    const upgradeFault = request.upgrade ? upgradeRefusal(cardTable, table) : null;
    if (upgradeFault) throw refused(device, upgradeFault);
    if (!request.yes) await confirm(disk, request.upgrade);
    const progress = createProgress(process.stderr, 2);
    const writer = cardWriter(card, image, device, progress);
    progress.start(basename(device), request.upgrade ? 'upgrading' : 'writing');
    if (request.upgrade) {
      const slot = await upgradeCard(writer, table.entries);
      progress.finish(`verified; the card starts partition ${slot} from now on`);
    } else {
      await writeNewCard(writer, size);
      progress.finish('written and verified');
    }
  } finally {
    await card.close();
    await image.close();
  }
  return 0;
}

function readArguments(): Request {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { upgrade: flag, used: flag, yes: flag, image: { type: 'string' } },
    });
    const [device, ...more] = positionals;
    if (device === undefined || more.length > 0) throw new Error('it takes one disk');
    return { ...values, device, image: values.image ?? imagePath('rpi4') };
  } catch (error) {
    throw new BuildError('USAGE', `Cannot flash: ${(error as Error).message}; wanted ${USAGE}`);
  }
}

async function readDisk(device: string): Promise<Disk> {
  const path = await realpath(device).catch(() => {
    throw refused(device, 'no such disk');
  });
  let text: string;
  try {
    const columns = 'PATH,SIZE,TYPE,RM,RO,MODEL,MOUNTPOINTS';
    text = await run('lsblk', ['--json', '--bytes', '--output', columns, path]);
  } catch (cause) {
    if (!(cause instanceof BuildError)) throw cause;
    throw refused(device, 'it is not a disk, wanted one such as /dev/sdX');
  }
  const kind = await readFile(`/sys/class/block/${basename(path)}/device/type`, 'utf8').catch(
    () => '',
  );
  const disk = parseLsblk(text, kind.trim() === 'SD');
  if (!disk) throw refused(device, 'lsblk does not know it');
  return disk;
}

/** A used image carries an identity that must stay the only one of its kind. */
async function checkUnused(imageFile: string): Promise<void> {
  const manifest = join(dirname(imageFile), 'manifest.json');
  if (!(await pathExists(manifest))) return;
  const { outputs } = JSON.parse(await readFile(manifest, 'utf8')) as {
    outputs: { name: string; sha256: string }[];
  };
  const pristine = outputs.find((output) => output.name === basename(imageFile));
  if (!pristine || pristine.sha256 === (await sha256File(imageFile))) return;
  throw new BuildError(
    'CARD_REFUSED',
    `Cannot flash ${imageFile}: it has been booted since it was made; add --used to put its ` +
      'memory on the card, or delete it and run npm run image for a fresh one',
  );
}

/** O_EXCL makes the kernel refuse a disk that somebody mounted or opened in the meantime. */
async function openCard(device: string): Promise<FileHandle> {
  try {
    return await open(device, constants.O_RDWR | constants.O_EXCL);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EBUSY') throw refused(device, 'another program is using it');
    if (code === 'EACCES' || code === 'EPERM') throw refused(device, 'not allowed; run it as root');
    throw refused(device, (error as Error).message);
  }
}

async function confirm(disk: Disk, upgrade: boolean): Promise<void> {
  const gigabytes = (disk.sizeBytes / 1e9).toFixed(1);
  const effect = upgrade ? 'replaces its unused boot slot' : 'erases everything on it';
  if (!process.stdin.isTTY) {
    throw refused(disk.path, `this ${effect} and nobody can be asked; add --yes`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(
    `${disk.path} is ${disk.model}, ${gigabytes} GB. This ${effect}. Type ${disk.path} to go on: `,
  );
  terminal.close();
  if (answer.trim() !== disk.path) throw refused(disk.path, 'not confirmed; nothing was written');
}

function cardWriter(
  card: FileHandle,
  image: FileHandle,
  device: string,
  progress: Progress,
): CardWriter {
  return {
    card,
    image,
    dropCaches: async () => {
      await run('blockdev', ['--flushbufs', device]);
    },
    report: (pass, done, total) => {
      const half = done / total / 2;
      progress.update(pass === 'writing' ? half : 0.5 + half, pass);
    },
  };
}

function refused(device: string, why: string): BuildError {
  return new BuildError('CARD_REFUSED', `Cannot flash ${device}: ${why}`);
}

await runMain(main);
