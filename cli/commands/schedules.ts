import { z } from 'zod';
import { createApiClient } from '../api-client';
import type { Command } from '../context';
import { CommandFailure } from '../failure';
import { readOptions, required } from '../options';
import { table } from '../table';
import { ageText } from '../times';

const LIST_USAGE = 'derms schedules [--json]';
const ACT_USAGE = 'derms schedule show|trigger SCHEDULE | pause|resume SCHEDULE --reason R [--json]';

const tickSchema = z.looseObject({
  nominalAt: z.string(),
  outcome: z.string(),
  runId: z.string().nullable(),
  runState: z.string().nullable(),
  lateSeconds: z.number().nullable(),
  detail: z.string().nullable(),
});
const scheduleSchema = z.looseObject({
  scheduleId: z.string(),
  cron: z.string(),
  overlap: z.string(),
  catchUpSeconds: z.number(),
  paused: z.looseObject({ since: z.string(), note: z.string() }).nullable(),
  last: z.array(tickSchema),
  next: z.array(z.string()),
});
type Tick = z.output<typeof tickSchema>;
type Schedule = z.output<typeof scheduleSchema>;
/** The supervisor of the loops leaves no run. */
const triggeredSchema = z.looseObject({ runId: z.string().nullable(), workflowId: z.string() });

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

/** Shows one, pauses it, lets it go on, or runs it now. */
export const schedule: Command = async (argv, { print, environment, now }) => {
  const options = { reason: { type: 'string' }, json: { type: 'boolean', default: false } } as const;
  const { values, positionals } = readOptions(ACT_USAGE, argv, options, 2);
  const [act = '', scheduleId = ''] = positionals;
  const api = createApiClient(environment);
  const path = `/api/schedules/${encodeURIComponent(scheduleId)}/${act}`;
  if (act === 'show') {
    const shown = await api.call(scheduleSchema, {
      method: 'GET',
      path: `/api/schedules/${encodeURIComponent(scheduleId)}`,
    });
    print(values.json ? JSON.stringify(shown) : inWords(shown, now()));
    return 0;
  }
  if (act === 'trigger') {
    const { runId, workflowId } = await api.call(triggeredSchema, { method: 'POST', path });
    const where = runId === null ? `workflow ${workflowId}` : `run ${runId}`;
    print(values.json ? JSON.stringify({ runId, workflowId }) : `${scheduleId} runs now: ${where}`);
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
        ['SCHEDULE', 'CRON, UTC', 'NEXT, UTC', 'LAST, UTC', 'WHAT BECAME OF IT', 'OF THE LAST TEN'],
        ...all.map(({ scheduleId, cron, next, last, paused }) => [
          scheduleId,
          cron,
          paused === null ? timeOf(next[0]) : `paused: ${paused.note}`,
          timeOf(last[0]?.nominalAt),
          last[0] === undefined ? '-' : endOf(last[0]),
          countsOf(last.map(({ outcome }) => outcome)),
        ]),
      ]);

/** `8 ran, 2 missed`. */
function countsOf(outcomes: readonly string[]): string {
  const kinds = [...new Set(outcomes)];
  return kinds.map((kind) => `${String(outcomes.filter((one) => one === kind).length)} ${kind}`).join(', ') || '-';
}

/** `2026-05-01 02:15:00`, UTC as everything that has to do with schedules. */
const timeOf = (at: string | undefined): string => at?.slice(0, 19).replace('T', ' ') ?? '-';

/** `ran, failed`: that it was started is half of the story. */
const endOf = ({ outcome, runState }: Tick): string =>
  outcome === 'ran' && runState !== null ? `ran, ${runState}` : outcome;

function inWords({ scheduleId, cron, overlap, catchUpSeconds, paused, last, next }: Schedule, now: Date): string {
  const busy = overlap === 'skip' ? 'skipped' : 'put off to its end, one at most';
  return [
    `${scheduleId}: ${cron}, UTC. A tick is caught up with within ${ageText(catchUpSeconds)}; while the run before it goes on it is ${busy}.`,
    ...(paused === null
      ? []
      : [`Paused since ${timeOf(paused.since)}: ${paused.note}. Nothing below under "next" runs.`]),
    '',
    'last',
    last.length === 0 ? '  none yet' : table(last.map(lineOf)),
    '',
    'next',
    ...next.map((at) => `  ${timeOf(at)}  in ${ageText((Date.parse(at) - now.getTime()) / 1000)}`),
  ].join('\n');
}

const lineOf = (tick: Tick): string[] => [
  `  ${timeOf(tick.nominalAt)}`,
  endOf(tick),
  tick.lateSeconds === null || tick.lateSeconds < 1 ? '' : `${ageText(tick.lateSeconds)} late`,
  tick.runId === null ? '' : `run ${tick.runId}`,
  tick.detail ?? '',
];
