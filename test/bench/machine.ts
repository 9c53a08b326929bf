/** The machine a benchmark ran on, as far as it says so itself. */

import { execFileSync } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** File system and device of the folder under test. */
  readonly disk: string;
  /** Runnable tasks when it began: what else was going on. */
  readonly load: string;
}

/** Describes this machine and the file system of `dir`. */
export function describeMachine(dir: string): Machine {
  return {
    date: new Date().toISOString().slice(0, 16),
    cpu: cpus()[0]?.model ?? process.arch,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    disk: diskOf(dir),
    load: readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' '),
  };
}

function diskOf(dir: string): string {
  const free = statfsSync(dir);
  const gib = Math.round((free.blocks * free.bsize) / 2 ** 30);
  try {
    const found = execFileSync('findmnt', ['-n', '-o', 'FSTYPE,SOURCE', '--target', dir]);
    return `${found.toString().trim().replace(/\s+/g, ' on ')}, ${gib} GiB`;
  } catch {
    return `${gib} GiB`;
  }
}
