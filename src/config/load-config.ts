import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ConnectorSchemas, ParsedConfig, ParsedStream } from './config-schema.ts';
import type { RelaySettings, SinkSettings, StreamSettings } from './config-settings.ts';
import { type ConfigMistake, isMap } from './mistake.ts';
import { parseConfig } from './parse-config.ts';
import { NotTextError, readText } from './read-text.ts';
import { readYaml, type YamlTree } from './read-yaml.ts';
import { RULES } from './rules.ts';

export interface LoadOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What each type of source and sink takes, from the registry. */
  readonly schemas: ConnectorSchemas;
}

export type LoadedConfig = (
  | { readonly settings: RelaySettings; readonly mistakes: readonly [] }
  | { readonly settings: null; readonly mistakes: readonly ConfigMistake[] }
) & {
  /** Values that no message may show: tokens, passwords, keys. */
  readonly secrets: readonly string[];
};

const FILE_BYTES_MAX = 4 * 1024 * 1024;

/** Reads a configuration file, YAML or a module, with everything that is wrong in it. */
export async function loadConfig(file: string, options: LoadOptions): Promise<LoadedConfig> {
  const path = resolve(file);
  const tree = await readTree(path);
  return settingsFrom(tree, { ...options, directory: dirname(path) });
}

/** The same for what a file would hold. Relative paths in it begin at `directory`. */
export function readConfig(config: unknown, options: LoadOptions & { readonly directory: string }): LoadedConfig {
  return settingsFrom(unplaced(config), options);
}

function settingsFrom(
  tree: YamlTree,
  { env, schemas, directory }: LoadOptions & { readonly directory: string },
): LoadedConfig {
  if (tree.mistakes.length > 0) return failed(tree.mistakes, []);
  const { config, mistakes, secrets } = parseConfig(tree.value, {
    env,
    directory,
    readFile: readText,
    schemas,
    locate: tree.locate,
    misleading: tree.misleading,
    rules: RULES,
  });
  if (config === null) return failed(mistakes, secrets);
  const pem = readPem(config, directory);
  if (pem.mistakes.length > 0) {
    const placed = pem.mistakes.map((mistake) => ({ ...mistake, ...(tree.locate(mistake.path) ?? NOWHERE) }));
    return failed(placed, secrets);
  }
  return {
    settings: settingsOf(config, { directory, tls: pem.tls, schemas }),
    secrets: [...secrets, ...secretsOf(config, pem.tls)],
    mistakes: [],
  };
}

const NOWHERE = { line: null, column: null } as const;

function failed(mistakes: readonly ConfigMistake[], secrets: readonly string[]): LoadedConfig {
  return { settings: null, secrets, mistakes };
}

function unreadable(message: string): YamlTree {
  return { ...unplaced(undefined), mistakes: [{ path: [], message, ...NOWHERE }] };
}

/** What comes from no text. */
function unplaced(value: unknown): YamlTree {
  return { value, mistakes: [], misleading: [], locate: () => null };
}

async function readTree(path: string): Promise<YamlTree> {
  try {
    if (statSync(path).size > FILE_BYTES_MAX) return unreadable('the file is too large for a configuration');
    if (['.ts', '.mts', '.js', '.mjs'].includes(extname(path))) return await readModule(path);
    return readYaml(readText(path));
  } catch (error) {
    if (error instanceof NotTextError) return unreadable('the file is no text in UTF-8');
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    return unreadable(code === 'ENOENT' ? 'there is no such file' : `the file cannot be read: ${code}`);
  }
}

