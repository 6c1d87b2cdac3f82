import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { createApiClient } from '../api-client';
import type { Command } from '../context';
import { CommandFailure } from '../failure';
import { numberOf, readOptions, required } from '../options';
import { durationMs, moment } from '../times';

const USAGE =
  'derms dispatch --feeder F (--import-limit-kw X | --export-limit-kw X | --target-kw X) [--from now|17:00|TIME] ' +
  '(--for 30m | --until 19:00|TIME) --reason "…" [--primacy 100] [--key K] [--dry-run] [--json]';

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;

const answerSchema = z.looseObject({
  dispatchId: z.string(),
  state: z.string(),
  startsAt: z.string(),
  endsAt: z.string(),
  temporalUrl: z.string().nullable(),
  warnings: z.array(z.string()),
});

/** Asks for a dispatch. `--key` makes repeating it harmless; without, each call is a new request. */
export const dispatch: Command = async (argv, { print, environment, now }) => {
  const { values } = readOptions(USAGE, argv, {
    ...{ feeder: text, 'import-limit-kw': text, 'export-limit-kw': text, 'target-kw': text },
    ...{ from: text, for: text, until: text, reason: text, primacy: text, key: text },
    ...{ 'dry-run': flag, json: flag },
  });
  const startsAt = values.from === undefined || values.from === 'now' ? null : moment(values.from, now());
  const body = {
    feederId: required(values.feeder, 'feeder', USAGE),
    ...(startsAt === null ? {} : { startsAt: startsAt.toISOString() }),
    endsAt: endOf(values, startsAt ?? now()).toISOString(),
    importLimitKw: numberOf(values['import-limit-kw'], 'import-limit-kw'),
    exportLimitKw: numberOf(values['export-limit-kw'], 'export-limit-kw'),
    targetKw: numberOf(values['target-kw'], 'target-kw'),
    primacy: numberOf(values.primacy, 'primacy'),
    reason: required(values.reason, 'reason', USAGE),
  };
  const answer = await createApiClient(environment).call(answerSchema, {
    method: 'POST',
    path: `/api/dispatches${values['dry-run'] ? '?validateOnly=true' : ''}`,
    headers: { 'idempotency-key': values.key ?? randomUUID() },
    body,
  });
  if (values.json) print(JSON.stringify(answer));
  else {
    print(
      `${values['dry-run'] ? 'Would be accepted' : `Accepted: ${answer.dispatchId}`}, ${answer.startsAt} to ${answer.endsAt}`,
    );
    for (const warning of answer.warnings) print(`  ! ${warning}`);
    if (answer.temporalUrl !== null && !values['dry-run']) print(`  ${answer.temporalUrl}`);
  }
  return 0;
};

function endOf({ for: lasts, until }: { for?: string | undefined; until?: string | undefined }, startsAt: Date): Date {
  if ((lasts === undefined) === (until === undefined)) {
    throw new CommandFailure(`Exactly one of --for and --until is needed.\nUsage: ${USAGE}`);
  }
  return lasts === undefined ? moment(until ?? '', startsAt) : new Date(startsAt.getTime() + durationMs(lasts));
}
