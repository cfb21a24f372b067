type Factory = (...values: unknown[]) => unknown;

/** So many different functions are remembered; a server with more kinds of tables compiles some of them again. */
const FACTORIES_MAX = 4096;
const factories = new Map<string, Factory>();

/** Collects what a generated function needs beyond its text, and makes it. */
export class GeneratedFunction {
  readonly #constants: unknown[] = [];

  /** Adds a constant and returns the expression that reads it. */
  constant(value: unknown): string {
    const known = this.#constants.indexOf(value);
    const index = known >= 0 ? known : this.#constants.push(value) - 1;
    return `k${index}`;
  }

  /** What `source` returns, with the constants and the runtime `r` in scope. */
  make(source: string, runtime: Readonly<Record<string, unknown>>): unknown {
    const names = this.#constants.map((_, i) => `k${i}`);
    return factoryOf(names, source)(runtime, ...this.#constants);
  }
}

/**
 * Functions of the same text are made by the same factory and so share what the engine has learned and optimised: after a
 * reconnect, a DDL, or for the next of a thousand tables of one shape, decoding is fast from its first row.
 */
function factoryOf(names: readonly string[], source: string): Factory {
  const key = `${names.length} ${source}`;
  let factory = factories.get(key);
  if (factory === undefined) {
    // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- made of types and quoted names only, see row-decoder.ts
    factory = new Function('r', ...names, source) as Factory;
    if (factories.size >= FACTORIES_MAX) factories.clear();
    factories.set(key, factory);
  }
  return factory;
}
