import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';

/** How the routes' own descriptions become one OpenAPI 3.1 document. */
export function openApiOptions(version: string): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tidings relay',
        description: 'Ordered, durable logs of database changes, for any number of consumers at their own pace.',
        version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'This relay.' }],
      tags: [
        { name: 'streams', description: 'The log of one source.' },
        { name: 'changes', description: 'Reading a stream.' },
        { name: 'groups', description: 'Readers that share the work, seen from outside.' },
        { name: 'members', description: 'Being one of them.' },
        { name: 'snapshots', description: 'The rows that exist already.' },
        {
          name: 'sinks',
          description: 'What is kept in step with a stream, and the changes that could not be written.',
        },
        { name: 'health', description: 'For those who run the relay.' },
      ],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description:
              'One of the configured tokens. Each operation names the role it needs: read < operate < admin.',
          },
        },
      },
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json['$id'] === 'string' ? json['$id'] : `schema${index}`,
    },
  };
}
