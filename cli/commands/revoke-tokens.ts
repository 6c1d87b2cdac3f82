import { z } from 'zod';
import { createApiClient } from '../api-client';
import type { Command } from '../context';
import { readOptions, required } from '../options';

const USAGE = 'derms revoke-tokens --reason R [--user U] [--before TIME] [--keep-machines] [--json]';

const answerSchema = z.looseObject({
  revocation: z.looseObject({ user: z.string().nullable(), issuedBefore: z.string() }),
  machineTokens: z.number(),
});

/** Ends all tokens issued before a moment, this program's included: people log in again. */
export const revokeTokens: Command = async (argv, { print, environment }) => {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = { reason: text, user: text, before: text, 'keep-machines': flag, json: flag } as const;
  const { values } = readOptions(USAGE, argv, options);
  const body = {
    reason: required(values.reason, 'reason', USAGE),
    ...(values.user === undefined ? {} : { user: values.user }),
    ...(values.before === undefined ? {} : { issuedBefore: values.before }),
    ...(values['keep-machines'] ? { machineTokens: false } : {}),
  };
  const answer = await createApiClient(environment).call(answerSchema, {
    method: 'POST',
    path: '/api/auth/revocations',
    body,
  });
  const { user, issuedBefore } = answer.revocation;
  const machines = answer.machineTokens === 0 ? '' : `, and ${String(answer.machineTokens)} of machines`;
  const whose = user === null ? 'All tokens' : `The tokens of ${user}`;
  print(
    values.json
      ? JSON.stringify(answer)
      : `${whose} issued before ${issuedBefore}${machines} are refused everywhere within 5 s.`,
  );
  return 0;
};
