import { openApiDocument } from '../../../api/openapi';
import { routes } from '../../../api/routes';
import type { DeviceRecord } from '../../../db/device-record';
import { startApp, type AppUnderTest } from './app-under-test';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}
interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
  readonly headers?: Readonly<Record<string, unknown>>;
}
interface Operation {
  readonly operationId: string;
  readonly security?: readonly unknown[];
  readonly parameters?: readonly { readonly name: string }[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
}
const document = openApiDocument(routes) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};
const operations = Object.values(document.paths).flatMap((path) => Object.entries(path));
const isClosed = ({ security }: Operation): boolean => security?.length !== 0;

const resolved = (schema: Schema): Schema =>
  schema.$ref === undefined ? schema : document.components.schemas[schema.$ref.split('/').at(-1)!]!;

/** Where unknown fields would be taken, by their pointers. */
function openObjects(schema: Schema, at: string): string[] {
  const { type, properties = {}, additionalProperties, items, anyOf = [], oneOf = [], allOf = [] } = resolved(schema);
  const here =
    type === 'object' && additionalProperties !== false && typeof additionalProperties !== 'object' ? [at] : [];
  return [
    ...here,
    ...Object.entries(properties).flatMap(([name, inner]) => openObjects(inner, `${at}/${name}`)),
    ...(typeof additionalProperties === 'object' && additionalProperties.type !== undefined
      ? openObjects(additionalProperties, `${at}/*`)
      : []),
    ...(items === undefined ? [] : openObjects(items, `${at}/0`)),
    ...[...anyOf, ...oneOf, ...allOf].flatMap((inner) => openObjects(inner, at)),
  ];
}

describe('every operation', () => {
  it('that takes a body takes no field that it does not know, however deep', () => {
    const open = operations.flatMap(([, { operationId, requestBody }]) =>
      Object.values(requestBody?.content ?? {}).flatMap(({ schema }) => openObjects(schema, operationId)),
    );
    expect(open).toEqual([]);
  });

  it('that lists things does so in pages, with a cursor wherever the list can grow', () => {
    const lists = operations.filter(([, { operationId }]) => operationId.startsWith('list'));
    const pages = lists.map(([, { operationId, parameters = [], responses }]) => {
      const { properties = {} } = resolved(responses['200']?.content?.['application/json']?.schema ?? {});
      const names = parameters.map(({ name }) => name);
      return [operationId, 'items' in properties && 'nextCursor' in properties, names.includes('cursor')];
    });
    expect(pages.filter(([, isPage]) => isPage !== true)).toEqual([]);
    // What this program declares: a few dozen, all on the first page.
    expect(pages.filter(([, , hasCursor]) => hasCursor !== true).map(([name]) => name)).toEqual([
      'listJobs',
      'listSchedules',
    ]);
  });

  it('that answers a whole list beside others bounds it', () => {
    const bounded = operations
      .filter(([method, { operationId }]) => method === 'get' && !operationId.startsWith('list'))
      .filter(([, { responses }]) => {
        const { properties = {} } = resolved(responses['200']?.content?.['application/json']?.schema ?? {});
        return resolved(properties['items'] ?? {}).type === 'array';
      });
    expect(bounded).toEqual([]);
  });

  it('says that it may be asked too often, but for what must always be answered', () => {
    const silent = operations.filter(([, { responses }]) => responses['429'] === undefined);
    expect(silent.map(([, { operationId }]) => operationId)).toEqual(['health', 'ready']);
    for (const [, operation] of operations.filter(([, one]) => isClosed(one)))
      expect(Object.keys(operation.responses['429']?.headers ?? {})).toEqual(
        expect.arrayContaining(['Retry-After', 'RateLimit', 'RateLimit-Policy', 'X-Request-Id']),
      );
  });

  it('that reads JSON has a tag, and 304 for who has it', () => {
    const untagged = operations.filter(
      ([method, { responses }]) =>
        method === 'get' &&
        (responses['304'] === undefined || !('ETag' in (responses['200']?.headers ?? {}))) &&
        responses['200']?.content?.['application/json'] !== undefined,
    );
    expect(untagged.map(([, { operationId }]) => operationId)).toEqual([]);
  });
});

describe('an answer', () => {
  let app: AppUnderTest;
  const weight = { now: 1 };
  beforeAll(async () => {
    app = await startApp({
      backups: { list: () => Promise.resolve([]) },
      devices: { read: () => Promise.resolve({ ...DEVICE, notFollowing: weight.now > 1 }) },
    });
  });
  afterAll(() => app.close());
  const read = (headers: Record<string, string> = {}) => app.call('GET', '/api/backups', { as: 'viewer', headers });

  it('has a tag of what it says; who has it already is told only that', async () => {
    const first = await read();
    const tag = first.headers.get('etag') ?? '';
    expect(tag).toMatch(/^"[\w-]{16}"$/);
    const again = await read({ 'if-none-match': tag });
    expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', tag]);
    expect((await read({ 'if-none-match': '"other"' })).status).toBe(200);
  });

  it('of a thing that is edited has its revision in front, and another tag when only its present state differs', async () => {
    const one = () => app.call('GET', '/api/devices/ev-1', { as: 'viewer' });
    const first = (await one()).headers.get('etag') ?? '';
    weight.now = 2;
    const second = (await one()).headers.get('etag') ?? '';
    weight.now = 1;
    expect([first, second].map((tag) => tag.slice(0, 3))).toEqual(['"7-', '"7-']);
    expect(first).not.toBe(second);
    const asked = await app.call('GET', '/api/devices/ev-1', { as: 'viewer', headers: { 'if-none-match': second } });
    expect(asked.status).toBe(200);
  });

  it('is refused beforehand to a caller who takes no such kind', async () => {
    const { status, body, headers } = await read({ accept: 'application/xml' });
    expect([status, body.code]).toEqual([406, 'NOT_ACCEPTABLE']);
    expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect((await read({ accept: 'text/html, */*;q=0.1' })).status).toBe(200);
  });

  it('of a document has a tag, too', async () => {
    const tag = (await app.call('GET', '/api/openapi.json')).headers.get('etag') ?? '';
    const again = await app.call('GET', '/api/openapi.json', { headers: { 'if-none-match': tag } });
    expect([again.status, again.text]).toEqual([304, '']);
  });
});

const DEVICE: Omit<DeviceRecord, 'notFollowing'> = {
  ...{ deviceId: 'ev-1', deviceType: 'ev', feederId: 'a', rootFeederId: 'a', name: null, sign: null },
  ...{ maxImportKw: 11, maxExportKw: 0, minImportKw: 1.4, defaultPowerKw: null, honoursExpiry: true, weight: 1 },
  ...{ reserveSoc: 0, targetSoc: 1, scheduledPowerKw: 0, rampKwPerS: null, enabled: true, feederOrigin: 'registry' },
  ...{ ratingOrigin: 'registry', revision: 7, updatedAt: '2026-05-01T12:00:00.000Z', state: 'online' },
  ...{ reading: null, setpoint: null },
};
