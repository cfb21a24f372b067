import { isLoopback } from '../relay/server/http-options.ts';
import { isMap, valueAt } from './mistake.ts';
import type { ConfigRule } from './parse-config.ts';

/** The relay refuses to start so; a check of the file alone should say it, too. */
const tokensOutside: ConfigRule = (tree) => {
  const host = valueAt(tree, ['http', 'host']);
  const tokens = valueAt(tree, ['http', 'tokens']);
  if (typeof host !== 'string' || isLoopback(host)) return [];
  if (tokens !== undefined && !(Array.isArray(tokens) && tokens.length === 0)) return [];
  return [
    {
      path: ['http', 'host'],
      message: `would be open to everybody who can reach it: give at least one token under http.tokens, or listen on 127.0.0.1`,
    },
  ];
};

const tokensDiffer: ConfigRule = (tree) => {
  const tokens = valueAt(tree, ['http', 'tokens']);
  if (!Array.isArray(tokens)) return [];
  const seen = new Set<unknown>();
  return tokens.flatMap((entry: unknown, index) => {
    const token = isMap(entry) ? entry['token'] : undefined;
    if (typeof token !== 'string' || !seen.has(token)) {
      seen.add(token);
      return [];
    }
    return [
      { path: ['http', 'tokens', index, 'token'], message: 'is the same as one above: each bearer needs its own' },
    ];
  });
};

/** Every snapshot that the relay makes by itself would fail. */
const lagOfNobody: ConfigRule = (tree) => {
  const streams = valueAt(tree, ['streams']);
  return Object.keys(isMap(streams) ? streams : {}).flatMap((name) => {
    const limit = valueAt(tree, ['streams', name, 'snapshotLimits', 'replicaLagSeconds']);
    const replicas = valueAt(tree, ['streams', name, 'source', 'replicas']) ?? [];
    const hasNone = Array.isArray(replicas) && replicas.length === 0;
    if (limit === undefined || !hasNone) return [];
    return [
      {
        path: ['streams', name, 'snapshotLimits', 'replicaLagSeconds'],
        message: 'has no replicas to look at: name them under source.replicas',
      },
    ];
  });
};

const sinksAreToCome: ConfigRule = (tree) =>
  valueAt(tree, ['sinks']) === undefined
    ? []
    : [
        {
          path: ['sinks'],
          message:
            'sinks come with a later release: until then follow a stream with `tidings consume` or with tidings/client',
        },
      ];

export const RULES: readonly ConfigRule[] = [sinksAreToCome, tokensOutside, tokensDiffer, lagOfNobody];
