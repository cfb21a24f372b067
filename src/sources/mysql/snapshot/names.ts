import { quoteName } from './text-rows/text-columns.ts';

/** A text literal that means the same in every sql_mode and character set. */
export function quoteText(text: string): string {
  return `_utf8mb4 x'${Buffer.from(text, 'utf8').toString('hex')}'`;
}

export interface TableName {
  readonly database: string;
  readonly table: string;
}

export function quoteTable({ database, table }: TableName): string {
  return `${quoteName(database)}.${quoteName(table)}`;
}
