/**
 * The tree checks itself: who may import whom, how long files and lines may get, what must not be
 * in the repository. Each finding says what to do. Pure over the list of files, so that it is
 * tested.
 */

export interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const LINES_WARN = 600;
const LINES_MAX = 800;
const COLUMNS_MAX = 100;

/**
 * The layers: what each folder may import besides itself and vm/base. Longer prefixes win.
 * Store knows nothing of Smalltalk; pager and memory never import each other; jit and primitives do
 * not know each other and the interpreter knows neither; node:* only where it is listed.
 */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  'vm/base': ['node:zlib'],
  'vm/store': [],
  'vm/pager': [],
  'vm/objects': ['vm/memory', 'vm/compiler', 'vm/bytecode'],
  'vm/memory': ['vm/objects'],
  'vm/bytecode': [],
  'vm/compiler': ['vm/bytecode'],
  'vm/interpreter': ['vm/memory', 'vm/objects', 'vm/bytecode'],
  'vm/primitives': ['vm/memory', 'vm/objects', 'vm/interpreter', 'vm/compiler'],
  'vm/jit': ['vm/memory', 'vm/objects', 'vm/bytecode', 'vm/interpreter'],
  'vm/bootstrap': [
    'vm/memory',
    'vm/objects',
    'vm/compiler',
    'vm/interpreter',
    'vm/primitives',
    'vm/store',
    'vm/host',
    'node:',
  ],
  'vm/supervisor': ['vm/store', 'vm/memory', 'vm/objects', 'vm/interpreter', 'vm/compiler'],
  'vm/host': ['vm/', 'initramfs', 'node:'],
  'vm/main.ts': ['vm/', 'node:'],
  initramfs: ['vm/', 'node:'],
  build: ['vm/bootstrap', 'vm/main.ts', 'initramfs', 'node:', 'package:'],
  ci: ['build', 'vm/', 'initramfs', 'node:', 'package:'],
  test: ['build', 'ci', 'vm/', 'initramfs', 'node:', 'package:'],
  'vitest.config.ts': ['package:'],
};

/** Lines of a comment that are a table or a drawing: their columns carry meaning. */
const DRAWING = /^\s*(\*|\/\/).*( {2,}|[│─·▶])/;

/** Files longer than the rule, each with its reason. */
export const LONG_FILES: Readonly<Record<string, string>> = {
  'vm/interpreter/interpret.ts': 'one switch over the instruction set, with literal labels',
};

/** What must not stand in a committed file: a pattern, and what to write instead. */
const BANS: readonly (readonly [RegExp, string])[] = [
  [/\bdebian\.org\b|\bregistry\.npmjs\b/, 'derive the mirror from the machine, name no host'],
  [/\bTODO\b|\bFIXME\b|\bXXX\b/, 'finish it, or say in docs/ what is not there'],
  [/(^|[^\w.])(?:describe|test|it)\.only\(/, 'remove .only'],
];

/** Findings of all rules over the given files, one sentence each. */
export function tidy(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => [
    ...(/\.(ts|mjs|c|h|st|json|md|sh)$/.test(file.path) ? textFindings(file) : []),
    ...(file.path.endsWith('.ts') ? [...importFindings(file), ...shapeFindings(file)] : []),
  ]);
}

function textFindings({ path, text }: SourceFile): string[] {
  if (path === 'ci/tidy.ts' || path.startsWith('ci/tidy.test') || path === 'package-lock.json')
    return [];
  return text
    .split('\n')
    .flatMap((line, index) =>
      BANS.filter(([pattern]) => pattern.test(line)).map(
        ([, remedy]) => `${path}:${index + 1}: "${line.trim().slice(0, 60)}": ${remedy}`,
      ),
    );
}

function shapeFindings({ path, text }: SourceFile): string[] {
  const lines = text.split('\n');
  const findings: string[] = [];
  if (lines.length > LINES_MAX && LONG_FILES[path] === undefined)
    findings.push(`${path}: ${lines.length} lines: split it (${LINES_MAX} at most)`);
  for (const [index, line] of lines.entries()) {
    if (line.length > COLUMNS_MAX && !/['"`]/.test(line) && !DRAWING.test(line))
      findings.push(`${path}:${index + 1}: ${line.length} columns: wrap it at ${COLUMNS_MAX}`);
  }
  if (!path.endsWith('.test.ts') && !/^(#!.*\n)?\/\*/.test(text))
    findings.push(`${path}: open it with a comment: what it is, why, what always holds`);
  return findings;
}

function importFindings({ path, text }: SourceFile): string[] {
  const layer = layerOf(path);
  if (layer === undefined) return [`${path}: belongs to no layer: add it to LAYERS in ci/tidy.ts`];
  const isTest = path.endsWith('.test.ts');
  const findings: string[] = [];
  const imports = /^(?:import|export)\b(?:[^;='"(]*?\bfrom)?\s*['"]([^'"]+)['"]/gm;
  for (const [, specifier = ''] of text.matchAll(imports)) {
    const target = targetOf(path, specifier);
    const allowed = [layer, 'vm/base', ...(LAYERS[layer] ?? [])];
    if (isTest && /^(node:|package:|vm\/|build|ci|test|initramfs)/.test(target)) continue;
    if (!allowed.some((prefix) => target.startsWith(prefix)))
      findings.push(`${path}: imports ${target}: ${layer} may import ${allowed.join(', ')}`);
  }
  return findings;
}

/** Long files that are not yet too long: shown, no failure. */
export function tidyWarnings(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => file.path.endsWith('.ts') && file.text.split('\n').length > LINES_WARN)
    .map((file) => `${file.path}: ${file.text.split('\n').length} lines: soon too long`);
}

function layerOf(path: string): string | undefined {
  return Object.keys(LAYERS)
    .filter((layer) => path === layer || path.startsWith(`${layer}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function targetOf(from: string, specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  if (!specifier.startsWith('.')) return `package:${specifier}`;
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}
