import { openApiDocument } from '../../../api/openapi';
import { routes } from '../../../api/routes';
import { startApp, type AppUnderTest } from './app-under-test';

interface Operation {
  readonly operationId: string;
  readonly security?: readonly unknown[];
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly responses: Record<string, { readonly content: Record<string, unknown> }>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    readonly schemas: Record<string, { readonly properties?: object; additionalProperties?: unknown }>;
  };
}

const document = openApiDocument(routes) as Document; // made by createDocument

describe('the OpenAPI document', () => {
  it('is version 3.1 and has every route with its own name', () => {
    expect(document.openapi).toBe('3.1.1');
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    expect(operations).toHaveLength(routes.length);
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(routes.length);
  });

  it('names every parameter of a path', () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const { parameters = [] } of Object.values(operations)) {
        expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(names);
      }
    }
  });

  it('says which routes are open to everybody', () => {
    const open = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.values(operations)
        .filter(({ security }) => security?.length === 0)
        .map(() => path),
    );
    expect(open).toEqual(['/api/auth/login', '/api/health', '/api/ready']);
  });

  it('shows the codes behind each status as problem documents', () => {
    const responses = document.paths['/api/dispatches']?.['post']?.responses;
    expect(Object.keys(responses ?? {})).toEqual(
      expect.arrayContaining(['200', '202', '400', '401', '403', '404', '409', '413', '415', '422', '503']),
    );
    expect(responses?.['409']?.content).toHaveProperty(['application/problem+json']);
  });

  it('has the fields of requests, which take no others', () => {
    const { DispatchRequest: request } = document.components.schemas;
    expect(Object.keys(request?.properties ?? {})).toContain('importLimitKw');
    expect(request?.additionalProperties).toBe(false);
  });
});

describe('the pages of the API', () => {
  let app: AppUnderTest;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  it('serve the document and a page to read it', async () => {
    expect((await app.call('GET', '/api/openapi.json')).body.openapi).toBe('3.1.1');
    const page = await app.call('GET', '/api/docs');
    expect(page.headers.get('content-type')).toContain('text/html');
    for (const [, url = ''] of page.text.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const asset = await app.call('GET', url);
      expect({ url, status: asset.status, size: asset.text.length > 50 }).toEqual({ url, status: 200, size: true });
    }
  });

  it('need no other host and no inline script', async () => {
    for (const path of ['/api/docs', '/api/docs/errors']) {
      const page = await app.call('GET', path);
      expect(page.text).not.toMatch(/https?:\/\//);
      expect(page.text).not.toMatch(/<script(?![^>]*\bsrc=)|\son\w+=|javascript:/);
      const policy = page.headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'self'");
      expect(policy).not.toContain('unsafe');
    }
  });

  it('have an anchor for every code that a problem links to', async () => {
    const { body } = await app.call('GET', '/api/nothing-here');
    expect(body.type).toBe('/api/docs/errors#NOT_FOUND');
    expect((await app.call('GET', '/api/docs/errors')).text).toContain('id="NOT_FOUND"');
  });
});
