import { z } from 'zod';
import { createApiClient } from '../api-client';
import type { Command, CliContext } from '../context';
import { CommandFailure } from '../failure';
import { readOptions, required } from '../options';

const USAGE = 'derms quarantine [lift --reason "…" [--force]] [--json]';

const record = z.looseObject({
  since: z.string(),
  imposedBy: z.string(),
  reason: z.string(),
  dataAsOf: z.string().nullable(),
  lifted: z.looseObject({ at: z.string(), by: z.string(), reason: z.string(), forced: z.boolean() }).nullable(),
});
const shown = z.looseObject({
  inForce: record.nullable(),
  lastReconciliation: z.looseObject({ at: z.string(), applied: z.boolean(), open: z.number() }).nullable(),
  past: z.array(record),
});

/** Whether the database is quarantined after a restore, and the way out. Exit code 1 while it is. */
export const quarantine: Command = async (argv, context) => {
  const [word, ...rest] = argv;
  if (word === 'lift') return lift(rest, context);
  const { values } = readOptions(USAGE, argv, { json: { type: 'boolean', default: false } });
  const path = '/api/quarantine';
  const answer = await createApiClient(context.environment).call(shown, { method: 'GET', path });
  context.print(values.json ? JSON.stringify(answer) : screen(answer));
  return answer.inForce === null ? 0 : 1;
};

async function lift(argv: readonly string[], { print, environment }: CliContext): Promise<number> {
  const flag = { type: 'boolean', default: false } as const;
  const { values } = readOptions(USAGE, argv, { reason: { type: 'string' }, force: flag, json: flag });
  const reason = required(values.reason, 'reason', USAGE);
  const answer = await createApiClient(environment).call(record, {
    method: 'POST',
    path: '/api/quarantine/lift',
    body: { reason, force: values.force },
  });
  if (answer.lifted === null) throw new CommandFailure('The API says that it was not lifted.');
  print(values.json ? JSON.stringify(answer) : `Lifted at ${answer.lifted.at}: loops and dispatches go on.`);
  return 0;
}

function screen({ inForce, lastReconciliation, past }: z.output<typeof shown>): string {
  if (inForce !== null) {
    return [
      `QUARANTINED since ${inForce.since} by ${inForce.imposedBy}: ${inForce.reason}`,
      ...(inForce.dataAsOf === null ? [] : [`The data is as of ${inForce.dataAsOf}.`]),
      'Nothing is planned, published or written.',
      '',
      lastReconciliation === null || lastReconciliation.at < inForce.since
        ? 'Next: compare with Temporal and the broker (docs/runbooks/restore.md), then lift it'
        : lastReconciliation.open > 0
          ? `Compared at ${lastReconciliation.at}, ${String(lastReconciliation.open)} findings open.`
          : `Compared at ${lastReconciliation.at}, nothing open. Next: npm run derms -- quarantine lift --reason "…"`,
    ].join('\n');
  }
  const last = past[0]?.lifted;
  return last === undefined || last === null
    ? 'Not quarantined, and never was.'
    : `Not quarantined. The last one was lifted at ${last.at} by ${last.by}: ${last.reason}`;
}
