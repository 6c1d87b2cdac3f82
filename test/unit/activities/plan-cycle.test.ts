import { planCycle, type PlanCycleInput } from '../../../activities/plan-cycle';
import type { Claim, PlanRecord, Proposal } from '../../../domain/control-cycle';
import type { ControlMode, Device, EmergencyStop, TreeSnapshot } from '../../../domain/fleet';
import type { DevicePlan, TreePlan } from '../../../domain/plan';
import { PLAN_SETTINGS } from '../../support/policy';
import { aReading, anEv } from '../domain/builders';

const NOW_MS = Date.parse('2026-07-01T17:00:00Z');

const input = (given: Partial<PlanCycleInput> = {}): PlanCycleInput => ({
  rootFeederId: 'north',
  chainId: 'chain-1',
  chainStartedAtMs: NOW_MS - 60_000,
  cycle: 7,
  tickMs: NOW_MS,
  final: false,
  timeoutMs: 3_000,
  ...given,
});

const tree = (mode: ControlMode = 'automatic', devices: readonly Device[] = []): TreeSnapshot => ({
  nowMs: NOW_MS,
  mode,
  settings: PLAN_SETTINGS,
  feeders: [{ feederId: 'north', parentId: null, importLimitKw: 100, exportLimitKw: 50, baseLoadKw: 0, meter: null }],
  devices,
  dispatches: [],
  envelopes: [],
});

const device = (deviceId: string, targetKw: number, publish: DevicePlan['publish']): DevicePlan => ({
  deviceId,
  feederId: 'north',
  targetKw,
  publish,
  explanation: { level: 0, tier: 0, boundBy: null, note: 'free' },
  offSetpointCycles: 0,
  notFollowingUntilMs: null,
  waitsSinceMs: null,
  waitedUntilMs: null,
});

const plan = (...devices: DevicePlan[]): TreePlan => ({
  devices,
  nodes: [
    {
      feederId: 'north',
      high: { kw: 100, source: { kind: 'static' } },
      low: { kw: -50, source: { kind: 'static' } },
      claims: [],
      measuredKw: 93.14,
      plannedHighKw: 93.1,
      plannedLowKw: 93.1,
      uncontrolledHighKw: 20,
      uncontrolledLowKw: 20,
      meteredUncontrolledKw: { highKw: 20, lowKw: 20 },
      meterStale: false,
      binding: 'import',
      missingKw: 0,
    },
  ],
  staleDevices: [],
  offlineDevices: [],
  notFollowingDevices: [],
  unratedDevices: [],
});

interface Scene {
  readonly claim?: Claim;
  readonly enabled?: boolean;
  readonly mode?: ControlMode;
  readonly proposal?: Proposal | null;
  readonly decided?: TreePlan;
  readonly gone?: boolean;
  readonly quarantine?: string | null;
  readonly devices?: readonly Device[];
  readonly emergencyStop?: EmergencyStop;
}

function scene({ claim, enabled = true, mode = 'automatic', proposal = null, decided = plan(), ...given }: Scene) {
  const { gone = false, quarantine = null, devices = [], emergencyStop } = given;
  const found = { ...tree(mode, devices), ...(emergencyStop === undefined ? {} : { emergencyStop }) };
  const stored: PlanRecord[] = [];
  const planned: TreeSnapshot[] = [];
  const ports = {
    plans: {
      plan: (_key: unknown, _limits: unknown, work: (tx: never) => Promise<never>) =>
        work({
          claim: async () => claim ?? { kind: 'fresh', previousTickMs: null, previousIntervalSeconds: null },
          snapshot: async () => (gone ? null : { root: { enabled }, quarantine, tree: found, proposal }),
          store: async (record: PlanRecord) => {
            stored.push(record);
          },
        } as never),
    },
    planTree: (snapshot: TreeSnapshot) => {
      planned.push(snapshot);
      return decided;
    },
    newPlanId: () => 'plan-7',
  };
  const run = (given: Partial<PlanCycleInput> = {}) => planCycle(ports, input(given), new AbortController().signal);
  return { run, stored, planned };
}

