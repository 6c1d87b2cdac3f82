import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Router, type RequestHandler } from 'express';
import { errorsHtml } from './error-page-html';
import { methodNotAllowed } from './method-not-allowed';
import { openApiDocument } from './openapi';
import { contextOf } from './request-log';
import type { Route } from './route';
import { sendTagged, tagOf } from './send-json';

/** What of swagger-ui-dist the page needs. Everything else of the package stays unserved. */
const ASSETS = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

const PATHS = [
  '/api/openapi.json',
  '/api/docs',
  '/api/docs/start.js',
  '/api/docs/page.css',
  '/api/docs/errors',
] as const;

/** The API's description, a page to read it on, and the page of errors; nothing comes from another host. */
export function docsPages(routes: readonly Route[]): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const document = JSON.stringify(openApiDocument(routes));
  const serve = (path: (typeof PATHS)[number], type: string, body: string): void => {
    const tag = tagOf(body);
    router.get(path, named(path), (_request, response) => {
      sendTagged(body, tag, response.type(type));
    });
  };
  serve('/api/openapi.json', 'application/json', document);
  serve('/api/docs', 'text/html', PAGE);
  serve('/api/docs/start.js', 'text/javascript', START);
  serve('/api/docs/page.css', 'text/css', PAGE_CSS);
  serve('/api/docs/errors', 'text/html', errorsHtml());
  const folder = dirname(require.resolve('swagger-ui-dist/package.json'));
  for (const asset of ASSETS) {
    const content = readFileSync(join(folder, asset));
    const tag = tagOf(content);
    router.get(`/api/docs/${asset}`, named('/api/docs/{asset}'), (_request, response) => {
      response.set('Cache-Control', 'public, max-age=3600').type(asset.slice(asset.lastIndexOf('.')));
      sendTagged(content, tag, response);
    });
  }
  for (const path of [...PATHS, ...ASSETS.map((asset) => `/api/docs/${asset}`)])
    router.all(path, () => {
      throw methodNotAllowed(['GET']);
    });
  return router;
}

const named =
  (route: string): RequestHandler =>
  (_request, response, next) => {
    contextOf(response).route = route;
    next();
  };

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>DERMS API</title>
    <link rel="icon" href="/api/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/api/docs/swagger-ui.css">
  </head>
  <body>
    <div id="page"></div>
    <script src="/api/docs/swagger-ui-bundle.js"></script>
    <script src="/api/docs/start.js"></script>
  </body>
</html>
`;
const START = `SwaggerUIBundle({ url: '/api/openapi.json', dom_id: '#page', deepLinking: true, validatorUrl: null });
`;
const PAGE_CSS = `body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font: 600 1.1rem ui-monospace, monospace; margin-top: 2rem; }
section:target { background: #fff6d6; }
`;
