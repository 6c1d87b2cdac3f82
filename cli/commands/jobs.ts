import { z } from 'zod';
import { createApiClient } from '../api-client';
import type { Command } from '../context';
import { readOptions } from '../options';
import { table } from '../table';
import { ageText } from '../times';

const USAGE = 'derms jobs [--json]';

const jobSchema = z.looseObject({
  name: z.string(),
  purpose: z.string(),
  schedule: z.looseObject({ cron: z.string(), next: z.array(z.string()) }).nullable(),
  freshness: z.looseObject({ state: z.string(), ageSeconds: z.number().nullable() }).nullable(),
});

/** Every job: when it runs by itself, and whether it keeps its promise. */
export const jobs: Command = async (argv, { print, environment }) => {
  const { values } = readOptions(USAGE, argv, { json: { type: 'boolean', default: false } });
  const { items } = await createApiClient(environment).call(z.looseObject({ items: z.array(jobSchema) }), {
    method: 'GET',
    path: '/api/jobs',
  });
  print(values.json ? JSON.stringify(items) : inTable(items));
  return 0;
};

const inTable = (all: readonly z.output<typeof jobSchema>[]): string =>
  table([
    ['JOB', 'RUNS', 'NEXT', 'FRESH', 'PURPOSE'],
    ...all.map(({ name, schedule, freshness, purpose }) => [
      name,
      schedule === null ? 'when asked' : schedule.cron,
      schedule?.next[0] ?? '-',
      freshness === null ? '-' : `${freshness.state} ${ageText(freshness.ageSeconds)}`,
      purpose,
    ]),
  ]);
