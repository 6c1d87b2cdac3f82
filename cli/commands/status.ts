import { z } from 'zod';
import { callOpen, createApiClient } from '../api-client';
import type { Command } from '../context';
import { CommandFailure } from '../failure';
import { readOptions } from '../options';
import { lookDirectly, type DirectLook } from '../probes';
import { table } from '../table';
import { ageText } from '../times';

const USAGE = 'derms status [--json]';
/** Health answers within a second whatever hangs; the whole command within three. */
const HEALTH_MS = 1_000;
const DISPATCHES_MS = 1_500;
const EXIT = { ok: 0, degraded: 1, down: 2 } as const;
/** The whole picture fits on one screen. */
const MOST_LINES = 10;

const dependency = z.object({ up: z.boolean(), reason: z.string().nullable() });
const healthSchema = z.object({
  status: z.enum(['ok', 'degraded']),
  problems: z.array(z.string()),
  dependencies: z.object({ database: dependency, broker: dependency, temporal: dependency }),
  feeders: z.array(
    z.object({
      feederId: z.string(),
      mode: z.string(),
      intervalSeconds: z.number(),
      loop: z.string(),
      lastCycleAgeSeconds: z.number().nullable(),
      offlineDeviceCount: z.number(),
      notFollowingDeviceCount: z.number(),
    }),
  ),
});
type Health = z.output<typeof healthSchema>;

const dispatchSchema = z.object({
  dispatchId: z.string(),
  feederId: z.string(),
  state: z.string(),
  endsAt: z.string(),
});
type Dispatch = z.output<typeof dispatchSchema>;
const dispatchesSchema = z.object({ items: z.array(dispatchSchema) });

/** One screen: each dependency, the age of each loop, dispatches. Exit code 0 all well, 1 degraded, 2 the API is down. */
export const status: Command = async (argv, { print, environment }) => {
  const { values } = readOptions(USAGE, argv, { json: { type: 'boolean', default: false } });
  try {
    const path = '/api/health';
    const health = await callOpen(environment, healthSchema, { method: 'GET', path }, HEALTH_MS);
    const dispatches = await openDispatches(environment);
    print(values.json ? JSON.stringify({ api: 'up', ...health, dispatches }) : screen(health, dispatches));
    return health.status === 'ok' ? EXIT.ok : EXIT.degraded;
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    const look = await lookDirectly(environment);
    print(
      values.json ? JSON.stringify({ api: 'down', reason: error.message, ...look }) : screenWithoutApi(error, look),
    );
    return EXIT.down;
  }
};

/** A sentence when they cannot be had: nobody is logged in, or the database is away. */
async function openDispatches(environment: NodeJS.ProcessEnv): Promise<readonly Dispatch[] | string> {
  try {
    const api = createApiClient(environment, DISPATCHES_MS);
    const page = await api.call(dispatchesSchema, { method: 'GET', path: '/api/dispatches?open=true&limit=50' });
    return page.items;
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    return error.message.split('\n')[0] ?? 'they cannot be read';
  }
}

function screen({ status: word, problems, dependencies, feeders }: Health, dispatches: readonly Dispatch[] | string) {
  const { database, broker, temporal } = dependencies;
  return [
    word === 'ok' ? 'All is well.' : 'Degraded:',
    ...cut(problems.map((problem) => `  - ${problem}`)),
    '',
    table([
      ['DEPENDENCY', 'STATE', ''],
      ['API', 'up', ''],
      ...[
        { name: 'PostgreSQL', ...database },
        { name: 'MQTT broker', ...broker },
        { name: 'Temporal', ...temporal },
      ].map(({ name, up, reason }) => [name, up ? 'up' : 'DOWN', reason ?? '']),
    ]),
    '',
    loopTable(
      feeders.map(({ feederId, loop, lastCycleAgeSeconds, mode, offlineDeviceCount, notFollowingDeviceCount }) => [
        feederId,
        loop,
        ageText(lastCycleAgeSeconds),
        mode,
        `${String(offlineDeviceCount)} offline, ${String(notFollowingDeviceCount)} off target`,
      ]),
    ),
    '',
    dispatchTable(dispatches),
  ].join('\n');
}

function screenWithoutApi({ message }: CommandFailure, { probes, loops, dispatches }: DirectLook): string {
  return [
    message.split('\n')[0] ?? '',
    '',
    table([
      ['DEPENDENCY', 'STATE', ''],
      ['API', 'DOWN', ''],
      ...probes.map(({ name, up, detail }) => [name, up ? 'up' : 'DOWN', detail]),
    ]),
    '',
    loops === null
      ? 'Control loops: the database cannot be asked.'
      : loopTable(
          loops.map(({ feederId, enabled, intervalSeconds, lastCycleAgeSeconds }) => [
            feederId,
            enabled ? 'enabled' : 'disabled',
            ageText(lastCycleAgeSeconds),
            `each ${String(intervalSeconds)} s`,
          ]),
        ),
    '',
    dispatchTable(dispatches ?? 'the database cannot be asked'),
  ].join('\n');
}

const loopTable = (rows: readonly string[][]): string =>
  rows.length === 0
    ? 'Control loops: there are no feeders yet.'
    : cut(table([['FEEDER TREE', 'LOOP', 'LAST CYCLE', 'MODE', 'DEVICES'], ...rows]).split('\n')).join('\n');

function dispatchTable(dispatches: readonly Dispatch[] | string): string {
  if (typeof dispatches === 'string') return `Dispatches: ${dispatches}.`;
  if (dispatches.length === 0) return 'No dispatch is open.';
  const rows = dispatches.map(({ dispatchId, feederId, state, endsAt }) => [dispatchId, feederId, state, endsAt]);
  return cut(table([['DISPATCH', 'FEEDER', 'STATE', 'UNTIL'], ...rows]).split('\n')).join('\n');
}

const cut = (lines: readonly string[]): string[] =>
  lines.length <= MOST_LINES + 1
    ? [...lines]
    : [...lines.slice(0, MOST_LINES), `… and ${String(lines.length - MOST_LINES)} more (--json shows all)`];
