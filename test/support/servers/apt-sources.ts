/** An archive that this machine already trusts and downloads from. */
export interface AptArchive {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Path of the keyring, when the source names one. */
  readonly signedBy: string | null;
}

/** Parses a one-line-style file (`sources.list`, `*.list`): `deb [options] uri suite component…`. */
export function parseListFile(text: string): AptArchive[] {
  const archives: AptArchive[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (match === null) continue;
    const [, options = '', uri = '', suite = '', components = ''] = match;
    archives.push({
      uri: withoutSlash(uri),
      suites: [suite],
      components: words(components),
      signedBy: /(?:^|\s)signed-by=(\/\S+)/i.exec(options)?.[1] ?? null,
    });
  }
  return archives;
}

/** Parses a deb822 file (`*.sources`): stanzas of `Field: value`, continued on indented lines, `#` lines ignored. */
export function parseSourcesFile(text: string): AptArchive[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  return lines
    .join('\n')
    .split(/\n\s*\n/)
    .flatMap((stanza) => stanzaArchives(stanzaFields(stanza)));
}

function stanzaFields(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let current = '';
  for (const line of stanza.split('\n')) {
    const match = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
    if (match !== null) {
      current = (match[1] ?? '').toLowerCase();
      fields.set(current, match[2] ?? '');
    } else if (current !== '') {
      fields.set(current, `${fields.get(current) ?? ''} ${line.trim()}`);
    }
  }
  return fields;
}

function stanzaArchives(fields: ReadonlyMap<string, string>): AptArchive[] {
  if (!words(fields.get('types')).includes('deb')) return [];
  if (/^(no|false|0)$/i.test(fields.get('enabled')?.trim() ?? '')) return [];
  const signedBy = fields.get('signed-by')?.trim() ?? '';
  return words(fields.get('uris')).map((uri) => ({
    uri: withoutSlash(uri),
    suites: words(fields.get('suites')),
    components: words(fields.get('components')),
    signedBy: signedBy.startsWith('/') ? signedBy : null, // An embedded key is left out: apt's own trusted keys then decide.
  }));
}

/** The distribution's main archive: the one that serves the release this machine runs. */
export function findMainArchive(archives: readonly AptArchive[], codename: string): AptArchive | null {
  return archives.find(({ suites, components }) => suites.includes(codename) && components.includes('main')) ?? null;
}

function words(text = ''): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

function withoutSlash(uri: string): string {
  return uri.replace(/\/+$/, '');
}
