/** A URL's user information with a password, wherever a URL stands in a text. */
const URL_PASSWORD = /(\/\/[^\s/:@'"]*):[^\s'"]*@/g;

/** Makes a text safe to show: passwords in URLs, and the given secrets wherever they appear, become `***`. */
export type Redact = (text: string) => string;

export function createRedact(secrets: readonly string[]): Redact {
  // Longest first, so that no part of a secret stays behind when another one is part of it.
  const needles = secrets
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
    .filter((needle) => needle !== '')
    .toSorted((a, b) => b.length - a.length);
  return (text) => {
    const withoutUrls = text.replace(URL_PASSWORD, '$1:***@');
    return needles.reduce((rest, needle) => rest.replaceAll(needle, '***'), withoutUrls);
  };
}

/** The text of something that should have been a URL, without what may be its password. Also right for what does not parse. */
export function redactUrl(text: string): string {
  return text.replace(/:(?!\/\/)[^]*@/, ':***@');
}
