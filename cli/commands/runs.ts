import { z } from 'zod';
import { createApiClient } from '../api-client';
import type { Command } from '../context';
import { readOptions } from '../options';
import { outcomeText, runSummarySchema, type RunSummary } from '../run-answers';
import { table } from '../table';

const USAGE = 'derms runs [--job J] [--state S] [--origin O] [--by USER] [--limit 20] [--json]';
const FILTERS = { job: 'job', state: 'state', origin: 'origin', by: 'requestedBy', limit: 'limit' } as const;

/** The newest runs, first those that wait for a worker. */
export const runs: Command = async (argv, { print, environment, now }) => {
  const text = { type: 'string' } as const;
  const { values } = readOptions(USAGE, argv, {
    ...{ job: text, state: text, origin: text, by: text },
    limit: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  });
  const query = new URLSearchParams(
    Object.entries(FILTERS).flatMap(([option, parameter]) => {
      const value = values[option as keyof typeof FILTERS]; // its own keys
      return value === undefined ? [] : [[parameter, value] as [string, string]];
    }),
  );
  const { items } = await createApiClient(environment).call(z.looseObject({ items: z.array(runSummarySchema) }), {
    method: 'GET',
    path: `/api/runs?${query.toString()}`,
  });
  print(values.json ? JSON.stringify(items) : inTable(items, now()));
  return 0;
};

const inTable = (all: readonly RunSummary[], now: Date): string =>
  all.length === 0
    ? 'There are no such runs.'
    : table([
        ['RUN', 'JOB', 'ASKED', 'BY', 'OUTCOME'],
        ...all.map((run) => [
          run.runId,
          run.jobName,
          run.requestedAt.slice(0, 19),
          run.requestedBy,
          outcomeText(run, now),
        ]),
      ]);
