import { Registry } from '../../../observability/metrics';
import { observePlans } from '../../../worker/plan-metrics';
import { planTree } from '../../../domain/plan-tree';
import type { TreeSnapshot } from '../../../domain/fleet';
import { aDispatch, aFeeder, aMeter, anEv, aSnapshot } from '../domain/builders';

function observed(...snapshots: TreeSnapshot[]) {
  const registry = new Registry();
  const clock = { nowMs: 0 };
  const observe = observePlans(registry, () => clock.nowMs);
  for (const snapshot of snapshots) observe('feeder', snapshot, planTree(snapshot));
  const metric = async (name: string) => {
    const text = await registry.getSingleMetricAsString(name);
    return text.split('\n').filter((line) => line.startsWith(`${name}{`));
  };
  return { clock, metric };
}
const over = aSnapshot({ feeders: [aFeeder({ importLimitKw: 20, meter: aMeter(32) })] });

it('counts cycles that find a meter over its limit, and says how far', async () => {
  const { metric } = observed(over, over);
  expect(await metric('derms_limit_broken_cycles_total')).toEqual([
    'derms_limit_broken_cycles_total{feeder="feeder",side="import"} 2',
    'derms_limit_broken_cycles_total{feeder="feeder",side="export"} 0',
  ]);
  expect(await metric('derms_limit_broken_kw')).toEqual(['derms_limit_broken_kw{feeder="feeder"} 12']);
});

it('says by how many kW help does not suffice', async () => {
  const { metric } = observed(over);
  expect(await metric('derms_infeasible_kw')).toEqual(['derms_infeasible_kw{feeder="feeder"} 12']);
  expect(await metric('derms_infeasible_cycles_total')).toEqual(['derms_infeasible_cycles_total{feeder="feeder"} 1']);
});

it('says what dispatches ask and cannot get, and how many devices do not follow', async () => {
  const feeders = [aFeeder({ meter: aMeter(30) })];
  const device = anEv({ notFollowingUntilMs: Number.MAX_SAFE_INTEGER, maxImportKw: 5 });
  const { metric } = observed(
    aSnapshot({ feeders, devices: [device], dispatches: [aDispatch({ importLimitKw: 22 })] }),
  );
  expect(await metric('derms_dispatch_shortfall_kw')).toEqual(['derms_dispatch_shortfall_kw{feeder="feeder"} 8']);
  expect(await metric('derms_not_following_devices')).toEqual(['derms_not_following_devices{feeder="feeder"} 1']);
});

it('says nothing of a tree that is not planned here any more', async () => {
  const { clock, metric } = observed(over);
  clock.nowMs = 30_001;
  expect(await metric('derms_infeasible_kw')).toEqual([]);
});

it('shows the flow of a feeder between its limits in force, and none without a fresh meter', async () => {
  const { metric } = observed(over);
  expect(await metric('derms_feeder_flow_kw')).toEqual(['derms_feeder_flow_kw{feeder="feeder"} 32']);
  expect(await metric('derms_feeder_upper_limit_kw')).toEqual(['derms_feeder_upper_limit_kw{feeder="feeder"} 20']);
  expect((await metric('derms_feeder_lower_limit_kw')).join()).toMatch(/ (-\d+|-0|0)$/);
  expect(await metric('derms_meter_stale')).toEqual(['derms_meter_stale{feeder="feeder"} 0']);
  const stale = observed(aSnapshot({ feeders: [aFeeder({ meter: { ...aMeter(32), ageSeconds: 600 } })] }));
  expect(await stale.metric('derms_feeder_flow_kw')).toEqual([]);
  expect(await stale.metric('derms_meter_stale')).toEqual(['derms_meter_stale{feeder="feeder"} 1']);
});

it.each`
  asked                    | offKw
  ${{ importLimitKw: 22 }} | ${8}
  ${{ importLimitKw: 31 }} | ${0}
  ${{ targetKw: 35 }}      | ${5}
  ${{ exportLimitKw: 5 }}  | ${0}
`(
  'a meter at 30 kW is $offKw kW off a dispatch of $asked',
  async ({ asked, offKw }: { asked: object; offKw: number }) => {
    const feeders = [aFeeder({ meter: aMeter(30) })];
    const { metric } = observed(aSnapshot({ feeders, dispatches: [aDispatch({ importLimitKw: null, ...asked })] }));
    expect(await metric('derms_dispatch_undelivered_kw')).toEqual([
      `derms_dispatch_undelivered_kw{feeder="feeder"} ${String(offKw)}`,
    ]);
    expect(await metric('derms_dispatches_in_force')).toEqual(['derms_dispatches_in_force{feeder="feeder"} 1']);
  },
);
