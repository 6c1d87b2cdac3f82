import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { parseRegistryFile, type RegistryFile } from '../../contracts/registry-file';
import { createApiClient } from '../api-client';
import type { Command } from '../context';
import { CommandFailure } from '../failure';
import { readOptions } from '../options';

const USAGE = 'derms registry apply FILE [--dry-run] [--prune] [--json]';

const difference = z.object({
  created: z.array(z.string()),
  changed: z.array(
    z.object({ id: z.string(), fields: z.record(z.string(), z.object({ from: z.json(), to: z.json() })) }),
  ),
  unchanged: z.number(),
  absent: z.array(z.string()),
  removed: z.array(z.string()),
});
const answerSchema = z.object({ applied: z.boolean(), feeders: difference, devices: difference });

/** Checks the file here, so that faults come with their lines, and applies it there: whole or not at all. */
export const registry: Command = async (argv, { print, environment }) => {
  const options = {
    'dry-run': { type: 'boolean', default: false },
    prune: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  } as const;
  const { values, positionals } = readOptions(USAGE, argv, options, 2);
  const [verb, path = ''] = positionals;
  if (verb !== 'apply') throw new CommandFailure(`Usage: ${USAGE}`);
  const { feeders, devices } = await readFileAt(path); // what a simulator reads beside them stays here
  const answer = await createApiClient(environment).call(answerSchema, {
    method: 'POST',
    path: `/api/registry?validateOnly=${String(values['dry-run'])}&prune=${String(values.prune)}`,
    body: { feeders, devices },
  });
  print(values.json ? JSON.stringify(answer) : inWords(answer));
  return 0;
};

async function readFileAt(path: string): Promise<RegistryFile> {
  try {
    return parseRegistryFile(await readFile(path, 'utf8'));
  } catch (cause) {
    if (hasFaults(cause)) {
      const faults = cause.faults.map(({ pointer, message }) => `  ${pointer}: ${message}`);
      throw new CommandFailure([`${path}: ${cause.message}`, ...faults].join('\n'), 1, { cause });
    }
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new CommandFailure(`${path} cannot be read: ${message}`, 2, { cause });
  }
}

/** What `parseRegistryFile` throws. */
const hasFaults = (error: unknown): error is Error & { faults: { pointer: string; message: string }[] } =>
  error instanceof Error && 'faults' in error;

const inWords = ({ applied, feeders, devices }: z.output<typeof answerSchema>): string =>
  [
    applied ? 'Applied.' : 'Nothing was changed; this is what would be:',
    ...linesOf('feeders', feeders),
    ...linesOf('devices', devices),
  ].join('\n');

const MOST_LINES = 20;

function linesOf(
  name: string,
  { created, changed, unchanged, absent, removed }: z.output<typeof difference>,
): string[] {
  const counts = [
    `${String(created.length)} created`,
    `${String(changed.length)} changed`,
    `${String(removed.length)} removed`,
    `${String(unchanged)} unchanged`,
    ...(absent.length > 0 ? [`${String(absent.length)} not in the file`] : []),
  ];
  const details = [
    ...created.map((id) => `  + ${id}`),
    ...changed.map(({ id, fields }) => `  ~ ${id}: ${fieldsInWords(fields)}`),
    ...removed.map((id) => `  - ${id}`),
  ];
  const more = details.length > MOST_LINES ? [`  … and ${String(details.length - MOST_LINES)} more (--json)`] : [];
  return [`${name}: ${counts.join(', ')}`, ...details.slice(0, MOST_LINES), ...more];
}

const fieldsInWords = (fields: Record<string, { from: unknown; to: unknown }>): string =>
  Object.entries(fields)
    .map(([name, { from, to }]) => `${name} ${JSON.stringify(from)} → ${JSON.stringify(to)}`)
    .join(', ');
