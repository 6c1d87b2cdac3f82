import { createApiClient } from '../api-client';
import type { Command } from '../context';
import { readOptions } from '../options';
import { clockText, exitCodeOf, fieldsText, outcomeText, runSchema, type Run } from '../run-answers';
import { follow } from './job';

const USAGE = 'derms run RUN [--follow] [--json]';

/** One run: its steps, lines, proof and result; the exit code says how it ended. */
export const run: Command = async (argv, { print, environment, now }) => {
  const flag = { type: 'boolean', default: false } as const;
  const { values, positionals } = readOptions(USAGE, argv, { follow: flag, json: flag }, 1);
  const runId = positionals[0] ?? '';
  const api = createApiClient(environment);
  if (values.follow) return follow(api, runId, { print, now }, values.json);
  const found = await api.call(runSchema, { method: 'GET', path: `/api/runs/${encodeURIComponent(runId)}` });
  print(values.json ? JSON.stringify(found) : storyOf(found, now()));
  return exitCodeOf(found.state);
};

function storyOf(found: Run, now: Date): string {
  const { waitingFor: waits } = found;
  return [
    `Run ${found.runId} of ${found.jobName}: ${outcomeText(found, now)}`,
    `  asked by ${found.requestedBy} at ${found.requestedAt}, with ${JSON.stringify(found.input)}`,
    ...(waits === null
      ? []
      : [
          waits.what === 'worker'
            ? `  waits for a worker of queue ${waits.queue} since ${waits.since}; none is there`
            : `  waits for its turn in queue ${waits.queue} since ${waits.since}`,
        ]),
    ...(found.skippedFor === null ? [] : [`  the job runs already, as ${found.skippedFor}`]),
    ...found.steps.map(
      ({ name, state, attempts, detail }) =>
        `  step ${name}: ${state}${attempts > 1 ? `, attempt ${String(attempts)}` : ''}${detail === null ? '' : `, ${detail}`}`,
    ),
    ...found.log.map(({ at, level, message, fields }) =>
      `  ${clockText(at)}  ${level === 'info' ? '' : `${level}: `}${message} ${fieldsText(fields)}`.trimEnd(),
    ),
    ...found.evidence.map(({ kind, data }) => `  proof ${kind}: ${JSON.stringify(data)}`),
    ...(found.result === null ? [] : [JSON.stringify(found.result, null, 2)]),
    ...(found.temporalUrl === null ? [] : [`  ${found.temporalUrl}`]),
  ].join('\n');
}
