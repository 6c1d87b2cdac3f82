import { createApiClient } from '../api-client';
import type { Command } from '../context';
import { readOptions, required } from '../options';
import { runSchema } from '../run-answers';

const USAGE = 'derms cancel-run RUN --reason "…" [--json]';

/** Asks a run to stop; `run RUN --follow` shows how it does. */
export const cancelRun: Command = async (argv, { print, environment }) => {
  const options = { reason: { type: 'string' }, json: { type: 'boolean', default: false } } as const;
  const { values, positionals } = readOptions(USAGE, argv, options, 1);
  const reason = required(values.reason, 'reason', USAGE);
  const cancelled = await createApiClient(environment).call(runSchema, {
    method: 'POST',
    path: `/api/runs/${encodeURIComponent(positionals[0] ?? '')}/cancel`,
    body: { reason },
  });
  if (values.json) print(JSON.stringify(cancelled));
  else if (cancelled.finishedAt !== null) print(`Cancelled before it began.`);
  else print(`Asked to stop; npm run derms -- run ${cancelled.runId} --follow shows how it does.`);
  return 0;
};
