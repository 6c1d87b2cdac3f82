import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApiFile } from '../../api/openapi-file';

it('docs/openapi.json is what the routes say; `npm run docs:openapi` writes it and refuses what breaks callers', () => {
  expect(readFileSync(join(__dirname, '../../docs/openapi.json'), 'utf8')).toBe(openApiFile());
});
