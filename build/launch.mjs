/**
 * The door to every `npm run` command: works under any Node from 20 on, with nothing installed.
 *
 * It brings node_modules into the state package-lock.json describes (only when that changed), then
 * replaces itself in effect by the pinned Node 26 from node_modules, which runs our TypeScript as it
 * is. Plain JavaScript, because it is the one program that runs before that Node is there.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_LIBRARIES = ['libatomic1', 'libstdc++6'];
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'node_modules', '.palimpsest-lock');
const node = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
const lockHash = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

const { dependencies, devDependencies } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);
// The stamp may be older than what somebody took away, or come from another tree.
const isWhole = Object.keys({ ...dependencies, ...devDependencies }).every((name) =>
  existsSync(join(root, 'node_modules', name)),
);

if (!isWhole || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== lockHash) {
  process.stderr.write(
    'Installing npm packages (some are missing, or package-lock.json changed)\n',
  );
  // Not `npm ci`: it refuses a lock without those packages for other platforms that the registry
  // never had. Installing takes the versions and hashes the lock names and leaves the lock alone.
  const install = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const done = spawnSync('npm', install, { cwd: root, stdio: ['ignore', 2, 2] });
  if (done.status !== 0) {
    const reason = done.error ? done.error.message : `exit status ${done.status}`;
    process.stderr.write(`Cannot install npm packages: npm install ended with ${reason}\n`);
    process.exit(1);
  }
  // npm puts this link before the machine's own Node, but it cannot start on a bare Debian.
  rmSync(join(root, 'node_modules', '.bin', 'node'), { force: true });
  if (!existsSync(node)) {
    process.stderr.write(
      `Cannot start Node 26: found a ${process.platform} ${process.arch} host, wanted Linux on x64 or arm64\n`,
    );
    process.exit(1);
  }
  ensureLibraries();
  // A new file: a tree that was copied by hard links has a stamp of its own.
  rmSync(stamp, { force: true });
  writeFileSync(stamp, lockHash);
}

const [script, ...rest] = process.argv.slice(2);
const child = spawn(node, ['--disable-warning=ExperimentalWarning', join(root, script), ...rest], {
  stdio: 'inherit',
});
// The terminal sends Ctrl-C to the whole group; a kill aimed at us alone is passed on.
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
process.on('SIGINT', () => {});
child.on('exit', (status, signal) => process.exit(status ?? 128 + constants.signals[signal]));

/** A bare Debian lacks libraries the pinned Node is linked with; without them nothing else runs. */
function ensureLibraries() {
  const starts = () => spawnSync(node, ['--version']).status === 0;
  if (starts()) return;
  const install = ['apt-get', 'install', '--yes', '--no-install-recommends', ...NODE_LIBRARIES];
  const isRoot = process.getuid() === 0;
  if (isRoot || spawnSync('sudo', ['-n', 'true']).status === 0) {
    process.stderr.write(`Installing ${NODE_LIBRARIES.join(' and ')}, which Node 26 needs\n`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    for (const command of [['apt-get', 'update'], install]) {
      const [name, ...args] = isRoot ? command : ['sudo', '-n', ...command];
      spawnSync(name, args, { stdio: ['ignore', 'ignore', 2], env });
    }
    if (starts()) return;
  }
  const why = spawnSync(node, ['--version'], { encoding: 'utf8' }).stderr.trim();
  process.stderr.write(`Cannot start Node 26: ${why}; run as root: ${install.join(' ')}\n`);
  process.exit(1);
}
