/**
 * The machine's own apt sources, read as data. The repository names no mirror: whatever this
 * machine uses for its own Debian packages is where the target's and the backports come from.
 *
 * Both notations are understood: the one-line `deb [options] URI suite components…` of
 * sources.list, and the deb822 stanzas of *.sources.
 */
import { compareCodeUnits } from './files.ts';

export interface AptSource {
  uri: string;
  suites: string[];
  components: string[];
  signedBy: string | null;
}

export interface DebianMirrors {
  /** Where the suite itself and its -updates and -backports lie. */
  archive: string;
  security: string;
  signedBy: string;
}

const DEFAULT_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const DEBIAN_RELEASE = /^(bullseye|bookworm|trixie|forky|sid|stable|testing|oldstable)$/;

/** Parses one sources.list: comments and `deb-src` lines are left out. */
export function parseSourcesList(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (!match) continue;
    const [, options = '', uri = '', suite = '', components = ''] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1] ?? null;
    sources.push({ uri, suites: [suite], components: words(components), signedBy });
  }
  return sources;
}

/** Parses a deb822 *.sources file: disabled stanzas and those without `deb` are left out. */
export function parseDeb822(text: string): AptSource[] {
  const sources: AptSource[] = [];
  const withoutComments = text.replace(/^#.*\n?/gm, '');
  for (const stanza of withoutComments.split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    let name = '';
    for (const line of stanza.split('\n')) {
      const field = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
      if (field) {
        name = (field[1] ?? '').toLowerCase();
        fields.set(name, field[2] ?? '');
      } else if (/^\s+\S/.test(line) && name) {
        fields.set(name, `${fields.get(name) ?? ''} ${line.trim()}`);
      }
    }
    if (!words(fields.get('types') ?? '').includes('deb')) continue;
    if (/^(no|false|0)$/i.test(fields.get('enabled') ?? 'yes')) continue;
    const signedBy = fields.get('signed-by')?.trim();
    for (const uri of words(fields.get('uris') ?? '')) {
      sources.push({
        uri,
        suites: words(fields.get('suites') ?? ''),
        components: words(fields.get('components') ?? ''),
        signedBy: signedBy?.startsWith('/') ? signedBy : null,
      });
    }
  }
  return sources;
}

/**
 * Answers the Debian mirrors among the machine's sources, or null when there are none. The
 * environment's PALIMPSEST_DEBIAN_MIRROR and PALIMPSEST_DEBIAN_SECURITY_MIRROR come first.
 */
export function findMirrors(
  sources: readonly AptSource[],
  environment: NodeJS.ProcessEnv,
): DebianMirrors | null {
  const usable = sources.filter((source) => /^(https?|ftp|file):/.test(source.uri));
  const main = usable.find(
    (source) =>
      source.components.includes('main') && source.suites.some((s) => DEBIAN_RELEASE.test(s)),
  );
  const security = usable.find((source) => source.suites.some((s) => s.endsWith('-security')));
  const archiveUri = environment['PALIMPSEST_DEBIAN_MIRROR'] ?? main?.uri;
  if (!archiveUri) return null;
  const archive = archiveUri.replace(/\/+$/, '');
  const securityUri = environment['PALIMPSEST_DEBIAN_SECURITY_MIRROR'] ?? security?.uri;
  return {
    archive,
    // Mirrors that carry both name them /debian and /debian-security.
    security: (securityUri ?? `${archive}-security`).replace(/\/+$/, ''),
    signedBy: main?.signedBy ?? DEFAULT_KEYRING,
  };
}

/** Writes sources in deb822 notation, in a fixed order. */
export function formatDeb822(sources: readonly AptSource[]): string {
  const stanzas = sources.map((source) =>
    [
      'Types: deb',
      `URIs: ${source.uri}`,
      `Suites: ${source.suites.join(' ')}`,
      `Components: ${source.components.join(' ')}`,
      ...(source.signedBy ? [`Signed-By: ${source.signedBy}`] : []),
    ].join('\n'),
  );
  return `${stanzas.sort(compareCodeUnits).join('\n\n')}\n`;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
