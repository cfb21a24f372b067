import { parseFilter } from './parameters.ts';
import { checkPattern } from './snapshot-routes.ts';
import { describe, isoMs, json, pathParameters, type ReaderParams, type RouteContext } from './routing.ts';
import { ref } from './json-schema.ts';
import { streamOf } from './served-relay.ts';

const TAGS = ['snapshots'];
const PATH = '/v1/streams/:stream/readers/:reader';
const PARAMS = pathParameters('stream', 'reader');

/** As the schema `ReaderRequest` lets it in. */
interface BeginBody {
  readonly tables?: readonly string[];
  readonly truncate?: boolean;
}

/** Rows for one reader without a group. As with a group's `bootstrap`, they concern nobody else: the role `read` is enough. */
export function addReaderRoutes({ app, relay }: RouteContext): void {
  app.put<{ Params: ReaderParams; Body: BeginBody }>(
    PATH,
    describe({
      operationId: 'bootstrapReader',
      summary: 'Have the rows that exist read for one reader alone',
      description:
        'Kept when it is answered. They come among the changes behind `after`, to readings with `reader` and this name. Asked again under the same name it is answered as before, whatever the body.',
      tags: TAGS,
      role: 'read',
      params: PARAMS,
      body: ref('ReaderRequest'),
      answers: { 200: json('ReaderStart', 'Where to begin.') },
      problems: [409],
    }),
    async ({ params, body }) => {
      const { transport } = streamOf(relay, params.stream);
      const { truncate = false } = body;
      // The same texts mean the same tables here and in the readings.
      const { tables } = parseFilter(body.tables === undefined ? {} : { tables: body.tables });
      for (const [index, text] of (tables ?? []).entries()) checkPattern(text, `tables.${index}`);
      const request = { ...(tables === undefined ? {} : { tables }), truncate };
      const { createdMs, after, snapshot } = await transport.bootstrap(params.reader, request);
      return { created: isoMs(createdMs), after, snapshot };
    },
  );

  app.delete<{ Params: ReaderParams }>(
    PATH,
    describe({
      operationId: 'dismissReader',
      summary: 'Nobody reads under this name any more',
      description: 'Cancels its snapshot. Not an error when that is over, or there is none.',
      tags: TAGS,
      role: 'read',
      params: PARAMS,
      answers: { 204: { description: 'Nothing more is read for it.' } },
    }),
    async ({ params }, reply) => {
      await streamOf(relay, params.stream).transport.dismiss(params.reader);
      return reply.code(204).send();
    },
  );
}
