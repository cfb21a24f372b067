import { TidingsError } from '../../core/errors.ts';

export type ChangesFormat = 'ndjson' | 'sse' | 'binary';

export const BATCHES_TYPE = 'application/vnd.tidings.batches';

/** Media ranges, and how closely they name the format: a closer one counts, whatever a wider one says (RFC 9110). */
const RANGES: ReadonlyMap<string, { readonly format: ChangesFormat; readonly closeness: number }> = new Map([
  ['application/x-ndjson', { format: 'ndjson', closeness: 2 }],
  ['application/ndjson', { format: 'ndjson', closeness: 2 }],
  ['application/jsonl', { format: 'ndjson', closeness: 2 }],
  ['application/*', { format: 'ndjson', closeness: 1 }],
  ['*/*', { format: 'ndjson', closeness: 0 }],
  ['text/event-stream', { format: 'sse', closeness: 2 }],
  ['text/*', { format: 'sse', closeness: 1 }],
  [BATCHES_TYPE, { format: 'binary', closeness: 2 }],
]);

/**
 * The format that a request's Accept header prefers, of equals the first; NDJSON when it does not say.
 *
 * @throws TidingsError REQUEST_INVALID, status 406
 */
export function negotiate(accept: string | undefined): ChangesFormat {
  if (accept === undefined || accept.trim() === '') return 'ndjson';
  const wanted = new Map<
    ChangesFormat,
    { readonly closeness: number; readonly quality: number; readonly at: number }
  >();
  for (const [at, item] of accept.split(',').entries()) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const range = RANGES.get(type);
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = q === undefined ? 1 : Number(q.slice(2) || 'none');
    if (range === undefined || Number.isNaN(quality)) continue;
    const { format, closeness } = range;
    const known = wanted.get(format);
    const counts =
      known === undefined || closeness > known.closeness || (closeness === known.closeness && quality > known.quality);
    if (counts) wanted.set(format, { closeness, quality, at });
  }
  const [best] = [...wanted]
    .filter(([, { quality }]) => quality > 0)
    .toSorted(([, a], [, b]) => b.quality - a.quality || a.at - b.at);
  if (best !== undefined) return best[0];
  throw new TidingsError('REQUEST_INVALID', 'changes cannot be sent in any of the accepted media types', {
    hint: `Accept application/x-ndjson, text/event-stream or ${BATCHES_TYPE}.`,
    details: { field: 'Accept', status: 406 },
  });
}
