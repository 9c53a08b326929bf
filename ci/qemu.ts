/**
 * How QEMU is started: the one module behind `npm start` and the boot tests.
 *
 * QEMU has no Pi firmware, so this does its part: it looks into the card image, follows
 * autoboot.txt to the active slot and takes kernel, initramfs and command line from that slot's
 * FAT. What is booted is therefore what is in the image, not what lies beside it; only the device
 * tree is QEMU's own (board/rpi4/qemu.dts).
 *
 * Two machines: `raspi4b`, the board; and `virt`, which boots the same image about twice as fast
 * with the card as a virtio disk.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { AUTOBOOT_FILE, activePartition } from '../build/lib/autoboot.ts';
import { readBoard } from '../build/lib/board.ts';
import { BuildError } from '../build/lib/failure.ts';
import { pathExists } from '../build/lib/files.ts';
import { readMbr, SECTOR_BYTES } from '../build/lib/mbr.ts';
import { boardOutputDir } from '../build/lib/paths.ts';
import { run } from '../build/lib/run.ts';
import { copySparse, readFully } from '../build/lib/sparse.ts';

export type Machine = 'raspi4b' | 'virt';
export const MACHINES: readonly Machine[] = ['raspi4b', 'virt'];

const QEMU = 'qemu-system-aarch64';
const OUTPUT_SHOWN = 3000;

/** What QEMU's machine is made of; on virt two processors and 2 GiB suffice for our tests. */
const MACHINE_ARGUMENTS: Record<Machine, readonly string[]> = {
  raspi4b: ['-M', 'raspi4b', '-smp', '4', '-m', '2G'],
  virt: ['-M', 'virt', '-cpu', 'cortex-a72', '-smp', '2', '-m', '2G'],
};

/**
 * Kernel parameters one machine needs on top of the image's own. The board's device tree reserves
 * memory for the kernel's last words; virt has no device tree of ours, so the kernel is told.
 */
const MACHINE_PARAMETERS: Record<Machine, readonly string[]> = {
  raspi4b: [],
  virt: [
    'reserve_mem=1M:4096:palimpsest-oops',
    'ramoops.mem_name=palimpsest-oops',
    'ramoops.record_size=0x20000',
    'ramoops.console_size=0x40000',
    'ramoops.ecc=1',
  ],
};

export interface QemuOptions {
  machine: Machine;
  /** The card image; QEMU locks it and writes to it. */
  image: string;
  /** Device tree for raspi4b; by default the one the build put beside the image. */
  deviceTree?: string;
  /** Kernel parameters to add, before the `--` that ends them. */
  parameters?: readonly string[];
  /** Arguments to add to QEMU's own, such as a network device or a monitor socket. */
  extraArguments?: readonly string[];
  /** False: QEMU ends when the guest restarts or panics. Default true. */
  restarts?: boolean;
  /** Options to add to the card's drive, such as `,throttling.iops-total=100`. */
  driveOptions?: string;
}

export interface BootFiles {
  kernel: string;
  initramfs: string;
  cmdline: string;
}

/** A running QEMU whose serial line is in our hands. */
export interface QemuMachine {
  /** Types text on the serial line. */
  write(text: string): void;
  /**
   * Waits until the serial output not yet consumed by an earlier call has the pattern, consumes up
   * to its end and answers the match. Fails after `timeoutMs` times the machine's slowness
   * (PALIMPSEST_SLOW), or when QEMU ends, with the last output.
   */
  waitFor(pattern: string | RegExp, timeoutMs: number): Promise<RegExpExecArray>;
  /** Everything the serial line has said so far. */
  readonly output: string;
  /** Sends a signal to QEMU and waits for its end; SIGKILL is the pulled plug. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Resolves when QEMU has ended, however it did. */
  readonly exited: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
  readonly pid: number;
}

/** Answers by how much waits are stretched on this machine: PALIMPSEST_SLOW, at least 1. */
export function slowness(environment: NodeJS.ProcessEnv = process.env): number {
  const factor = Number(environment['PALIMPSEST_SLOW'] ?? '1');
  return Number.isFinite(factor) && factor > 1 ? factor : 1;
}

