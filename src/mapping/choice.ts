import { z } from 'zod';
import { nearest } from '../base/nearest.ts';

/** What may stand at a place, by the kind of what does. */
export interface Branches {
  readonly text?: z.ZodType;
  readonly number?: z.ZodType;
  readonly boolean?: z.ZodType;
  readonly nothing?: z.ZodType;
  readonly list?: z.ZodType;
  readonly map?: z.ZodType;
}

/**
 * A place that takes values of several kinds. Unlike a union, it says of a wrong one what is wrong with it, with the whole path: the kind says which branch was
 * meant.
 *
 * @param allowed in words, what may stand here
 */
export function choice<T>(branches: Branches, allowed: string): z.ZodType<T> {
  const written = Object.values(branches).map(jsonSchemaOf);
  const schema = z.unknown().transform((value, context) => {
    const branch = branches[kindOf(value)];
    if (branch === undefined) {
      context.addIssue({ code: 'custom', message: `found ${foundText(value)}; allowed: ${allowed}` });
      return z.NEVER;
    }
    const result = branch.safeParse(value);
    if (result.success) return result.data;
    for (const issue of result.error.issues) {
      for (const { path, message } of worded(issue, { root: value, branch, allowed })) {
        context.addIssue({ code: 'custom', path, message });
      }
    }
    return z.NEVER;
  });
  return schema.meta({ anyOf: written, 'x-allowed': allowed }) as unknown as z.ZodType<T>;
}

function jsonSchemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...written } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return written;
}

function kindOf(value: unknown): keyof Branches {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'list';
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    default:
      return 'map';
  }
}

type Step = string | number;

interface Worded {
  readonly path: Step[];
  readonly message: string;
}

/** zod's issues of a branch, in the words of a configuration's mistakes. */
function worded(
  issue: z.core.$ZodIssue,
  { root, branch, allowed }: { readonly root: unknown; readonly branch: z.ZodType; readonly allowed: string },
): readonly Worded[] {
  const path = issue.path.filter((step): step is Step => typeof step !== 'symbol');
  switch (issue.code) {
    case 'custom':
      return [{ path, message: issue.message }];
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: unknownKey(key, path.length === 0 ? branch : null),
      }));
    case 'invalid_key':
      return issue.issues.map(({ message }) => ({ path, message }));
    case 'invalid_value':
      return [
        {
          path,
          message: wrong(
            valueAt(root, path),
            path.length === 0 ? allowed : issue.values.map(String).join(', '),
            issue.values,
          ),
        },
      ];
    case 'invalid_type':
      return [{ path, message: wrong(valueAt(root, path), EXPECTED[issue.expected] ?? issue.expected) }];
    case 'too_small':
      return [{ path, message: wrong(valueAt(root, path), `at least ${issue.minimum}`) }];
    case 'too_big':
      return [{ path, message: wrong(valueAt(root, path), `at most ${issue.maximum}`) }];
    default:
      return [{ path, message: issue.message }];
  }
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

function unknownKey(key: string, schema: z.ZodType | null): string {
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const near = nearest(key, known) ?? known.find((name) => name.toLowerCase() === key.toLowerCase());
  if (near !== undefined) return `there is no such key; did you mean ${near}?`;
  return `there is no such key${known.length === 0 ? '' : `; known here: ${known.join(', ')}`}`;
}

function wrong(value: unknown, allowed: string, values: readonly unknown[] = []): string {
  if (value === undefined) return `is missing; it takes ${allowed}`;
  const near = typeof value === 'string' ? nearest(value, values.map(String)) : undefined;
  return `found ${foundText(value)}; allowed: ${allowed}${near === undefined ? '' : `; did you mean ${near}?`}`;
}

const SHOWN_CHARS = 60;

function foundText(value: unknown): string {
  switch (kindOf(value)) {
    case 'nothing':
      return 'nothing';
    case 'list':
      return 'a list';
    case 'map':
      return 'a map';
    default: {
      const text = String(value);
      return typeof value === 'string'
        ? JSON.stringify(text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text)
        : text;
    }
  }
}

function valueAt(root: unknown, path: readonly Step[]): unknown {
  let value = root;
  for (const step of path) value = (value as Readonly<Record<Step, unknown>> | undefined)?.[step];
  return value;
}
