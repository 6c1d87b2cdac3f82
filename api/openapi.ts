import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import { ERROR_CODES, type ErrorCode } from '../domain/errors';
import type { Access } from './access';
import { ERROR_PAGES } from './error-pages';
import { refusedWhileQuarantined, type Route } from './route';

const problemSchema = z
  .object({
    type: z.string().describe('Page of the code.'),
    title: z.string(),
    status: z.number().int(),
    code: z.string().meta({
      description: 'Stable. More may come: treat one that you do not know by its status.',
      'x-extensible-enum': ERROR_CODES,
    }),
    detail: z.string(),
    requestId: z.string().describe('Also in the header `X-Request-Id`, and in the log.'),
    errors: z.array(
      z.object({
        pointer: z.string().describe('RFC 6901, into the body; `/query/…`, `/path/…`, `/header/…` beside it.'),
        message: z.string(),
      }),
    ),
    conflictsWith: z.array(z.uuid()).optional().describe('Dispatches that exclude the one asked for.'),
    activeRun: z.string().optional().describe('The run that goes on in place of the one asked for.'),
  })
  .meta({ id: 'Problem', description: 'RFC 9457.' });

/** The page of the API, made from the routes themselves. */
export const openApiDocument = (routes: readonly Route[]): object =>
  createDocument({
    openapi: '3.1.1',
    info: {
      title: 'DERMS control plane',
      version: '1',
      description:
        'Keeps feeders of distributed energy resources inside their limits and carries out dispatches. ' +
        'Power in kW, positive from the grid into the device; limits carry no sign; times are ISO 8601.',
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
    paths: pathsOf(routes),
  });

function pathsOf(routes: readonly Route[]): ZodOpenApiPathsObject {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method] = operationOf(route);
  return paths;
}

function operationOf(route: Route): ZodOpenApiOperationObject {
  const parameters = { path: route.params, query: route.query, header: route.headers };
  const given = Object.entries(parameters).filter(([, schema]) => schema !== undefined);
  const needs = needsOf(route);
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    description: route.description === undefined ? needs : `${route.description}\n\n${needs}`,
    ...(route.role === 'anyone' ? { security: [] } : {}),
    ...(given.length > 0 ? { requestParams: Object.fromEntries(given) } : {}),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: route.body } } } }),
    responses: { ...answersOf(route), ...problemsOf(route) },
  };
}

function needsOf({ role, scope }: Access): string {
  if (role === 'anyone') return 'Open to everybody.';
  return scope === null ? `Needs the role ${role}.` : `Needs the role ${role}, or a machine token with \`${scope}\`.`;
}

const answersOf = (route: Route): ZodOpenApiOperationObject['responses'] =>
  Object.fromEntries(
    Object.entries(route.answers).map(([status, { description, schema, stream, text, headers = {} }]) => [
      status,
      {
        description,
        content: Object.fromEntries(
          (text ?? [stream === true ? 'text/event-stream' : 'application/json']).map((type) => [type, { schema }]),
        ),
        headers: z.object(
          Object.fromEntries(Object.entries(headers).map(([name, meaning]) => [name, z.string().describe(meaning)])),
        ),
      },
    ]),
  );

/** One answer per status, naming every code that may stand behind it. */
function problemsOf(route: Route): ZodOpenApiOperationObject['responses'] {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codesOf(route)) {
    const { status } = ERROR_PAGES[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      String(status),
      {
        description: codes.map((code) => `\`${code}\`: ${ERROR_PAGES[code].title}.`).join('\n\n'),
        content: { 'application/problem+json': { schema: problemSchema } },
      },
    ]),
  );
}

function codesOf(route: Route): ErrorCode[] {
  const takesInput = [route.params, route.query, route.headers, route.body].some((schema) => schema !== undefined);
  return [
    ...new Set<ErrorCode>([
      ...route.errors,
      ...(takesInput ? (['VALIDATION_FAILED'] as const) : []),
      ...(route.body === undefined ? [] : (['MALFORMED_JSON', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const)),
      ...(route.role === 'anyone' ? [] : (['UNAUTHENTICATED', 'FORBIDDEN', 'DATABASE_UNAVAILABLE'] as const)),
      ...(refusedWhileQuarantined(route) ? (['QUARANTINED'] as const) : []),
      ...(route.needsTemporal === undefined ? [] : (['TEMPORAL_UNAVAILABLE'] as const)),
      'TIMED_OUT',
      'SHUTTING_DOWN',
      'INTERNAL',
    ]),
  ];
}
