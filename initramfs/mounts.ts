/**
 * What PID 1 mounts, as named values in the order they are mounted. There is no root file system to
 * mount: the initramfs stays the root, and the journal's partition carries no file system at all.
 */

export interface Mount {
  readonly name: string;
  readonly source: string;
  readonly target: string;
  readonly type: string;
  /** mount(2) flags. */
  readonly flags: number;
  readonly data: string;
  /** Without it the appliance cannot work. */
  readonly needed: boolean;
}

const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const HARDENED = MS_NOSUID | MS_NODEV | MS_NOEXEC;

export const MOUNTS: readonly Mount[] = [
  {
    name: 'devices',
    source: 'devtmpfs',
    target: '/dev',
    type: 'devtmpfs',
    flags: MS_NOSUID | MS_NOEXEC,
    data: 'mode=0755',
    needed: true,
  },
  {
    name: 'processes',
    source: 'proc',
    target: '/proc',
    type: 'proc',
    flags: HARDENED,
    data: '',
    needed: true,
  },
  {
    name: 'kernel objects',
    source: 'sysfs',
    target: '/sys',
    type: 'sysfs',
    flags: HARDENED,
    data: '',
    needed: true,
  },
  {
    name: 'last words of the kernel',
    source: 'pstore',
    target: '/sys/fs/pstore',
    type: 'pstore',
    flags: HARDENED,
    data: '',
    needed: false,
  },
];

/** The mounts as lines to read: what init would do, without doing it. */
export function mountPlan(mounts: readonly Mount[] = MOUNTS): string[] {
  return mounts.map(
    (mount) => `mount ${mount.type} on ${mount.target} (${mount.name}${mount.needed ? '' : '?'})`,
  );
}
