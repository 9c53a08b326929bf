/**
 * Reads Tonel packages from a folder: one folder per package, one file per class. Files come in the
 * order of their names, whatever the file system says, so that the same sources give the same
 * image.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BootstrapError } from './bootstrap-error.ts';
import { readTonel, type TonelClass, TonelError } from './tonel.ts';

/** A class file with the name it is reported by, such as `Kernel/Object.class.st`. */
export interface ClassFile {
  file: string;
  unit: TonelClass;
}

/**
 * All class files of the packages below `classesDir`. Throws BootstrapError with every bad file.
 */
export function readPackages(classesDir: string): ClassFile[] {
  const files: ClassFile[] = [];
  const problems: string[] = [];
  for (const name of packageNames(classesDir)) {
    for (const entry of readdirSync(join(classesDir, name)).sort(byCodeUnits)) {
      if (!entry.endsWith('.st')) continue;
      const file = `${name}/${entry}`;
      try {
        const unit = readTonel(readFileSync(join(classesDir, file), 'utf8'), file);
        if (unit.kind === 'trait') problems.push(`Cannot use "${file}": traits are not built in`);
        else if (unit.kind !== 'package') files.push({ file, unit });
      } catch (error) {
        if (!(error instanceof TonelError)) throw error;
        problems.push(error.message);
      }
    }
  }
  if (problems.length > 0) throw new BootstrapError(problems);
  return files;
}

function packageNames(classesDir: string): string[] {
  return readdirSync(classesDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort(byCodeUnits);
}

function byCodeUnits(first: string, second: string): number {
  return first < second ? -1 : first > second ? 1 : 0;
}
