import { nearest } from '../base/nearest.ts';
import type { MappingHooks } from '../mapping/hooks.ts';

type Kind = 'function' | 'object' | 'boolean';

const EXPORTS: Readonly<Record<keyof MappingHooks, Kind>> = {
  before: 'function',
  beforeBatch: 'function',
  map: 'function',
  mapBatch: 'function',
  after: 'function',
  afterBatch: 'function',
  adds: 'object',
  targets: 'object',
  keepsKeys: 'boolean',
  lookups: 'object',
};
const NAMES: readonly string[] = Object.keys(EXPORTS);
const DEFAULTS_MAX = 2;

/**
 * The hooks that a module exports: by their names, or all of them as its default. One whose name is misspelled must not look like none: what it should hide
 * would go out.
 *
 * @param module as `import` gives it; of CommonJS the default is what it exports
 * @throws Error that says what is wrong with the exports
 */
export function hooksOfModule(module: Readonly<Record<string, unknown>>): MappingHooks {
  let exported = module;
  // A module that was compiled to CommonJS has a default of its own within, which may be the module again.
  for (let depth = 0; depth < DEFAULTS_MAX; depth++) {
    if (NAMES.some((name) => Object.hasOwn(exported, name)) || !isObject(exported['default'])) break;
    exported = exported['default'];
  }
  const present = NAMES.filter((name) => exported[name] !== undefined);
  const others = Object.keys(exported).filter((name) => !NAMES.includes(name));
  const guess = (name: string): string | undefined => NAMES.find((hook) => hook.toLowerCase() === plain(name));
  for (const name of others) {
    // Helpers may be exported, too: only what can be nothing else is taken for a slip.
    const meant = guess(name) ?? (present.length === 0 ? nearest(name, NAMES) : undefined);
    if (meant !== undefined) throw new Error(`it exports "${name}", which is no hook; did you mean ${meant}?`);
  }
  if (present.length === 0) throw new Error(`it exports none of ${NAMES.join(', ')}`);
  for (const name of present) {
    const wanted = EXPORTS[name as keyof MappingHooks];
    const value = exported[name];
    if (typeof value !== wanted || value === null) throw new Error(`its export "${name}" is no ${wanted}`);
  }
  return exported;
}

/** Without what languages put between words. */
function plain(name: string): string {
  return name.replaceAll(/[-_]/g, '').toLowerCase();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
