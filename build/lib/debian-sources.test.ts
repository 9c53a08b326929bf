import { describe, expect, test } from 'vitest';
import { findMirrors, formatDeb822, parseDeb822, parseSourcesList } from './debian-sources.ts';

const ONE_LINE = `
# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/keys/d.gpg] http://mirror.example/debian/ bookworm main contrib # ours
deb-src http://mirror.example/debian bookworm main
deb http://sec.example/debian-security bookworm-security main
deb [trusted=yes] https://vendor.example/apt stable tools
`;

const DEB822 = `Types: deb deb-src
# a comment inside
URIs: http://mirror.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /keys/d.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main

Types: deb
URIs: http://sec.example/debian-security
Suites: trixie-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
`;

describe('parseSourcesList()', () => {
  test('reads options, suite and components and leaves out comments and sources', () => {
    expect(parseSourcesList(ONE_LINE)).toEqual([
      {
        uri: 'http://mirror.example/debian/',
        suites: ['bookworm'],
        components: ['main', 'contrib'],
        signedBy: '/keys/d.gpg',
      },
      {
        uri: 'http://sec.example/debian-security',
        suites: ['bookworm-security'],
        components: ['main'],
        signedBy: null,
      },
      {
        uri: 'https://vendor.example/apt',
        suites: ['stable'],
        components: ['tools'],
        signedBy: null,
      },
    ]);
  });
});

describe('parseDeb822()', () => {
  test('reads stanzas, leaves out disabled ones and keys that are no file', () => {
    expect(parseDeb822(DEB822)).toEqual([
      {
        uri: 'http://mirror.example/debian',
        suites: ['trixie', 'trixie-updates'],
        components: ['main'],
        signedBy: '/keys/d.gpg',
      },
      {
        uri: 'http://sec.example/debian-security',
        suites: ['trixie-security'],
        components: ['main'],
        signedBy: null,
      },
    ]);
  });

  test('reads back what formatDeb822() writes', () => {
    const sources = parseDeb822(DEB822);
    expect(parseDeb822(formatDeb822(sources))).toEqual(sources);
  });
});

describe('findMirrors()', () => {
  test("takes the machine's Debian mirrors and not a vendor's", () => {
    expect(findMirrors(parseSourcesList(ONE_LINE), {})).toEqual({
      archive: 'http://mirror.example/debian',
      security: 'http://sec.example/debian-security',
      signedBy: '/keys/d.gpg',
    });
  });

  test('lets the environment decide', () => {
    const environment = { PALIMPSEST_DEBIAN_MIRROR: 'http://own.example/debian' };
    expect(findMirrors(parseDeb822(DEB822), environment)?.archive).toBe(
      'http://own.example/debian',
    );
  });

  test('derives the security mirror when the machine has none', () => {
    const sources = parseSourcesList('deb http://m.example/debian bookworm main');
    expect(findMirrors(sources, {})?.security).toBe('http://m.example/debian-security');
  });

  test('answers null without a Debian source', () => {
    const sources = parseSourcesList('deb https://vendor.example/apt tools extra');
    expect(findMirrors(sources, {})).toBeNull();
  });
});