describe('planCycle', () => {
  it.each`
    case                          | final    | enabled  | last
    ${'lives on'}                 | ${false} | ${true}  | ${false}
    ${'ends when it is stopped'}  | ${true}  | ${true}  | ${true}
    ${'ends when it is disabled'} | ${false} | ${false} | ${true}
  `('plans and stores nothing from a quarantined database; the loop $case', async ({ final, enabled, last }) => {
    const { run, stored, planned } = scene({ quarantine: 'restored from backup b-1', enabled });
    expect(await run({ final })).toEqual({
      outcome: 'quarantined',
      planId: null,
      mode: 'automatic',
      intervalSeconds: 10,
      setpoints: 0,
      missedTicks: 0,
      summary: 'cycle 7: quarantined, nothing is planned: restored from backup b-1',
      last,
    });
    expect([stored, planned]).toEqual([[], []]);
  });

  it('stores what it decided and says it in one line', async () => {
    const { run, stored } = scene({
      decided: plan(device('ev-1', 7, 'change'), device('ev-2', 7, 'renewal'), device('ev-3', 7, 'none')),
    });
    expect(await run()).toEqual({
      outcome: 'publish',
      planId: 'plan-7',
      mode: 'automatic',
      intervalSeconds: 10,
      setpoints: 2,
      missedTicks: 0,
      summary: 'cycle 7: 93.1 of 100 kW, 2 setpoints, bound by north',
      last: false,
    });
    expect(stored).toHaveLength(1);
  });

  it('has nothing to publish when every setpoint still holds', async () => {
    expect(await scene({ decided: plan(device('ev-1', 7, 'none')) }).run()).toMatchObject({
      outcome: 'nothing-to-publish',
      setpoints: 0,
    });
  });

  it('counts the nominal ticks that no cycle was planned for', async () => {
    const previousTickMs = NOW_MS - 40_000;
    const claim: Claim = { kind: 'fresh', previousTickMs, previousIntervalSeconds: 10 };
    expect(await scene({ claim }).run()).toMatchObject({ missedTicks: 3 });
  });

  it('starts the count anew when the interval was changed', async () => {
    const claim: Claim = { kind: 'fresh', previousTickMs: NOW_MS - 40_000, previousIntervalSeconds: 2 };
    expect(await scene({ claim }).run()).toMatchObject({ missedTicks: 0 });
  });

  it.each`
    ageMs     | outcome
    ${10_000} | ${'publish'}
    ${10_001} | ${'behind'}
  `(
    'answers $outcome when the same cycle asks again after $ageMs ms',
    async ({ ageMs, outcome }: { ageMs: number; outcome: string }) => {
      const answer = {
        outcome: 'publish',
        planId: 'plan-6',
        mode: 'automatic',
        intervalSeconds: 10,
        setpoints: 1,
        missedTicks: 0,
        summary: '',
        last: false,
      } as const;
      const { run, stored } = scene({ claim: { kind: 'stored', answer, plannedAtMs: NOW_MS - ageMs, nowMs: NOW_MS } });
      expect(await run()).toMatchObject({ outcome, planId: 'plan-6' });
      expect(stored).toEqual([]);
    },
  );

  it('plans nothing and ends when a newer chain controls the feeder', async () => {
    const { run, planned } = scene({ claim: { kind: 'superseded' } });
    expect(await run()).toMatchObject({ outcome: 'ended', last: true });
    expect(planned).toEqual([]);
  });

  it('ends when the feeder is gone or hangs below another now', async () => {
    expect(await scene({ gone: true }).run()).toMatchObject({ outcome: 'ended', last: true });
  });

  it.each`
    why                         | enabled  | final
    ${'the feeder is disabled'} | ${false} | ${false}
    ${'the loop is stopped'}    | ${true}  | ${true}
  `(
    'sends every device to its default and ends when $why',
    async ({ enabled, final }: { enabled: boolean; final: boolean }) => {
      const { run, planned } = scene({ enabled, decided: plan(device('ev-1', 0, 'change')) });
      expect(await run({ final })).toMatchObject({ outcome: 'publish', mode: 'disabled', last: true });
      expect(planned[0]?.mode).toBe('disabled');
    },
  );
});

it('asks nobody for approval of an emergency stop, and says it first', async () => {
  const emergencyStop = { stopId: '11111111-1111-4111-8111-111111111111', safeState: 'zero' } as const;
  const { run, stored } = scene({ mode: 'manual', decided: plan(device('ev-1', 0, 'change')), emergencyStop });
  expect(await run()).toMatchObject({
    outcome: 'publish',
    summary: 'cycle 7: EMERGENCY STOP (zero), 93.1 of 100 kW, 1 setpoint, bound by north',
  });
  expect([stored[0]?.proposes, stored[0]?.tree.emergencyStop]).toEqual([null, emergencyStop]);
});

