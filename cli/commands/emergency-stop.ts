import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { z } from 'zod';
import { stopFleet, ZERO_VALID_SECONDS, type FleetStopReport } from '../../broker/fleet-stop';
import { brokersOf } from '../../broker/pair';
import { BROKER_SETTINGS, brokerAccess } from '../../config/connections';
import { loadSomeSettings } from '../../config/load';
import { Secrets } from '../../config/secrets';
import { SAFE_STATES } from '../../domain/emergency-stop';
import { createLogger } from '../../observability/logger';
import { createApiClient } from '../api-client';
import type { CliContext, Command } from '../context';
import { CommandFailure } from '../failure';
import { numberOf, readOptions, required } from '../options';

const USAGE = `derms emergency-stop --safe-state default|zero --reason "…" [--by NAME] [--listen SECONDS]
       derms emergency-stop lift --reason "…"
       derms emergency-stop show [--json]`;
/** Devices in the field report at least this often. */
const LISTEN_SECONDS = 30;
const MOST_NAMED = 10;

/**
 * Every device to its safe state, straight through the broker: needs neither the API nor Postgres nor Temporal. Lifting
 * goes through the API. Exit code 1 when the broker did not acknowledge the setpoint of some device.
 */
export const emergencyStop: Command = async (argv, context) => {
  const [word, ...rest] = argv;
  if (word === 'lift') return lift(rest, context);
  if (word === 'show') return show(rest, context);
  const { values } = readOptions(USAGE, argv, {
    'safe-state': { type: 'string' },
    reason: { type: 'string' },
    by: { type: 'string', default: userInfo().username },
    listen: { type: 'string', default: String(LISTEN_SECONDS) },
  });
  const wanted = required(values['safe-state'], 'safe-state', USAGE);
  const safeState = SAFE_STATES.find((state) => state === wanted);
  if (safeState === undefined) throw new CommandFailure(`--safe-state is default or zero.\nUsage: ${USAGE}`);
  const reason = required(values.reason, 'reason', USAGE);
  const listenSeconds = numberOf(values.listen, 'listen') ?? LISTEN_SECONDS;
  const settings = loadSomeSettings([...BROKER_SETTINGS, 'MQTT_TOPIC_PREFIX'], context.environment);
  const broker = brokerAccess(settings, new Secrets(context.environment));
  const stop = { stopId: randomUUID(), safeState, reason, engagedBy: values.by, engagedAtMs: context.now().getTime() };
  const fleet = stopFleet(
    {
      ...broker,
      ...{ prefix: settings.MQTT_TOPIC_PREFIX, clientId: `derms-emergency-${stop.stopId}` },
    },
    { stop, zeroValidSeconds: ZERO_VALID_SECONDS, listenSeconds },
    createLogger({ service: 'derms', role: 'emergency-stop', level: 'silent', pretty: false }),
  );
  const first = await fleet.first.catch((cause: unknown) => {
    throw new CommandFailure(
      `Nothing was stopped: ${cause instanceof Error ? cause.message : String(cause)} (broker ${brokersOf({
        ...broker,
        clientId: '',
      })
        .map(({ host, port }) => `${host}:${String(port)}`)
        .join(', ')})`,
      2,
      { cause },
    );
  });
  context.print(`EMERGENCY STOP (${safeState}), id ${stop.stopId}: the broker holds it, no worker publishes anything else.${missed(first)}
${devices(first.told)} told. Listening ${String(listenSeconds)} s for others …`);
  const all = await fleet.done;
  context.print(`${devices(all.told)} told in all.${untold(all)}
Lift it when it is safe: npm run derms -- emergency-stop lift --reason "…"`);
  return all.untold.length === 0 ? 0 : 1;
};

const devices = (count: number): string => `${String(count)} ${count === 1 ? 'device' : 'devices'}`;
const untold = ({ untold: ids }: FleetStopReport): string =>
  ids.length === 0
    ? ''
    : `\nNOT TOLD, the broker did not acknowledge: ${ids.slice(0, MOST_NAMED).join(', ')}${ids.length > MOST_NAMED ? ` and ${String(ids.length - MOST_NAMED)} more` : ''}`;

const missed = ({ missed: names }: FleetStopReport): string =>
  names.length === 0
    ? ''
    : `\n${names.join(', ')} did not answer and does NOT hold it: run this again when it is back, unless the database has the stop by then.`;

const record = z.looseObject({
  safeState: z.string(),
  reason: z.string(),
  engagedAt: z.string(),
  engagedBy: z.string(),
  lifted: z.looseObject({ at: z.string(), by: z.string(), reason: z.string() }).nullable(),
});

async function lift(argv: readonly string[], { print, environment }: CliContext): Promise<number> {
  const { values } = readOptions(USAGE, argv, { reason: { type: 'string' } });
  const reason = required(values.reason, 'reason', USAGE);
  const { lifted } = await createApiClient(environment).call(record, {
    method: 'DELETE',
    path: `/api/emergency-stop?reason=${encodeURIComponent(reason)}`,
  });
  print(`Lifted at ${lifted?.at ?? 'an unknown time'}: the control loops control again.`);
  return 0;
}

async function show(argv: readonly string[], { print, environment }: CliContext): Promise<number> {
  const { values } = readOptions(USAGE, argv, { json: { type: 'boolean', default: false } });
  const answer = await createApiClient(environment).call(
    z.looseObject({ inForce: record.nullable(), past: z.array(record) }),
    { method: 'GET', path: '/api/emergency-stop' },
  );
  const { inForce, past } = answer;
  const last = past[0]?.lifted;
  if (values.json) print(JSON.stringify(answer));
  else if (inForce !== null)
    print(
      `EMERGENCY STOP (${inForce.safeState}) since ${inForce.engagedAt} by ${inForce.engagedBy}: ${inForce.reason}`,
    );
  else if (last !== undefined && last !== null)
    print(`No emergency stop. The last one was lifted at ${last.at} by ${last.by}: ${last.reason}`);
  else print('No emergency stop, and there never was one.');
  return inForce === null ? 0 : 1;
}