/** The module is run as it is: Node itself takes the types out of TypeScript. */
async function readModule(path: string): Promise<YamlTree> {
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  } catch (error) {
    return unreadable(`the module fails: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (module.default === undefined) {
    return unreadable(`${basename(path)} exports nothing: write export default defineConfig({ … })`);
  }
  return unplaced(module.default);
}

function readPem(
  { http }: ParsedConfig,
  directory: string,
): { tls: { cert: string; key: string } | undefined; mistakes: readonly ConfigMistake[] } {
  const mistakes: ConfigMistake[] = [];
  if (http.tls === undefined) return { tls: undefined, mistakes };
  const read = (name: 'cert' | 'key', text: string): string => {
    if (text.trimStart().startsWith('-----BEGIN')) return text;
    try {
      const pem = readFileSync(resolve(directory, text), 'utf8');
      if (pem.includes('-----BEGIN')) return pem;
      mistakes.push({ path: ['http', 'tls', name], message: 'is a file that is not in PEM form', ...NOWHERE });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
      mistakes.push({ path: ['http', 'tls', name], message: `is a file that cannot be read: ${code}`, ...NOWHERE });
    }
    return '';
  };
  return { tls: { cert: read('cert', http.tls.cert), key: read('key', http.tls.key) }, mistakes };
}

function settingsOf(
  { data, http, streams, sinks }: ParsedConfig,
  {
    directory,
    tls,
    schemas,
  }: { directory: string; tls: { cert: string; key: string } | undefined; schemas: ConnectorSchemas },
): RelaySettings {
  const { host, port, tokens, connectionsMax, stuckAfter, heartbeat, silentAfter } = http;
  return {
    directory: resolve(directory, data),
    http: {
      host,
      port,
      tokens,
      ...(tls === undefined ? {} : { tls }),
      connectionsMax,
      stuckAfterMs: stuckAfter,
      heartbeatMs: heartbeat,
      silentAfterMs: silentAfter,
    },
    streams: new Map(Object.entries(streams).map(([name, stream]) => [name, streamSettings(stream)])),
    sinks: new Map(Object.entries(sinks).map(([name, sink]) => [name, sinkSettings(sink, schemas)])),
    configDirectory: directory,
  };
}

function sinkSettings(sink: ParsedConfig['sinks'][string], { mapping }: ConnectorSchemas): SinkSettings {
  const { type, stream, relay, token, order, parallel, batch, onRowError, parkedMax, bootstrap, from, retry, ...rest } =
    sink;
  const ofMapping = new Set(Object.keys(mapping.shape));
  const entriesOf = (isMapping: boolean): Readonly<Record<string, unknown>> =>
    Object.fromEntries(Object.entries(rest).filter(([key]) => ofMapping.has(key) === isMapping));
  return {
    type,
    stream,
    relay: relay === undefined ? null : { url: relay, token },
    order,
    lanes: parallel,
    batch: { rowsMax: batch.rows ?? null, bytesMax: batch.bytes, delayMs: batch.delay },
    onRowError,
    parkedMax,
    bootstrap,
    from,
    backoff: { delayMinMs: retry.delayMin, delayMaxMs: Math.max(retry.delayMin, retry.delayMax) },
    mapping: entriesOf(true),
    options: entriesOf(false),
  };
}

function streamSettings(stream: ParsedStream): StreamSettings {
  const { source, partitions, retention, log, snapshot, onGap, snapshotLimits } = stream;
  const { type, from, ...options } = source;
  return {
    source: { type, url: source.url, from, options },
    partitions,
    retention: {
      maxAgeMs: retention.maxAge,
      maxBytes: retention.maxBytes,
      groupBytes: retention.groupBytes,
    },
    log: {
      segmentBytes: log.segmentBytes,
      compression: log.compression,
      syncDelayMs: log.syncDelay,
      fsync: log.fsync,
    },
    snapshots: { initial: snapshot === 'initial', onGap, limits: snapshotLimits },
  };
}

function secretsOf({ http, streams, sinks }: ParsedConfig, tls: { key: string } | undefined): readonly string[] {
  const urls = [
    ...Object.values(streams).flatMap(({ source }) => {
      const { replicas } = source;
      return [source.url, ...(Array.isArray(replicas) ? replicas.map(String) : [])];
    }),
    ...Object.values(sinks).flatMap(({ url, relay }) => [url, relay].filter((each) => typeof each === 'string')),
  ];
  const passwords = urls.flatMap((url) => {
    const password = URL.parse(url)?.password ?? '';
    return password === '' ? [] : [password, decoded(password)];
  });
  const tokens = [...http.tokens, ...Object.values(sinks)].flatMap(({ token }) => (token === undefined ? [] : [token]));
  return [...tokens, ...passwords, ...hashKeysOf(sinks), ...(tls === undefined ? [] : [tls.key])];
}

/** The keys of hashed columns, wherever in a mapping they stand. */
function hashKeysOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(hashKeysOf);
  if (!isMap(value)) return [];
  const { hash } = value;
  const own = isMap(hash) && typeof hash['key'] === 'string' ? [hash['key']] : [];
  return [...own, ...Object.values(value).flatMap(hashKeysOf)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A stray percent sign stands for itself.
  }
}