describe('planCycle in manual mode', () => {
  const decided = plan(device('ev-1', 7, 'change'), device('ev-2', 5, 'renewal'));

  it('renews what was approved and proposes what changed', async () => {
    const { run, stored } = scene({ mode: 'manual', decided });
    expect(await run()).toMatchObject({
      outcome: 'publish',
      setpoints: 1,
      summary: 'cycle 7: 93.1 of 100 kW, 1 setpoint, bound by north, changes of 1 devices wait for approval',
    });
    expect(stored[0]?.proposes).toEqual({ 'ev-1': 7 });
    expect(stored[0]?.plan.devices.map(({ publish }) => publish)).toEqual(['none', 'renewal']);
  });

  it('waits when there is nothing but changes', async () => {
    expect(await scene({ mode: 'manual', decided: plan(device('ev-1', 7, 'change')) }).run()).toMatchObject({
      outcome: 'awaiting-approval',
    });
  });

  it('keeps a proposal for one setpoint lifetime, so that it can be approved', async () => {
    const open = { planId: 'plan-5', targets: { 'ev-1': 6.9 }, approvedAtMs: null, appliedAtMs: null };
    const young = scene({ mode: 'manual', decided, proposal: { ...open, proposedAtMs: NOW_MS - 59_000 } });
    await young.run();
    expect(young.stored[0]?.proposes).toBeNull();
    const old = scene({ mode: 'manual', decided, proposal: { ...open, proposedAtMs: NOW_MS - 60_000 } });
    await old.run();
    expect(old.stored[0]?.proposes).toEqual({ 'ev-1': 7 });
  });

  it('proposes anew rather than carry out an approved plan that would break a limit by now', async () => {
    const proposal = {
      planId: 'plan-5',
      proposedAtMs: NOW_MS - 20_000,
      targets: { 'ev-1': 16 },
      approvedAtMs: NOW_MS,
      appliedAtMs: null,
    };
    const { run, stored } = scene({ mode: 'manual', decided, proposal });
    await run();
    expect(stored[0]?.applies).toBeNull();
    expect(stored[0]?.proposes).toEqual({ 'ev-1': 7 });
  });

  it.each`
    did                                         | measuredKw | ageSeconds | toldKw  | applies
    ${'relieves what is broken already'}        | ${20}      | ${1}       | ${null} | ${'plan-5'}
    ${'makes it worse'}                         | ${15}      | ${1}       | ${null} | ${null}
    ${'relieves by what was measured long ago'} | ${20}      | ${600}     | ${null} | ${null}
    ${'lowers what a device may draw'}          | ${5}       | ${1}       | ${22}   | ${'plan-5'}
    ${'raises what a device may draw'}          | ${20}      | ${1}       | ${11}   | ${null}
  `('over the limit, an approved plan that $did: applies $applies', async (given) => {
    const { measuredKw, ageSeconds, toldKw, applies } = given;
    const acknowledged = toldKw === null ? null : { targetKw: toldKw, validUntilMs: NOW_MS + 30_000 };
    const proposal = {
      planId: 'plan-5',
      proposedAtMs: NOW_MS - 20_000,
      targets: { 'ev-1': 16 },
      approvedAtMs: NOW_MS,
      appliedAtMs: null,
    };
    const devices = [anEv({ deviceId: 'ev-1', acknowledged, reading: aReading({ powerKw: measuredKw, ageSeconds }) })];
    const { run, stored } = scene({ mode: 'manual', decided, proposal, devices });
    await run();
    expect(stored[0]?.applies).toBe(applies);
  });

  it('carries out exactly the plan that was approved', async () => {
    const proposal: Proposal = {
      planId: 'plan-5',
      proposedAtMs: NOW_MS - 20_000,
      targets: { 'ev-1': 6.5 },
      approvedAtMs: NOW_MS - 1_000,
      appliedAtMs: null,
    };
    const { run, stored } = scene({ mode: 'manual', decided, proposal });
    expect(await run()).toMatchObject({ outcome: 'publish', setpoints: 2 });
    expect(stored[0]?.applies).toBe('plan-5');
    expect(stored[0]?.plan.devices.map(({ targetKw, publish }) => [targetKw, publish])).toEqual([
      [6.5, 'change'],
      [5, 'renewal'],
    ]);
  });
});
