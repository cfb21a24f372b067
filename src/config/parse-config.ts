import { coerce } from './coerce.ts';
import { type ConnectorSchemas, type ParsedConfig, relayConfigSchema } from './config-schema.ts';
import { explainIssue, wrongValue } from './explain-issue.ts';
import { type ConfigMistake, type ConfigPath, isMap, pathKey } from './mistake.ts';
import { referencedSecrets } from './referenced-secrets.ts';
import type { Misleading, TextPlace } from './read-yaml.ts';
import { type ReferenceWorld, resolveReferences } from './references.ts';
import { schemaModel } from './schema-model.ts';
import { withNamedModules } from './sink-schema.ts';

export interface ParseOptions extends ReferenceWorld {
  /** What each type of source and sink takes. */
  readonly schemas: ConnectorSchemas;
  /** Where a path stands in the file, if it has lines. */
  readonly locate: (path: ConfigPath) => TextPlace | null;
  /** What the file says and does not mean. */
  readonly misleading: readonly Misleading[];
  /** Rules that go over several keys, looked at whatever else is wrong. */
  readonly rules: readonly ConfigRule[];
}

/** Looks at a configuration that may be wrong in any way, and says what contradicts itself in it. */
export type ConfigRule = (tree: unknown) => readonly { readonly path: ConfigPath; readonly message: string }[];

export type ParseResult = (
  | { readonly config: ParsedConfig; readonly mistakes: readonly [] }
  | { readonly config: null; readonly mistakes: readonly ConfigMistake[] }
) & {
  /** What references have put in that no message may show. */
  readonly secrets: readonly string[];
};

/** From what YAML or a module says to a checked configuration with its defaults, or everything that is wrong at once. */
export function parseConfig(tree: unknown, options: ParseOptions): ParseResult {
  const { schemas, locate, misleading, rules } = options;
  const mistakes = new Map<string, ConfigMistake>();
  const add = (path: ConfigPath, message: string): void => {
    // One mistake per place: what follows from the first only confuses.
    const key = pathKey(path);
    if (mistakes.has(key)) return;
    const place = locate(path);
    mistakes.set(key, { path, message, line: place?.line ?? null, column: place?.column ?? null });
  };
  if (!isMap(tree)) {
    const found = tree === null || tree === undefined ? 'is empty' : 'is not a map of keys and values';
    add([], `the configuration ${found}: it needs at least streams or sinks`);
    return { config: null, mistakes: [...mistakes.values()], secrets: [] };
  }

  for (const { path, message } of misleading) add(path, message);
  const resolved = resolveReferences(tree, options);
  for (const { path, message } of resolved.mistakes) add(path, message);
  for (const rule of rules) for (const { path, message } of rule(resolved.value)) add(path, message);

  const schema = relayConfigSchema(schemas);
  const root = schemaModel(schema);
  const named = withNamedModules(resolved.value);
  const explained = { root, tree: named, referenced: resolved.referenced };
  const secrets = referencedSecrets(explained);
  const { value, withoutUnit } = coerce(named, root, resolved.referenced);
  for (const path of withoutUnit) add(path, wrongValue(path, explained));
  const result = schema.safeParse(value);
  if (result.success && mistakes.size === 0) return { config: result.data, mistakes: [], secrets };
  for (const issue of result.error?.issues ?? []) {
    for (const { path, message } of explainIssue(issue, explained)) add(path, message);
  }
  return { config: null, mistakes: [...mistakes.values()].toSorted(byPlace), secrets };
}

/** Those of a file in the order of its lines; what has no line keeps its place. */
function byPlace(a: ConfigMistake, b: ConfigMistake): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}
