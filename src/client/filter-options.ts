import type { StreamOptions } from '../core/consumer.ts';
import type { FilterRequest } from './transport.ts';

/** What of the options the relay filters by. */
export function filterOf({ tables, ops, columns, where }: StreamOptions): FilterRequest {
  return {
    ...(tables === undefined ? {} : { tables }),
    ...(ops === undefined ? {} : { ops }),
    ...(columns === undefined ? {} : { columns }),
    ...(where === undefined ? {} : { where }),
  };
}
