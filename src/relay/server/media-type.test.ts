import { describe, expect, test } from 'vitest';
import { negotiate } from './media-type.ts';

describe('negotiate', () => {
  test.each([
    [undefined, 'ndjson'],
    ['', 'ndjson'],
    ['*/*', 'ndjson'],
    ['text/event-stream', 'sse'],
    ['application/vnd.tidings.batches', 'binary'],
    ['application/x-ndjson', 'ndjson'],
    ['Application/JSONL; charset=utf-8', 'ndjson'],
    ['text/html, text/event-stream;q=0.5, application/x-ndjson;q=0.7', 'ndjson'],
    ['application/x-ndjson;q=0, text/*', 'sse'],
    ['application/x-ndjson, text/event-stream', 'ndjson'],
    ['text/event-stream, */*', 'sse'],
    ['application/x-ndjson;q=0.1, application/*;q=0.9, text/event-stream;q=0.5', 'sse'],
    ['application/x-ndjson;q=0, application/jsonl', 'ndjson'],
    ['application/x-ndjson;q=0, */*;q=0.9, text/event-stream;q=0.1', 'sse'],
  ] as const)('of %s the best that can be sent is %s', (accept, format) => {
    expect(negotiate(accept)).toBe(format);
  });

  test.each([
    'application/xml',
    'text/html',
    'application/x-ndjson;q=0',
    'application/x-ndjson;q=much',
    'application/x-ndjson;q=',
    'application/x-ndjson;q=0, */*',
    '*/*;q=0',
  ])('%s cannot be sent', (accept) => {
    expect(() => negotiate(accept)).toThrow('changes cannot be sent in any of the accepted media types');
  });
});
