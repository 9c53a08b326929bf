/**
 * A file system of its own for counting bytes at the block layer: ext4 on a loop device over a
 * file that is written from end to end. What the kernel's counters of that device say is what was
 * written by those under test, the file system's metadata and journal included, and by nobody else.
 *
 * Needs root and loop devices. Elsewhere the counters of the folder's own device are read, which
 * are right only as long as nothing else writes there; `exact` tells.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { assert } from '../../vm/base/assert.ts';
import { writtenFile } from './disk.ts';

const SECTOR_BYTES = 512;
/** Fields of a block device's stat file: writes completed, and sectors written. */
const FIELD_WRITES = 4;
const FIELD_SECTORS = 6;

export class LoopDisk {
  /** The folder to put files in. */
  readonly dir: string;
  /** Whether nobody else can write to the device that is counted. */
  readonly exact: boolean;
  readonly #statPath: string;
  readonly #image: string;
  readonly #device: string | null;
  /** Also when the program is interrupted: a mounted file system must not stay behind. */
  readonly #takeDown = (): void => this.#dismantle();

  /** Makes the file system, `bytes` large, in the folder `dir`. */
  constructor(dir: string, bytes: number) {
    this.#image = join(dir, 'disk.img');
    this.#device = attach(this.#image, bytes);
    this.exact = this.#device !== null;
    if (this.#device === null) {
      this.dir = dir;
      this.#statPath = `/sys/dev/block/${deviceOf(dir)}/stat`;
      return;
    }
    this.dir = join(dir, 'disk');
    this.#statPath = `/sys/class/block/${basename(this.#device)}/stat`;
    mkdirSync(this.dir);
    process.prependListener('exit', this.#takeDown);
    // Nothing lazy: what mkfs leaves to a kernel thread would be counted as somebody's writes.
    const options = 'lazy_itable_init=0,lazy_journal_init=0,nodiscard';
    run('mkfs.ext4', ['-q', '-F', '-m', '0', '-E', options, this.#device]);
    run('mount', ['-o', 'noatime', this.#device, this.dir]);
  }

  /** Bytes and requests written to the device so far, everything pending included. */
  written(): { bytes: number; writes: number } {
    run('sync', ['-f', this.dir]);
    const fields = readFileSync(this.#statPath, 'utf8').trim().split(/\s+/).map(Number);
    return {
      bytes: (fields[FIELD_SECTORS] ?? 0) * SECTOR_BYTES,
      writes: fields[FIELD_WRITES] ?? 0,
    };
  }

  /** Takes it down; the files in it are gone. */
  close(): void {
    if (this.#device === null) return;
    process.removeListener('exit', this.#takeDown);
    this.#dismantle();
  }

  #dismantle(): void {
    if (this.#device === null) return;
    // Lazily: after an interrupt files in it are still open.
    run('umount', ['--lazy', this.dir]);
    run('losetup', ['--detach', this.#device]);
    rmSync(this.#image);
  }
}

/** A loop device over a written file, or null where there is none to be had. */
function attach(image: string, bytes: number): string | null {
  if (process.getuid?.() !== 0) return null;
  try {
    run('losetup', ['--find']);
  } catch {
    return null;
  }
  writtenFile(image, bytes);
  return run('losetup', ['--direct-io=on', '--find', '--show', image]);
}

function deviceOf(dir: string): string {
  const { dev } = statSync(realpathSync(dir));
  const major = (dev >>> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
  assert(major !== 0, 'a folder on a block device');
  return `${major}:${minor}`;
}

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    .toString()
    .trim();
}
