import { nearest } from '../base/nearest.ts';
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

const somethingToDo: ConfigRule = (tree) => {
  const isEmpty = (key: string): boolean => {
    const value = valueAt(tree, [key]);
    return value === undefined || value === null || (isMap(value) && Object.keys(value).length === 0);
  };
  if (!isEmpty('streams') || !isEmpty('sinks')) return [];
  return [
    { path: ['streams'], message: 'names no stream, and there are no sinks: a relay needs at least one of them' },
  ];
};

/** A sink without a relay of its own follows a stream of this one. */
const sinksHaveStreams: ConfigRule = (tree) => {
  const sinks = valueAt(tree, ['sinks']);
  const streams = valueAt(tree, ['streams']);
  if (!isMap(sinks)) return [];
  const known = isMap(streams) ? Object.keys(streams) : [];
  return Object.entries(sinks).flatMap(([name, sink]) => {
    if (!isMap(sink) || typeof sink['stream'] !== 'string' || sink['relay'] !== undefined) return [];
    const { stream } = sink as { readonly stream: string };
    if (known.includes(stream)) return [];
    const meant = nearest(stream, known);
    const hint = meant === undefined ? 'name the relay that has it with `relay`' : `did you mean ${meant}?`;
    return [
      {
        path: ['sinks', name, 'stream'],
        message: `is no stream of this relay (${known.join(', ') || 'it has none'}); ${hint}`,
      },
    ];
  });
};

/** One lane keeps the order of transactions; a token is for another relay. */
const sinksAreWhole: ConfigRule = (tree) => {
  const sinks = valueAt(tree, ['sinks']);
  if (!isMap(sinks)) return [];
  return Object.entries(sinks).flatMap(([name, sink]) => {
    if (!isMap(sink)) return [];
    const found = [];
    if (sink['order'] === 'transaction' && sink['parallel'] !== undefined && sink['parallel'] !== 1) {
      found.push({
        path: ['sinks', name, 'parallel'],
        message: 'does not go with `order: transaction`, which has one lane',
      });
    }
    if (sink['token'] !== undefined && sink['relay'] === undefined) {
      found.push({ path: ['sinks', name, 'token'], message: 'is for another relay: `relay` is missing' });
    }
    return found;
  });
};

export const RULES: readonly ConfigRule[] = [
  somethingToDo,
  sinksHaveStreams,
  sinksAreWhole,
  tokensOutside,
  tokensDiffer,
  lagOfNobody,
];
