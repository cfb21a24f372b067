import { type Clock, systemClock } from '../base/clock.ts';
import { TidingsError } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { DeclaredMapper } from './declared-mapper.ts';
import { HookedMapper } from './hooked-mapper.ts';
import type { MappingHooks } from './hooks.ts';
import type { MappingConfig } from './mapping-config.ts';
import { type MappingRules, parseRules } from './rules.ts';
import { TablePlans } from './table-plans.ts';
import { Targets } from './targets.ts';
import type { TracingMapper } from './trace.ts';

export interface MapperOptions {
  readonly mapping: MappingConfig;
  /** The sink's name. */
  readonly sink: string;
  /** What the module says that the mapping names. */
  readonly hooks?: MappingHooks;
  /** Whether the sink can change parts of documents (`SinkRow.patches`). @default false */
  readonly patches?: boolean;
  readonly clock?: Clock;
  readonly log?: Logger;
  /** Ends what hooks wait for. */
  readonly signal?: AbortSignal;
}

/** @throws TidingsError MAPPING_INVALID with everything that is wrong in the mapping whatever the tables */
export function createMapper({
  mapping,
  sink,
  hooks = {},
  patches = false,
  clock = systemClock,
  log = silentLogger,
  signal = new AbortController().signal,
}: MapperOptions): TracingMapper {
  const rules = parseRules(mapping);
  if (rules.mistakes.length > 0) throw mappingMistakes(rules);
  const targets = new Targets();
  const plans = new TablePlans({ rules, targets, patches, keepsKeys: hooks.keepsKeys !== false });
  const declared = new DeclaredMapper(rules, plans);
  if (!hasHooks(hooks)) return declared;
  const timeoutMs = mapping.hookTimeout ?? 30_000;
  return new HookedMapper({ declared, plans, targets, hooks, sink, timeoutMs, clock, log, signal });
}

function hasHooks({ before, beforeBatch, map, mapBatch, after, afterBatch }: MappingHooks): boolean {
  return [before, beforeBatch, map, mapBatch, after, afterBatch].some((hook) => hook !== undefined);
}

function mappingMistakes({ mistakes }: MappingRules): TidingsError {
  const lines = mistakes.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return new TidingsError('MAPPING_INVALID', `the mapping cannot be used: ${lines.join('; ')}`);
}
