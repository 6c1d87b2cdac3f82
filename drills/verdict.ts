import type { CanaryOutcome } from './canary';
import type { Drill, Finding } from './drill';
import type { GaugeSeen } from './metrics-watch';

export interface Measured {
  readonly canary: CanaryOutcome;
  readonly gauge: GaugeSeen;
  readonly offlineDevices: { readonly before: number; readonly after: number };
  /** What was not back when its time was over. */
  readonly notBack: readonly string[];
  readonly findings: readonly Finding[];
}

/** Each promise that was not kept, a sentence each. */
export function faultsOf(drill: Pick<Drill, 'budget' | 'gauge'>, measured: Measured): readonly string[] {
  const { canary, offlineDevices, notBack, findings } = measured;
  const { gapMs, errors, lost } = drill.budget;
  const failed = canary.writes.failed + (canary.reads?.failed ?? 0);
  return [
    ...over('the longest time without an acknowledged write was', canary.writes.gapMs, gapMs, ' ms'),
    ...(canary.reads === null
      ? []
      : over('the longest time without an answered read was', canary.reads.gapMs, gapMs, ' ms')),
    ...over('attempts of the canary that failed:', failed, errors),
    ...over('acknowledged writes that are gone:', canary.lost, lost),
    ...over('reads that an older copy has answered:', canary.staleReads, 0),
    ...gaugeFaults(drill.gauge, measured.gauge),
    ...over('devices offline afterwards and not before:', offlineDevices.after - offlineDevices.before, 0),
    ...notBack,
    ...findings.filter(({ holds }) => !holds).map(({ what, detail }) => `${what}: ${detail}`),
  ];
}

const over = (what: string, measured: number, most: number | null, unit = ''): readonly string[] =>
  most === null || measured <= most ? [] : [`${what} ${String(measured)}${unit}, promised are ${String(most)}${unit}`];

function gaugeFaults({ name, expected }: Drill['gauge'], { downAt, upAgainAt }: GaugeSeen): readonly string[] {
  if (expected === 'stays-up') return downAt === null ? [] : [`${name} was 0 at ${downAt}`];
  if (downAt === null) return [`${name} was never seen at 0: nobody would have been alerted`];
  return upAgainAt === null ? [`${name} is 0 since ${downAt}`] : [];
}
