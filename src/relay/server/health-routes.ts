import { readinessOf } from './health.ts';
import { describe, json, type RouteContext } from './routing.ts';

const TAGS = ['health'];

export function addHealthRoutes(
  { app, relay, clock, metrics, version }: RouteContext,
  { silentAfterMs, closing }: { silentAfterMs: number; closing: () => boolean },
): void {
  app.get(
    '/livez',
    withHead(
      describe({
        operationId: 'livez',
        summary: 'Whether the process answers',
        tags: TAGS,
        role: null,
        answers: { 200: json('Liveness', 'It does.') },
      }),
    ),
    () => ({ version }),
  );

  app.get(
    '/readyz',
    withHead(
      describe({
        operationId: 'readyz',
        summary: 'Whether every stream takes in what its source commits',
        description: 'A paused stream is as it should be. Being stopped, the relay is not ready.',
        tags: TAGS,
        role: null,
        answers: {
          200: json('Readiness', 'All do.'),
          503: json('Readiness', 'At least one does not; `reasons` says which and why.'),
        },
      }),
    ),
    (_request, reply) => {
      const readiness = readinessOf(relay.streams.values(), { clock, silentAfterMs });
      const stopping = { stream: null, code: 'RELAY_CLOSING', detail: 'the relay is being stopped' };
      const answer = closing() ? { ready: false, reasons: [stopping, ...readiness.reasons] } : readiness;
      return reply.code(answer.ready ? 200 : 503).send(answer);
    },
  );

  app.get(
    '/metrics',
    describe({
      operationId: 'metrics',
      summary: 'Metrics in the text format of Prometheus',
      description: 'docs/reference/metrics.md has all of them.',
      tags: TAGS,
      role: 'read',
      answers: { 200: { description: 'The metrics.', content: { 'text/plain': { type: 'string' } } } },
    }),
    async (_request, reply) => {
      const page = await metrics.text();
      return reply.type(metrics.registry.contentType).send(page);
    },
  );

  app.get(
    '/v1/openapi.json',
    describe({
      operationId: 'openapi',
      summary: 'This description',
      tags: TAGS,
      role: 'read',
      answers: { 200: json({ type: 'object', additionalProperties: true }, 'OpenAPI 3.1.') },
    }),
    () => app.swagger(),
  );
}

/** What only looks at the status, as many a health check does, asks with HEAD. */
function withHead<T extends object>(options: T): T & { readonly exposeHeadRoute: true } {
  return { ...options, exposeHeadRoute: true };
}
