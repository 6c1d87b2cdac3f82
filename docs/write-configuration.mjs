import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Writes docs/configuration.md and .env.example from the schema in config/; a test keeps them equal. */
const { configurationPage, environmentExample } = createRequire(import.meta.url)('../dist/config/page.js');
writeFileSync(fileURLToPath(new URL('configuration.md', import.meta.url)), configurationPage());
writeFileSync(fileURLToPath(new URL('../.env.example', import.meta.url)), environmentExample());
