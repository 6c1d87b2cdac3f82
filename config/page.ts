import type { z } from 'zod';
import { SECRET_SETTINGS, settings } from './schema';

const HEAD = `# Configuration

Every setting is an environment variable. \`.env\` in the working directory is read when it is there; the real environment wins.
Secrets may come from a file instead: \`NAME_FILE\` names it. A bad environment stops the process and names every fault at once.

Written by \`npm run docs:configuration\` from \`config/schema.ts\`.

| Name | Default | Meaning |
| --- | --- | --- |
`;

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  const rows = Object.entries(settings).map(([name, schema]) => {
    const secret = (SECRET_SETTINGS as readonly string[]).includes(name) ? ' Secret.' : '';
    return `| \`${name}\` | ${defaultOf(schema)} | ${schema.description ?? ''}${secret} |`;
  });
  return `${HEAD}${rows.join('\n')}\n`;
}

/** The text of .env.example: every setting with its sentence; defaults commented out, secrets empty. */
export function environmentExample(): string {
  const blocks = Object.entries(settings).map(([name, schema]) => {
    const secret = (SECRET_SETTINGS as readonly string[]).includes(name);
    const value = defaultValue(schema);
    return `# ${schema.description ?? ''}\n${secret || value === null ? `# ${name}=` : `# ${name}=${value}`}`;
  });
  return `# Copy to .env and set what differs. Written by \`npm run docs:configuration\` from config/schema.ts.\n\n${blocks.join('\n\n')}\n`;
}

function defaultOf(schema: z.ZodType): string {
  const value = defaultValue(schema);
  if (value !== null) return `\`${value}\``;
  return schema.safeParse(undefined).success ? '(none)' : '(required)';
}

function defaultValue(schema: z.ZodType): string | null {
  const given = schema.safeParse(undefined);
  if (!given.success || given.data === undefined) return null;
  if (Array.isArray(given.data)) return given.data.length === 0 ? null : given.data.join(',');
  return typeof given.data === 'string' ? given.data : JSON.stringify(given.data);
}
