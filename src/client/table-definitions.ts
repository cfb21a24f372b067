import { TidingsError } from '../core/errors.ts';
import type { TableSchema } from '../core/table-schema.ts';
import type { HttpRequests } from './http-requests.ts';

/** Where a relay tells the latest definition of every table in a stream's log. */
export function definitionsPath(stream: string): string {
  return `/v1/streams/${encodeURIComponent(stream)}/schemas`;
}

/** The latest definition of every table in a stream's log. @throws TidingsError */
export async function readDefinitions(requests: HttpRequests, stream: string): Promise<readonly TableSchema[]> {
  const answer = await requests.json('GET', definitionsPath(stream));
  const { tables } = (answer ?? {}) as { readonly tables?: unknown };
  if (Array.isArray(tables) && tables.every(isTableSchema)) return tables;
  throw new TidingsError('PROTOCOL_VIOLATION', `${requests.name} answered with what is no list of tables`, {
    hint: 'Check that the address is that of a relay.',
  });
}

/** Whether what a relay says is a table's definition. */
export function isTableSchema(value: unknown): value is TableSchema {
  const { database, name, columns, key } = (value ?? {}) as Partial<Record<keyof TableSchema, unknown>>;
  return (
    typeof database === 'string' &&
    typeof name === 'string' &&
    Array.isArray(columns) &&
    columns.every((column) => typeof column === 'object' && column !== null && 'name' in column && 'type' in column) &&
    Array.isArray(key) &&
    key.every(Number.isInteger)
  );
}
