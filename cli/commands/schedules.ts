import { z } from 'zod';
import { createApiClient } from '../api-client';
import type { Command } from '../context';
import { CommandFailure } from '../failure';
import { readOptions, required } from '../options';
import { table } from '../table';

const LIST_USAGE = 'derms schedules [--json]';
const ACT_USAGE = 'derms schedule pause|resume SCHEDULE --reason R | trigger SCHEDULE [--json]';

const scheduleSchema = z.looseObject({
  scheduleId: z.string(),
  cron: z.string(),
  paused: z.looseObject({ note: z.string() }).nullable(),
  last: z.array(z.looseObject({ nominalAt: z.string(), outcome: z.string() })),
  next: z.array(z.string()),
});
type Schedule = z.output<typeof scheduleSchema>;
const triggeredSchema = z.looseObject({ runId: z.string() });

/** Every schedule of this deployment: when it runs, what became of its last ticks, and who has paused it. */
export const schedules: Command = async (argv, { print, environment }) => {
  const { values } = readOptions(LIST_USAGE, argv, { json: { type: 'boolean', default: false } });
  const { items } = await createApiClient(environment).call(z.object({ items: z.array(scheduleSchema) }), {
    method: 'GET',
    path: '/api/schedules',
  });
  print(values.json ? JSON.stringify(items) : inTable(items));
  return 0;
};

/** Pauses one, lets it go on, or runs it now. */
export const schedule: Command = async (argv, { print, environment }) => {
  const options = { reason: { type: 'string' }, json: { type: 'boolean', default: false } } as const;
  const { values, positionals } = readOptions(ACT_USAGE, argv, options, 2);
  const [act = '', scheduleId = ''] = positionals;
  const api = createApiClient(environment);
  const path = `/api/schedules/${encodeURIComponent(scheduleId)}/${act}`;
  if (act === 'trigger') {
    const { runId } = await api.call(triggeredSchema, { method: 'POST', path });
    print(values.json ? JSON.stringify({ runId }) : `${scheduleId} runs now: run ${runId}`);
    return 0;
  }
  if (act !== 'pause' && act !== 'resume') throw new CommandFailure(`Usage: ${ACT_USAGE}`);
  const body = { reason: required(values.reason, 'reason', ACT_USAGE) };
  const done = await api.call(scheduleSchema, { method: 'POST', path, body });
  print(values.json ? JSON.stringify(done) : sentence(done));
  return 0;
};

const sentence = ({ scheduleId, paused, next }: Schedule): string =>
  paused === null
    ? `${scheduleId} runs at its times again, next at ${next[0] ?? 'no time'}.`
    : `${scheduleId} is paused: ${paused.note}`;

const inTable = (all: readonly Schedule[]): string =>
  all.length === 0
    ? 'There are no schedules yet: a worker of the control role makes them.'
    : table([
        ['SCHEDULE', 'UTC', 'NEXT', 'LAST', 'OUTCOMES', 'PAUSED'],
        ...all.map(({ scheduleId, cron, next, last, paused }) => [
          scheduleId,
          cron,
          paused === null ? (next[0] ?? '-') : 'paused',
          last[0]?.nominalAt ?? '-',
          countsOf(last.map(({ outcome }) => outcome)),
          paused?.note ?? '',
        ]),
      ]);

/** `8 ran, 2 missed`, of the last ten. */
function countsOf(outcomes: readonly string[]): string {
  const kinds = [...new Set(outcomes)];
  return kinds.map((kind) => `${String(outcomes.filter((one) => one === kind).length)} ${kind}`).join(', ') || '-';
}
