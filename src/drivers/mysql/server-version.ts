export type Flavour = 'mysql' | 'mariadb';

/** `10.11.18-MariaDB-log` → 101118, `5.7.44-log` → 50744. */
export function parseVersion(text: string): number {
  // MariaDB prefixes its version with 5.5.5- where old replicas would choke on a major version of two digits.
  const found = /(\d+)\.(\d+)\.(\d+)/.exec(text.replace(/^5\.5\.5-(?=\d)/, ''));
  if (found === null) return 0;
  return Number(found[1]) * 10_000 + Number(found[2]) * 100 + Number(found[3]);
}
