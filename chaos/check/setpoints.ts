import { setpointTtlSeconds } from '../../domain/setpoint-life';
import type { HeardSetpoint, SetpointRecords, StoredPlan } from '../records';
import { finding, type Finding } from './finding';

/** A message has its way from the publisher to the onlooker, on a machine that does much else, ms. */
const ON_ITS_WAY_MS = 10_000;
/** The broker counts what is left from when it gets a message: as much later as a road may have stalled, ms. */
const KEPT_LONGER_MS = 30_000;

/** What an onlooker at the brokers heard, held against the plans that Postgres has. */
export function checkSetpoints(records: SetpointRecords): Finding[] {
  const plans = new Map(records.plans.map((plan) => [plan.planId, plan]));
  const live = records.heard.filter(({ retained }) => !retained);
  const heard = { looked: live.length, at: 'heard' };
  return [
    finding('a device gets one setpoint per cycle', twoOfOnePlan(records.heard), heard),
    finding('every setpoint is of a stored plan', ofNoPlan(live, plans), heard),
    finding('cycle numbers rise', outOfOrder(live, plans), heard),
    finding('every setpoint expires by itself', livesTooLong(live, plans), heard),
    finding('the retained setpoint is the newest plan’s', retainedOld(records, plans), {
      looked: records.standing.length,
      at: 'in force',
    }),
  ];
}

/** The same content again counts as the same: QoS 1 and a new broker session repeat it. */
function twoOfOnePlan(heard: readonly HeardSetpoint[]): string[] {
  const contents = new Map<string, Set<string>>();
  for (const { planId, deviceId, messageId, targetPowerKw, validUntilMs } of heard) {
    const key = `${deviceId} by plan ${String(planId)}`;
    const content = `${messageId} ${String(targetPowerKw)} ${String(validUntilMs)}`;
    contents.set(key, (contents.get(key) ?? new Set()).add(content));
  }
  return [...contents].filter(([, different]) => different.size > 1).map(([key]) => key);
}

const ofNoPlan = (live: readonly HeardSetpoint[], plans: ReadonlyMap<string, StoredPlan>): string[] =>
  live.filter(({ planId }) => !plans.has(planId ?? '')).map(({ deviceId, planId }) => `${deviceId} ${String(planId)}`);

/** At each broker by itself, since one may be behind the other. A chain that began anew counts its cycles from 1. */
function outOfOrder(live: readonly HeardSetpoint[], plans: ReadonlyMap<string, StoredPlan>): string[] {
  const newest = new Map<string, StoredPlan>();
  const against: string[] = [];
  for (const { broker, deviceId, planId } of live) {
    const plan = plans.get(planId ?? '');
    if (plan === undefined) continue;
    const key = `${deviceId} at ${broker}`;
    const before = newest.get(key);
    if (before !== undefined && isOlder(plan, before))
      against.push(`${key}: cycle ${String(plan.cycle)} after ${String(before.cycle)}`);
    else newest.set(key, plan);
  }
  return against;
}

const isOlder = (plan: StoredPlan, before: StoredPlan): boolean =>
  plan.plannedAtMs < before.plannedAtMs || (plan.chainId === before.chainId && plan.cycle < before.cycle);

/** Its own end is within its life, the broker forgets it by then, and it did not come when it was over. */
function livesTooLong(live: readonly HeardSetpoint[], plans: ReadonlyMap<string, StoredPlan>): string[] {
  return live.flatMap((setpoint) => {
    const { deviceId, heardAtMs, validUntilMs, timestampMs, expirySeconds, planId } = setpoint;
    const interval = plans.get(planId ?? '')?.intervalSeconds;
    const longestMs = interval === undefined ? Infinity : setpointTtlSeconds(interval) * 1_000 + ON_ITS_WAY_MS;
    if (validUntilMs - timestampMs > longestMs) return [`${deviceId}: valid for too long`];
    if (expirySeconds === null) return [`${deviceId}: kept for ever by the broker`];
    if (heardAtMs + expirySeconds * 1_000 > validUntilMs + KEPT_LONGER_MS) return [`${deviceId}: kept beyond its end`];
    return heardAtMs > validUntilMs + ON_ITS_WAY_MS ? [`${deviceId}: came when it was over`] : [];
  });
}

/** Of all that was heard anywhere, and of what Postgres holds for acknowledged. */
function retainedOld({ heard, retained, standing }: SetpointRecords, plans: ReadonlyMap<string, StoredPlan>): string[] {
  const brokers = new Set(retained.map(({ broker }) => broker));
  const held = new Map(retained.map((each) => [`${each.broker} ${each.deviceId}`, each]));
  const newest = new Map<string, number>();
  for (const { deviceId, timestampMs } of heard) newest.set(deviceId, Math.max(newest.get(deviceId) ?? 0, timestampMs));
  const old = standing.flatMap(({ deviceId, planId }) =>
    [...brokers].flatMap((broker) => {
      const found = held.get(`${broker} ${deviceId}`);
      if (found === undefined) return [`${deviceId} at ${broker}: nothing`];
      const cycle = String(plans.get(found.planId ?? '')?.cycle);
      if (found.planId !== planId) return [`${deviceId} at ${broker}: cycle ${cycle}, not the acknowledged one`];
      return found.timestampMs < (newest.get(deviceId) ?? 0)
        ? [`${deviceId} at ${broker}: cycle ${cycle}, and a newer one was heard`]
        : [];
    }),
  );
  const over = retained.filter(({ heardAtMs, validUntilMs }) => heardAtMs > validUntilMs + KEPT_LONGER_MS);
  return [...old, ...over.map(({ deviceId, broker }) => `${deviceId} at ${broker}: over and kept`)];
}
