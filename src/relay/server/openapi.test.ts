import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRelayServer, type TestServer } from '../../../test/support/relay-server.ts';

interface Schema {
  readonly [keyword: string]: unknown;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly {
    name: string;
    in: string;
    required?: boolean;
    schema: Schema;
    description?: string;
  }[];
  readonly requestBody?: { content: Record<string, { schema: Schema }> };
  readonly responses: Readonly<Record<string, { description: string; content?: Record<string, { schema: Schema }> }>>;
  readonly security: readonly Record<string, readonly string[]>[];
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>>; readonly securitySchemes: object };
}

let server: TestServer;
let document: Document;
let operations: readonly (Operation & { readonly path: string; readonly method: string })[];

beforeAll(async () => {
  server = await startRelayServer([]);
  document = (await (await server.get('/v1/openapi.json')).json()) as Document;
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method })),
  );
});

afterAll(() => server[Symbol.asyncDispose]());

test('the document is OpenAPI 3.1 and has every route of the API', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(document.info).toMatchObject({ title: 'Tidings relay', version: '1.2.3' });
  expect(operations.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual([
    'delete /v1/sinks/{sink}/dead-letters/{letter}',
    'delete /v1/streams/{stream}/groups/{group}',
    'delete /v1/streams/{stream}/groups/{group}/members/{member}',
    'delete /v1/streams/{stream}/readers/{reader}',
    'get /livez',
    'get /metrics',
    'get /readyz',
    'get /v1/openapi.json',
    'get /v1/sinks',
    'get /v1/sinks/{sink}',
    'get /v1/sinks/{sink}/dead-letters',
    'get /v1/sinks/{sink}/dead-letters/{letter}',
    'get /v1/streams',
    'get /v1/streams/{stream}',
    'get /v1/streams/{stream}/changes',
    'get /v1/streams/{stream}/groups',
    'get /v1/streams/{stream}/groups/{group}',
    'get /v1/streams/{stream}/groups/{group}/members/{member}/changes',
    'get /v1/streams/{stream}/schemas',
    'get /v1/streams/{stream}/snapshots',
    'get /v1/streams/{stream}/snapshots/{id}',
    'patch /v1/sinks/{sink}/dead-letters/{letter}',
    'post /v1/sinks/{sink}/pause',
    'post /v1/sinks/{sink}/redrive',
    'post /v1/sinks/{sink}/resume',
    'post /v1/streams/{stream}/groups/{group}/members/{member}/commit',
    'post /v1/streams/{stream}/groups/{group}/members/{member}/heartbeat',
    'post /v1/streams/{stream}/groups/{group}/pause',
    'post /v1/streams/{stream}/groups/{group}/resume',
    'post /v1/streams/{stream}/pause',
    'post /v1/streams/{stream}/resume',
    'post /v1/streams/{stream}/snapshots',
    'post /v1/streams/{stream}/snapshots/{id}/cancel',
    'post /v1/streams/{stream}/snapshots/{id}/pause',
    'post /v1/streams/{stream}/snapshots/{id}/resume',
    'put /v1/streams/{stream}/groups/{group}/checkpoint',
    'put /v1/streams/{stream}/groups/{group}/members/{member}',
    'put /v1/streams/{stream}/readers/{reader}',
  ]);
});

test('every operation has a name of its own, a summary, a known tag, and says which role it needs', () => {
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  const tags = document.tags.map(({ name }) => name);
  for (const operation of operations) {
    expect(operation.summary).toMatch(/^[A-Z]/);
    expect(tags).toEqual(expect.arrayContaining([...operation.tags]));
    for (const { bearer } of operation.security) expect(['read', 'operate', 'admin']).toContain(bearer?.[0]);
  }
});

test('every parameter is described, and every parameter of a path is declared and required', () => {
  for (const { path, parameters = [] } of operations) {
    for (const { description, schema } of parameters) expect(description ?? schema['description']).toMatch(/\w/);
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const declared = parameters.filter((parameter) => parameter.in === 'path');
    expect(declared.map(({ name }) => name)).toEqual(names);
    for (const { required } of declared) expect(required).toBe(true);
  }
});

test('every answer is described, errors as problem+json', () => {
  for (const { responses, path } of operations) {
    for (const [status, { description, content = {} }] of Object.entries(responses)) {
      expect(description).toMatch(/\w/);
      const isHealth = path === '/readyz' && status === '503';
      if (Number(status) >= 400 && !isHealth) expect(Object.keys(content)).toEqual(['application/problem+json']);
      if (status === '204') expect(content).toEqual({});
    }
  }
});

test('every reference leads to a component, and every component is used', () => {
  const references = new Set<string>();
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, inner] of Object.entries(value)) {
      if (name === '$ref') references.add(String(inner));
      else walk(inner);
    }
  };
  walk(document);
  const components = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
  expect([...references].toSorted()).toEqual(components.toSorted());
});

test('the document needs no internet and names no host', () => {
  expect(JSON.stringify(document)).not.toMatch(/https?:\/\/(?!json-schema)/);
});
