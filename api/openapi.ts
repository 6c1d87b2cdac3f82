import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import { ERROR_CODES, type ErrorCode } from '../domain/errors';
import type { Access } from './access';
import { ERROR_PAGES } from './error-pages';
import { refusedWhileQuarantined, type AnswerDeclaration, type Route } from './route';

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
    responses: { ...answersOf(route), ...unchangedOf(route), ...problemsOf(route) },
  };
}

function needsOf({ role, scope }: Access): string {
  if (role === 'anyone') return 'Open to everybody.';
  return scope === null ? `Needs the role ${role}.` : `Needs the role ${role}, or a machine token with \`${scope}\`.`;
}

/** In which a route answers when all goes well. */
export const contentTypesOf = (route: Route): readonly string[] => [
  ...new Set(Object.values(route.answers).flatMap(typesOf)),
];
const typesOf = ({ stream, text }: AnswerDeclaration): readonly string[] =>
  text ?? [stream === true ? 'text/event-stream' : 'application/json'];

const answersOf = (route: Route): ZodOpenApiOperationObject['responses'] =>
  Object.fromEntries(
    Object.entries(route.answers).map(([status, answer]) => [
      status,
      {
        description: answer.description,
        content: Object.fromEntries(typesOf(answer).map((type) => [type, { schema: answer.schema }])),
        headers: z.object({
          ...(hasTag(route, answer) && status === '200' ? { ETag: tagHeader } : {}),
          ...named(answer.headers, (meaning) => meaning),
          ...named(answer.sometimes, (meaning) => meaning.optional()),
          ...(isCounted(route) ? rateHeaders : {}),
          'X-Request-Id': requestIdHeader,
        }),
      },
    ]),
  );

const named = (
  headers: Readonly<Record<string, string>> = {},
  as: (meaning: z.ZodString) => z.ZodType,
): Record<string, z.ZodType> =>
  Object.fromEntries(Object.entries(headers).map(([name, meaning]) => [name, as(z.string().describe(meaning))]));

/** What `send-json.ts` gives a tag. */
const hasTag = ({ method }: Route, { stream, text }: AnswerDeclaration): boolean =>
  method === 'get' && stream === undefined && text === undefined;

const unchangedOf = (route: Route): ZodOpenApiOperationObject['responses'] =>
  Object.entries(route.answers).some(([status, answer]) => status === '200' && hasTag(route, answer))
    ? { '304': { description: 'It says what `If-None-Match` names.', headers: z.object({ ETag: tagHeader }) } }
    : {};

const isCounted = ({ role, neverLimited }: Route): boolean => role !== 'anyone' && neverLimited !== true;

const header = (id: string, description: string): { readonly always: z.ZodType; readonly sometimes: z.ZodType } => ({
  always: z.string().meta({ description, header: { id } }),
  sometimes: z.string().optional().meta({ description, header: { id } }),
});
const tagHeader = header(
  'ETag',
  'Of what the answer says: send it back as `If-None-Match`. A revision in front of a `-` counts for `If-Match`.',
).always;
const rateHeaders = {
  RateLimit: header('RateLimit', 'What is left: `r` requests, for `t` seconds.').sometimes,
  'RateLimit-Policy': header('RateLimit-Policy', 'How the caller is counted: `q` requests in `w` seconds.').sometimes,
};
const requestIdHeader = header('X-Request-Id', 'Also in the log; yours when you sent one.').sometimes;
const retryHeader = header('Retry-After', 'Seconds until it makes sense to try again.').sometimes;

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
        headers: z.object({
          ...(status === 429 || status === 503 ? { 'Retry-After': retryHeader } : {}),
          ...(status === 429 ? rateHeaders : {}),
          'X-Request-Id': requestIdHeader,
        }),
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
      ...(route.role === 'anyone'
        ? []
        : (['UNAUTHENTICATED', 'FORBIDDEN', 'TOO_MANY_REQUESTS', 'DATABASE_UNAVAILABLE'] as const)),
      ...(refusedWhileQuarantined(route) ? (['QUARANTINED'] as const) : []),
      ...(route.needsTemporal === undefined ? [] : (['TEMPORAL_UNAVAILABLE'] as const)),
      'MALFORMED_REQUEST',
      'NOT_ACCEPTABLE',
      'REQUEST_TOO_SLOW',
      'HEADERS_TOO_LARGE',
      'TIMED_OUT',
      'SHUTTING_DOWN',
      'INTERNAL',
    ]),
  ];
}
