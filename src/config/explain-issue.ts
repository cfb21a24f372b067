import type { z } from 'zod';
import { nearest } from '../base/nearest.ts';
import { type ConfigPath, isMap, pathKey, valueAt } from './mistake.ts';
import type { ReferencedValues } from './references.ts';
import { allowedText, nodeAt, placeAt, type SchemaNode } from './schema-model.ts';

/** What a mistake is explained with. */
export interface Explained {
  readonly root: SchemaNode;
  /** As the file has it, before texts became numbers. */
  readonly tree: unknown;
  readonly referenced: ReferencedValues;
}

type Found = { readonly path: ConfigPath; readonly message: string };

/** zod's issues, in words that name what was found, what is allowed, and what was probably meant. */
export function explainIssue(issue: z.core.$ZodIssue, explained: Explained): readonly Found[] {
  const path = issue.path.filter((step) => typeof step !== 'symbol');
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key, path, explained) }));
    case 'invalid_key': {
      // What a parser says of the key is more exact than what keys are in general.
      const said = issue.issues.find(({ code }) => code === 'custom');
      if (said !== undefined) return [{ path, message: said.message }];
      return [{ path, message: `is no usable name; allowed: ${allowedKey(path, explained)}` }];
    }
    case 'custom':
      return [
        { path, message: showsReference(issue.message, path, explained) ? wrongValue(path, explained) : issue.message },
      ];
    default:
      return [{ path, message: wrongValue(path, explained) }];
  }
}

/** The message of somebody else quotes what a reference has put in. */
function showsReference(message: string, path: ConfigPath, { referenced }: Explained): boolean {
  return (referenced.get(pathKey(path)) ?? []).some((value) => value !== '' && message.includes(value));
}

/** `found "abc"; allowed: a whole number from 0 to 65535`. */
export function wrongValue(path: ConfigPath, explained: Explained): string {
  const node = nodeAt(explained.root, path, explained.tree);
  const whole = placeAt(explained.root, path, explained.tree);
  const allowed = whole === undefined ? 'another value' : allowedText(whole);
  const value = valueAt(explained.tree, path);
  if (value === undefined) return `is missing; it takes ${allowed}`;
  const meant = typeof value === 'string' ? nearest(value, (node?.enum ?? []).map(String)) : undefined;
  return `found ${foundText(value, path, explained)}; allowed: ${allowed}${meant === undefined ? '' : `; did you mean ${meant}?`}`;
}

function unknownKey(key: string, parent: ConfigPath, { root, tree }: Explained): string {
  const known = Object.keys(nodeAt(root, parent, tree)?.properties ?? {});
  const near = nearest(key, known) ?? known.find((name) => name.toLowerCase() === key.toLowerCase());
  return near === undefined
    ? `there is no such key; known here: ${known.join(', ')}`
    : `there is no such key; did you mean ${near}?`;
}

/** A key is wrong by the rule for all keys of its map. A name made of the usual characters may simply be too long. */
function allowedKey(path: ConfigPath, { root, tree }: Explained): string {
  const names = nodeAt(root, path.slice(0, -1), tree)?.propertyNames;
  return names === undefined ? 'another name' : allowedText(names);
}

const SHOWN_CHARS = 60;

/** What stands there. Never what may be a secret: the value of a secret key, or what a reference has put in (I10). */
function foundText(value: unknown, path: ConfigPath, { root, tree, referenced }: Explained): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (isMap(value)) return 'a map';
  if (value === null) return 'nothing';
  const hidden = referenced.has(pathKey(path)) || nodeAt(root, path, tree)?.['x-secret'] === true;
  if (typeof value === 'string') {
    if (value === '') return 'an empty text';
    if (hidden) return referenced.has(pathKey(path)) ? 'a text with a reference in it' : 'a text';
    return JSON.stringify(value.length > SHOWN_CHARS ? `${value.slice(0, SHOWN_CHARS)}…` : value);
  }
  if (typeof value === 'number' || typeof value === 'boolean') return hidden ? `a ${typeof value}` : String(value);
  return `a ${typeof value}`;
}
