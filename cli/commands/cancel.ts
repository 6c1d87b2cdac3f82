import { z } from 'zod';
import { createApiClient } from '../api-client';
import type { Command } from '../context';
import { readOptions, required } from '../options';

const USAGE = 'derms cancel DISPATCH --reason "…" [--json]';

const answerSchema = z.looseObject({
  dispatchId: z.string(),
  state: z.string(),
  effectiveAt: z.string().nullable(),
  unconfirmed: z.string().nullable(),
});

export const cancel: Command = async (argv, { print, environment }) => {
  const options = { reason: { type: 'string' }, json: { type: 'boolean', default: false } } as const;
  const { values, positionals } = readOptions(USAGE, argv, options, 1);
  const reason = required(values.reason, 'reason', USAGE);
  const answer = await createApiClient(environment).call(answerSchema, {
    method: 'POST',
    path: `/api/dispatches/${encodeURIComponent(positionals[0] ?? '')}/cancel`,
    body: { reason },
  });
  if (values.json) print(JSON.stringify(answer));
  else if (answer.effectiveAt !== null) print(`Cancelled, in effect since ${answer.effectiveAt}`);
  else print(`Cancelled; not confirmed to be in effect yet: ${answer.unconfirmed ?? 'no reason given'}`);
  return 0;
};
