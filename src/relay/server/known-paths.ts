interface KnownPath {
  readonly segments: readonly string[];
  readonly methods: string[];
}

/** Which methods the paths of the API take. The router knows path and method together only. */
export class KnownPaths {
  readonly #paths = new Map<string, KnownPath>();

  /** @param url of a route: `/v1/streams/:stream` */
  add(url: string, methods: string | readonly string[]): void {
    const path = this.#paths.get(url) ?? { segments: url.split('/'), methods: [] };
    this.#paths.set(url, path);
    path.methods.push(...[methods].flat());
  }

  /** Empty: there is no such path. */
  methodsOf(url: string): readonly string[] {
    const [path = ''] = url.split(/[?#]/, 1);
    const segments = path.split('/');
    for (const known of this.#paths.values()) if (fits(known.segments, segments)) return known.methods;
    return [];
  }
}

function fits(known: readonly string[], segments: readonly string[]): boolean {
  return (
    known.length === segments.length &&
    known.every((name, index) => name === segments[index] || (name.startsWith(':') && segments[index] !== ''))
  );
}
