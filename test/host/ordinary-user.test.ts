/** The program as an ordinary user, on a checkout of that user's own; needs root to become one. */
import { chmod, cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkoutDir } from '../../build/lib/paths.ts';
import { run } from '../../build/lib/run.ts';
import { HostProgram, JournalCopy } from './host-program.ts';

const isRoot = process.getuid?.() === 0;
/** An id that nobody has; a user needs no name. */
const USER = '54321';
const PARTS = ['build', 'board', 'vm', 'initramfs', 'package.json', 'package-lock.json'];

describe.skipIf(!isRoot)('an ordinary user (skipped when the tests are run by one)', () => {
  let dir = '';
  let options = { through: [] as string[], environment: {}, program: [] as string[] };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'palimpsest-user-'));
    const checkout = join(dir, 'checkout');
    await mkdir(checkout);
    for (const part of PARTS) {
      await cp(join(checkoutDir, part), join(checkout, part), { recursive: true });
    }
    await symlink(join(checkoutDir, 'node_modules'), join(checkout, 'node_modules'));
    await run('chown', ['-R', `${USER}:${USER}`, dir]);
    options = {
      through: ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups'],
      environment: { HOME: dir, XDG_CACHE_HOME: '', PALIMPSEST_CACHE: '' },
      program: [join(checkout, 'build', 'host.ts')],
    };
  });

  afterAll(() => rm(dir, { recursive: true, force: true }));

  test('evaluates, keeps a journal, is told what is not permitted', async () => {
    await using once = new HostProgram(
      ['--eval', '(1 to: 4) inject: 0 into: [:a :b | a + b]'],
      options,
    );
    expect(await once.ended).toMatchObject({ status: 0, output: '10\n', errors: '' });
    await using journal = await JournalCopy.fresh();
    await chmod(journal.dir, 0o755);
    await chmod(journal.path, 0o644);
    const words = ['--journal', journal.path];
    await using refused = new HostProgram([...words, '--eval', '3'], options);
    const { status, errors } = await refused.ended;
    expect(status).toBe(1);
    expect(errors).toMatch(/^Cannot open journal .*: permission is denied[^\n]*\n$/);
    await run('chown', [`${USER}:${USER}`, journal.path]);
    for (const expected of ['nil', '42']) {
      await using program = new HostProgram(words, options);
      await program.untilPrompt();
      if (expected === '42') expect(await program.type('inbox')).toBe(expected);
      else await program.type('Smalltalk at: #inbox put: 42');
    }
  });
});
