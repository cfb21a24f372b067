import { resolve } from 'node:path';
import { type ConfigPath, isMap, pathKey } from './mistake.ts';
import { NotTextError } from './read-text.ts';

/** What the references of a configuration file refer to. */
export interface ReferenceWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where relative paths of `${file:…}` begin. */
  readonly directory: string;
  readonly readFile: (path: string) => string;
}

export type ReferencedValues = ReadonlyMap<string, readonly string[]>;

export interface ResolvedTree {
  readonly value: unknown;
  /** By `pathKey`, for every text that held references: what was put in, which is not to be shown. */
  readonly referenced: ReferencedValues;
  readonly mistakes: readonly { readonly path: ConfigPath; readonly message: string }[];
}

/** Deeper than any configuration; a YAML alias to its own parent has no end. */
const DEPTH_MAX = 32;
/** Much for a secret or a certificate chain. */
const FILE_CHARS_MAX = 1024 * 1024;

const FORMS = 'write ${NAME}, ${NAME:-default} or ${file:/path}; $${ stands for a plain ${';

/**
 * Puts in what the texts of a parsed configuration refer to:
 *
 *     ${NAME}            the environment variable
 *     ${NAME:-default}   the default where the variable is missing or empty
 *     ${file:/path}      the file's content without one line end at its end
 *     $${                ${ itself
 *
 * It works on what YAML has parsed, so no value, whatever it holds, can change the structure; keys are left alone. A value in the
 * user or password of a URL is percent-encoded, so that a password may hold any character.
 */
export function resolveReferences(tree: unknown, world: ReferenceWorld): ResolvedTree {
  const referenced = new Map<string, readonly string[]>();
  const mistakes: { path: ConfigPath; message: string }[] = [];

  /** JavaScript has another use for this name, and what has it would be lost in silence. */
  const isUsable = (key: string, path: ConfigPath): boolean => {
    if (key !== '__proto__') return true;
    mistakes.push({ path: [...path, key], message: 'is no usable name' });
    return false;
  };

  const visit = (value: unknown, path: ConfigPath): unknown => {
    if (path.length > DEPTH_MAX) {
      mistakes.push({ path: path.slice(0, 3), message: `is nested more than ${DEPTH_MAX} levels deep` });
      return undefined;
    }
    if (Array.isArray(value)) return value.map((item: unknown, index) => visit(item, [...path, index]));
    if (isMap(value)) {
      // A key without a value (`http:` with everything below it commented out) is as good as no key.
      // Not in the rules of a mapping: there NULL is a value, and a column that was to be hashed must not be passed on as it is.
      const isRule = path[0] === 'sinks' && (path[2] === 'tables' || path.at(-1) === 'soft');
      // But a stream or sink of which nothing is said is one of which everything is missing.
      const isNamed = path.length === 1 && (path[0] === 'streams' || path[0] === 'sinks');
      const entries = Object.entries(value)
        .map(([key, item]): [string, unknown] => [key, item === null && isNamed ? {} : item])
        .filter(([key, item]) => (item !== null || isRule) && item !== undefined && isUsable(key, path));
      return Object.fromEntries(entries.map(([key, item]) => [key, visit(item, [...path, key])]));
    }
    if (typeof value !== 'string' || !value.includes('${')) return value;
    const resolved = resolveText(value, world);
    referenced.set(pathKey(path), resolved.values);
    if (resolved.mistake === null) return resolved.text;
    mistakes.push({ path, message: resolved.mistake });
    return value;
  };

  return { value: visit(tree, []), referenced, mistakes };
}

type Piece = { readonly literal: string } | { readonly reference: string };

interface ResolvedText {
  readonly text: string;
  /** What was put in. */
  readonly values: readonly string[];
  readonly mistake: string | null;
}

function resolveText(text: string, world: ReferenceWorld): ResolvedText {
  const values: string[] = [];
  const pieces = split(text);
  if (pieces === null) return { text, values, mistake: `has a "\${" without its "}": ${FORMS}` };
  const encodedUntil = userInfoEnd(pieces);
  let result = '';
  for (const [index, piece] of pieces.entries()) {
    if ('literal' in piece) {
      result += piece.literal;
      continue;
    }
    const { value, mistake } = valueOf(piece.reference, world);
    if (mistake !== null) return { text, values, mistake };
    values.push(value);
    result += index < encodedUntil ? encodeURIComponent(value) : value;
  }
  return { text: result, values, mistake: null };
}

function split(text: string): Piece[] | null {
  const pieces: Piece[] = [];
  let literal = '';
  for (let at = 0; at < text.length;) {
    if (text.startsWith('$${', at)) {
      literal += '${';
      at += 3;
    } else if (text.startsWith('${', at)) {
      const end = text.indexOf('}', at);
      if (end < 0) return null;
      pieces.push({ literal }, { reference: text.slice(at + 2, end) });
      literal = '';
      at = end + 1;
    } else {
      literal += text[at];
      at++;
    }
  }
  return [...pieces, { literal }];
}

/** Pieces before this index stand in a URL's `user:password@`; 0 where the text is no URL with such a part. */
function userInfoEnd(pieces: readonly Piece[]): number {
  const first = pieces[0];
  if (first === undefined || !('literal' in first) || !/^[a-z][a-z0-9+.-]*:\/\//i.test(first.literal)) return 0;
  for (const [index, piece] of pieces.entries()) {
    if (!('literal' in piece)) continue;
    const rest = index === 0 ? piece.literal.replace(/^[^:]*:\/\//, '') : piece.literal;
    const at = rest.search(/[@/?#]/);
    if (at >= 0) return rest[at] === '@' ? index : 0;
  }
  return 0;
}

function valueOf(reference: string, world: ReferenceWorld): { value: string; mistake: string | null } {
  if (reference.startsWith('file:')) return readFile(reference.slice('file:'.length), world);
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/.exec(reference);
  const [, name, fallback] = match ?? [];
  if (name === undefined) return { value: '', mistake: `has a reference of no known form: ${FORMS}` };
  const value = world.env[name];
  // It would end at the first brace, and the default would be what nobody meant.
  if (fallback?.includes('${') === true) return { value: '', mistake: `has a reference within a reference: ${FORMS}` };
  if (fallback !== undefined) return { value: value === undefined || value === '' ? fallback : value, mistake: null };
  if (value === undefined) return { value: '', mistake: `the environment variable ${name} is not set` };
  return { value, mistake: null };
}

function readFile(path: string, world: ReferenceWorld): { value: string; mistake: string | null } {
  if (path === '') return { value: '', mistake: `names no file: ${FORMS}` };
  try {
    const text = world.readFile(resolve(world.directory, path));
    if (text.length > FILE_CHARS_MAX) return { value: '', mistake: `the file ${path} is too large for a value` };
    return { value: text.replace(/\r?\n$/, ''), mistake: null };
  } catch (error) {
    return { value: '', mistake: `the file ${path} cannot be read${reason(error)}` };
  }
}

/** The system's code: its message repeats the path. */
function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (error instanceof NotTextError) return ': it is no text in UTF-8';
  return code === 'ENOENT' ? ': there is no such file' : typeof code === 'string' ? `: ${code}` : '';
}