/** Boots an image with the serial line on pipes. */
export async function bootQemu(options: QemuOptions): Promise<QemuMachine> {
  const work = await mkdtemp(join(tmpdir(), 'palimpsest-qemu-'));
  try {
    const files = await extractBootFiles(options.image, work);
    const args = await qemuArguments(options, files, ['-serial', 'stdio', '-monitor', 'none']);
    const child = spawn(QEMU, args, { stdio: 'pipe' });
    return new SerialMachine(child, () => rm(work, { recursive: true, force: true }));
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
}

/** Boots an image with the serial line on this terminal; answers QEMU's exit status. */
export async function runQemuHere(options: QemuOptions): Promise<number> {
  const work = await mkdtemp(join(tmpdir(), 'palimpsest-qemu-'));
  try {
    const files = await extractBootFiles(options.image, work);
    // mon:stdio hands Ctrl-C to the guest and keeps Ctrl-A X for leaving.
    const args = await qemuArguments(options, files, ['-serial', 'mon:stdio']);
    const child = spawn(QEMU, args, { stdio: 'inherit' });
    return await new Promise<number>((resolve, reject) => {
      child.on('error', (cause) => reject(cannotStart(cause)));
      child.on('exit', (status) => resolve(status ?? 1));
      for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, () => child.kill(signal));
      }
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Takes kernel, initramfs and command line out of the image's active boot slot into `work`. */
export async function extractBootFiles(image: string, work: string): Promise<BootFiles> {
  if (!(await pathExists(image))) {
    throw new BuildError('IMAGE_MISSING', `Cannot boot ${image}: no such file; run npm run image`);
  }
  const offsets = await partitionOffsets(image);
  const copy = async (partition: number, file: string): Promise<string> => {
    const offset = offsets[partition - 1] ?? 0;
    const target = join(work, file);
    try {
      await run('mcopy', ['-n', '-o', '-i', `${image}@@${offset}`, `::${file}`, target]);
    } catch (cause) {
      throw unreadable(image, `partition ${partition} has no ${file}`, cause);
    }
    return target;
  };
  const autoboot = await readFile(await copy(1, AUTOBOOT_FILE), 'latin1');
  const slot = activePartition(autoboot);
  if (slot === null) throw unreadable(image, `${AUTOBOOT_FILE} names no boot slot`);
  const board = await readBoard('rpi4');
  return {
    kernel: await copy(slot, board.kernel.file),
    initramfs: await copy(slot, board.initramfs),
    cmdline: (await readFile(await copy(slot, 'cmdline.txt'), 'utf8')).trim(),
  };
}

/** Puts parameters among the kernel's: before the `--` after which everything is init's. */
export function addParameters(cmdline: string, parameters: readonly string[]): string {
  const at = cmdline.search(/(^|\s)--(\s|$)/);
  const kernel = at < 0 ? cmdline : cmdline.slice(0, at);
  const init = at < 0 ? '' : cmdline.slice(at).trim();
  return [kernel.trim(), ...parameters, init].filter((part) => part !== '').join(' ');
}

/** Copies an image for a test to change, without its holes. */
export async function cloneImage(from: string, to: string): Promise<void> {
  const source = await open(from, 'r');
  const { size } = await source.stat();
  await source.close();
  const handle = await open(to, 'w');
  try {
    await handle.truncate(size);
    await copySparse(from, handle, 0);
  } finally {
    await handle.close();
  }
}

async function qemuArguments(
  options: QemuOptions,
  files: BootFiles,
  serial: readonly string[],
): Promise<string[]> {
  const { machine, image } = options;
  const drive = `file=${image.replaceAll(',', ',,')},if=none,id=card,format=raw`;
  const parameters = [...MACHINE_PARAMETERS[machine], ...(options.parameters ?? [])];
  const args = [
    ...MACHINE_ARGUMENTS[machine],
    ...['-kernel', files.kernel, '-initrd', files.initramfs],
    ...['-append', addParameters(files.cmdline, parameters)],
    ...['-drive', `${drive}${options.driveOptions ?? ''}`],
    ...['-display', 'none', ...serial],
  ];
  if (machine === 'raspi4b') {
    const deviceTree = options.deviceTree ?? (await builtDeviceTree(image));
    // The card sits on emmc2, not on the controller QEMU's own sd option would choose.
    args.push('-dtb', deviceTree, '-device', 'sd-card,drive=card,bus=/generic-sdhci/sd-bus');
  } else {
    args.push('-device', 'virtio-blk-pci,drive=card', '-nic', 'none');
  }
  if (options.restarts === false) args.push('-no-reboot');
  return [...args, ...(options.extraArguments ?? [])];
}

/** A copy of an image elsewhere boots with the device tree of the image built here. */
async function builtDeviceTree(image: string): Promise<string> {
  const board = await readBoard('rpi4');
  const places = [dirname(image), boardOutputDir(board.name)].map((folder) =>
    join(folder, 'qemu', board.deviceTrees.qemu.file),
  );
  for (const path of places) if (await pathExists(path)) return path;
  throw new BuildError(
    'IMAGE_MISSING',
    `Cannot boot ${image}: QEMU's device tree ${places[0]} is missing; run npm run image`,
  );
}

async function partitionOffsets(image: string): Promise<number[]> {
  const handle = await open(image, 'r');
  try {
    const { size } = await handle.stat();
    const table = readMbr(await readFully(handle, SECTOR_BYTES, 0));
    if (!table) throw unreadable(image, 'it has no partition table');
    const end = Math.max(...table.entries.map((entry) => entry.startBytes + entry.sizeBytes));
    if (end > size) throw unreadable(image, `it has ${size} bytes, wanted ${end} (truncated?)`);
    return table.entries.map((entry) => entry.startBytes);
  } finally {
    await handle.close();
  }
}

function unreadable(image: string, fault: string, cause?: unknown): BuildError {
  return new BuildError(
    'IMAGE_UNREADABLE',
    `Cannot boot ${image}: ${fault}; make a new one with npm run image`,
    { cause },
  );
}

function cannotStart(cause: Error): BuildError {
  return new BuildError('COMMAND_FAILED', `Cannot start ${QEMU}: ${cause.message}`, { cause });
}

class SerialMachine implements QemuMachine {
  readonly exited: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcessWithoutNullStreams;
  #output = '';
  #errors = '';
  #consumed = 0;
  #ended = false;
  /** Waits in progress; each looks again when there is more output or QEMU ends. */
  readonly #waiters = new Set<() => void>();

  constructor(child: ChildProcessWithoutNullStreams, cleanUp: () => Promise<void>) {
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      this.#wake();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    // A dead QEMU closes the pipe; its end is reported through `exited`, not through a write.
    child.stdin.on('error', () => {});
    this.exited = new Promise((resolve) => {
      const end = (status: number | null, signal: NodeJS.Signals | null) => {
        this.#ended = true;
        cleanUp().finally(() => resolve({ status, signal }));
        this.#wake();
      };
      child.on('error', (error) => {
        this.#errors += cannotStart(error).message;
        end(null, null);
      });
      child.on('close', end);
    });
  }

  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  async waitFor(pattern: string | RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    const wanted =
      typeof pattern === 'string' ? new RegExp(RegExp.escape(pattern)) : new RegExp(pattern);
    const limitMs = timeoutMs * slowness();
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        this.#waiters.delete(look);
        finish();
      };
      const fail = (why: string) => settle(() => reject(new Error(this.#report(pattern, why))));
      const look = () => {
        const match = wanted.exec(this.#output.slice(this.#consumed));
        if (match) {
          this.#consumed += match.index + match[0].length;
          settle(() => resolve(match));
        } else if (this.#ended) {
          fail('QEMU ended');
        }
      };
      const timer = setTimeout(() => fail(`nothing in ${limitMs} ms`), limitMs);
      this.#waiters.add(look);
      look();
    });
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child.kill(signal);
    await this.exited;
  }

  #report(pattern: string | RegExp, why: string): string {
    const tail = this.#output.slice(-OUTPUT_SHOWN);
    const errors = this.#errors ? `\nQEMU says: ${this.#errors}` : '';
    return `Waited for ${pattern} on the serial line: ${why}${errors}\nLast output:\n${tail}`;
  }

  #wake(): void {
    for (const look of [...this.#waiters]) look();
  }
}
