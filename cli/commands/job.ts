import { randomUUID } from 'node:crypto';
import { createApiClient, type ApiClient, type ApiRequest } from '../api-client';
import type { Command, CliContext } from '../context';
import { CommandFailure } from '../failure';
import { followRun } from '../follow-run';
import { numberOf, readOptions } from '../options';
import { exitCodeOf, outcomeText, runSchema, type Run } from '../run-answers';

const USAGE = `derms job NAME [--input '{…}'] [--again RUN] [--follow | --wait SECONDS] [--key K] [--json]`;

/** The API waits no longer on anybody's behalf, s. */
const MOST_WAIT_SECONDS = 60;

/**
 * Starts a run. Ends at once, or with `--wait` and `--follow` when the run does: its exit code then says how that ended.
 * `--key` makes repeating it harmless; without, each call is a run of its own.
 */
export const job: Command = async (argv, context) => {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = { input: text, again: text, wait: text, key: text, follow: flag, json: flag } as const;
  const { values, positionals } = readOptions(USAGE, argv, options, 1);
  const waitSeconds = waitOf(values.wait);
  if (values.follow && waitSeconds !== null)
    throw new CommandFailure(`--follow waits as long as the run takes; --wait is not needed.\nUsage: ${USAGE}`);
  const api = createApiClient(context.environment);
  const name = positionals[0] ?? '';
  const asked = values.again === undefined ? startOf(name, values.input) : await againOf(api, name, values);
  const started = await api.call(runSchema, {
    ...asked,
    headers: {
      'idempotency-key': values.key ?? randomUUID(),
      ...(waitSeconds === null ? {} : { prefer: `wait=${String(waitSeconds)}` }),
    },
    waitsMs: (waitSeconds ?? 0) * 1_000,
  });
  if (values.follow) return follow(api, started.runId, context, values.json);
  report(started, context, values.json);
  return waitSeconds === null ? 0 : exitCodeOf(started.state);
};

/** Until it is over; with `--json` without its lines, and then all that the API says of it. */
export async function follow(
  api: ApiClient,
  runId: string,
  context: Pick<CliContext, 'print' | 'now'>,
  json: boolean,
): Promise<number> {
  if (!json) context.print(`Run ${runId}; Ctrl-C ends the following, not the run.`);
  await followRun(api, runId, { print: json ? () => undefined : context.print });
  const ended = await api.call(runSchema, { method: 'GET', path: `/api/runs/${encodeURIComponent(runId)}` });
  report(ended, context, json);
  return exitCodeOf(ended.state);
}

function report(run: Run, { print, now }: Pick<CliContext, 'print' | 'now'>, json: boolean): void {
  if (json) {
    print(JSON.stringify(run));
    return;
  }
  print(`Run ${run.runId} of ${run.jobName}: ${outcomeText(run, now())}`);
  if (run.waitingFor?.what === 'worker')
    print(`  It waits for a worker of queue ${run.waitingFor.queue} since ${run.waitingFor.since}; none is there.`);
  if (run.state === 'succeeded' && run.result !== null) print(JSON.stringify(run.result, null, 2));
  if (run.temporalUrl !== null && run.finishedAt === null) print(`  ${run.temporalUrl}`);
}

const startOf = (name: string, input: string | undefined): ApiRequest => ({
  method: 'POST',
  path: `/api/jobs/${encodeURIComponent(name)}/runs`,
  body: inputOf(input),
});

/** The name is asked for all the same, so that nobody starts what they did not mean. */
async function againOf(
  api: ApiClient,
  name: string,
  { again = '', input }: { readonly again?: string | undefined; readonly input?: string | undefined },
): Promise<ApiRequest> {
  if (input !== undefined) throw new CommandFailure(`--again takes the input of that run.\nUsage: ${USAGE}`);
  const path = `/api/runs/${encodeURIComponent(again)}`;
  const { jobName } = await api.call(runSchema, { method: 'GET', path });
  if (jobName !== name) throw new CommandFailure(`Run ${again} is one of ${jobName}, not of ${name}.`);
  return { method: 'POST', path: `${path}/run-again` };
}

function inputOf(text: string | undefined): unknown {
  if (text === undefined) return {};
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CommandFailure(`--input is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, 2, {
      cause,
    });
  }
}

function waitOf(text: string | undefined): number | null {
  const seconds = numberOf(text, 'wait');
  if (seconds === undefined) return null;
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > MOST_WAIT_SECONDS)
    throw new CommandFailure(`--wait takes 1 to ${String(MOST_WAIT_SECONDS)} s; --follow waits to the end.`);
  return seconds;
}
