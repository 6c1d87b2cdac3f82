import type { Device, TreeSnapshot } from './fleet';
import type { DevicePlan } from './plan';
import { isInForce } from './planning/commands';
import { needsRenewal } from './setpoint-life';

// All that a tree is told ends at one moment. Were each setpoint to end by when it was last sent, then with control away a
// battery that helps could be back at its default seconds before the charger that it made room for.

/** Whether one of `devices` needs its setpoint renewed in this cycle: then all that go on are renewed with it. */
export const isRenewalDue = (devices: readonly Device[], snapshot: TreeSnapshot): boolean =>
  devices.some(
    (device) =>
      device.acknowledged !== null &&
      isInForce(device.acknowledged, device, snapshot.nowMs) &&
      needsRenewal(device.acknowledged, renewalTimes(snapshot)),
  );

/**
 * Until when everything that a plan sends is valid, ms since the epoch: a whole life where something is renewed, else as long
 * as what the tree holds already, so never less than a third of a life from now.
 */
export function validUntilMs(sent: readonly Pick<DevicePlan, 'publish'>[], snapshot: TreeSnapshot): number {
  const times = renewalTimes(snapshot);
  const wholeLifeMs = snapshot.nowMs + times.ttlSeconds * 1000;
  if (sent.some(({ publish }) => publish === 'renewal')) return wholeLifeMs;
  const latestMs = snapshot.devices.reduce(
    (latest, { acknowledged, pending }) =>
      Math.max(latest, acknowledged?.validUntilMs ?? latest, pending?.validUntilMs ?? latest),
    -Infinity,
  );
  return needsRenewal({ validUntilMs: latestMs }, times) ? wholeLifeMs : Math.min(latestMs, wholeLifeMs);
}

export const renewalTimes = ({ nowMs, settings }: TreeSnapshot) => ({
  nowMs,
  ttlSeconds: settings.setpointTtlSeconds,
  intervalSeconds: settings.intervalSeconds,
});
