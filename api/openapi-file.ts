import { openApiDocument } from './openapi';
import { routes } from './routes';

/** The text of docs/openapi.json: what callers are promised. */
export const openApiFile = (): string => `${JSON.stringify(openApiDocument(routes), undefined, 2)}\n`;
