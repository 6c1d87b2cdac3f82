// Writes docs/errors.md from api/error-pages.ts: `npm run build && node docs/write-errors.mjs`.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { errorsMarkdown } = createRequire(import.meta.url)(join(root, 'dist', 'api', 'error-page-html.js'));
writeFileSync(join(root, 'docs', 'errors.md'), errorsMarkdown());
