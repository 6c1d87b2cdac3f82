import express, { type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import { DermsError } from '../domain/errors';
import { clientAddress } from './client-address';
import { crossOrigin } from './cross-origin';
import { docsPages } from './docs-pages';
import { methodNotAllowed } from './method-not-allowed';
import { mountRoutes } from './mount-routes';
import type { AppPorts } from './ports';
import { countStranger } from './request-limits';
import { contextOf, requestLog } from './request-log';
import { routes } from './routes';
import { problemHandler } from './send-problem';

/**
 * The HTTP API as an Express app that does not listen. It knows nobody but its ports, so that every route can be called
 * with plain objects behind it.
 */
export function createApp(ports: AppPorts): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag'); // ours are made in send-json.ts
  app.set('query parser', 'simple');
  app.set('trust proxy', [...ports.settings.trustedProxies]);
  app.use(requestLog(ports));
  app.use(noteUntrustedProxy(ports));
  app.use(securityHeaders);
  app.use(crossOrigin(ports.settings.corsOrigins));
  app.use(metricsPage(ports));
  app.use(turnAwayWhileStopping(ports));
  app.use(mountRoutes(routes, ports));
  app.use(async (_request, response, next) => {
    await countStranger(ports, response);
    next();
  });
  app.use(docsPages(routes));
  app.use((request) => {
    throw new DermsError('NOT_FOUND', `There is nothing at ${request.path.slice(0, 200)}.`);
  });
  app.use(problemHandler(ports.log));
  return app;
}

/** Pages of ours need no other host and no inline script. */
const securityHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      imgSrc: ["'self'", 'data:'],
      objectSrc: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
  },
  referrerPolicy: { policy: 'no-referrer' },
});

/** Once: whoever forgot `TRUST_PROXY` has one address for all clients in limits and audit. */
function noteUntrustedProxy({ settings, log }: AppPorts): RequestHandler {
  let noted = settings.trustedProxies.length > 0;
  return (request, _response, next) => {
    if (!noted && request.get('X-Forwarded-For') !== undefined) {
      noted = true;
      const address = clientAddress(request);
      log.warn({ address }, 'X-Forwarded-For is ignored: if this is your proxy, name it in TRUST_PROXY');
    }
    next();
  };
}

function metricsPage({ settings, metrics: { registry }, log }: AppPorts): RequestHandler {
  return async (request, response, next) => {
    if (request.path !== settings.metricsPath) {
      next();
      return;
    }
    contextOf(response).route = settings.metricsPath;
    if (!['GET', 'HEAD'].includes(request.method)) throw methodNotAllowed(['GET']);
    if (!settings.metricsEnabled) throw new DermsError('NOT_FOUND', 'Metrics are switched off.');
    try {
      response.type(registry.contentType).send(await registry.metrics());
    } catch (err) {
      log.error({ err }, 'the metrics could not be collected');
      throw err;
    }
  };
}

/** Requests that come on connections that are still open; probes are answered to the end. */
function turnAwayWhileStopping({ stopping }: AppPorts): RequestHandler {
  return (request, response, next) => {
    if (!stopping()) {
      next();
      return;
    }
    response.set('Connection', 'close');
    if (request.path === '/api/health' || request.path === '/api/ready') next();
    else throw new DermsError('SHUTTING_DOWN', 'This process is stopping.');
  };
}
