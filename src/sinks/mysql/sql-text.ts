/** A name in a statement. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** Text in a statement of our own, in a session with NO_BACKSLASH_ESCAPES. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function tableName(database: string, table: string): string {
  return `${quoteName(database)}.${quoteName(table)}`;
}
