import { TidingsError } from '../../core/errors.ts';

export type ChangesFormat = 'ndjson' | 'sse' | 'binary';

export const BATCHES_TYPE = 'application/vnd.tidings.batches';

const FORMATS: ReadonlyMap<string, ChangesFormat> = new Map([
  ['application/x-ndjson', 'ndjson'],
  ['application/ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
  ['application/*', 'ndjson'],
  ['*/*', 'ndjson'],
  ['text/event-stream', 'sse'],
  ['text/*', 'sse'],
  [BATCHES_TYPE, 'binary'],
]);

/**
 * The format that a request's Accept header prefers; NDJSON when it does not say.
 *
 * @throws TidingsError REQUEST_INVALID, status 406
 */
export function negotiate(accept: string | undefined): ChangesFormat {
  if (accept === undefined || accept.trim() === '') return 'ndjson';
  let best: { format: ChangesFormat; quality: number } | null = null;
  for (const item of accept.split(',')) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const format = FORMATS.get(type);
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = q === undefined ? 1 : Number(q.slice(2));
    if (format !== undefined && quality > 0 && quality > (best?.quality ?? 0)) best = { format, quality };
  }
  if (best !== null) return best.format;
  throw new TidingsError('REQUEST_INVALID', 'changes cannot be sent in any of the accepted media types', {
    hint: `Accept application/x-ndjson, text/event-stream or ${BATCHES_TYPE}.`,
    details: { field: 'Accept', status: 406 },
  });
}
