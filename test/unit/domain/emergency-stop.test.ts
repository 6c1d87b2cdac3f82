import { explainDevice } from '../../../domain/explanation/device-why';
import { planTree } from '../../../domain/plan-tree';
import {
  aBattery,
  aCommand,
  aFeeder,
  anEv,
  aPv,
  aReading,
  aSnapshot,
  nodeOf,
  obeyed,
  planOf,
  targetsOf,
} from './builders';

const STOP_ID = '11111111-1111-4111-8111-111111111111';
const devices = [
  anEv({ deviceId: 'ev', acknowledged: aCommand(11) }),
  aBattery({ deviceId: 'battery', acknowledged: aCommand(-5), defaultPowerKw: 2 }),
  aPv({ deviceId: 'pv', givesKw: 60, acknowledged: aCommand(-60) }),
];
const stopped = (safeState: 'default' | 'zero', snapshot = aSnapshot({ devices })) => ({
  ...snapshot,
  emergencyStop: { stopId: STOP_ID, safeState },
});
const published = (plan: ReturnType<typeof planTree>) =>
  Object.fromEntries(plan.devices.map(({ deviceId, publish }) => [deviceId, publish]));

describe('an emergency stop', () => {
  it.each`
    safeState    | ev   | battery | pv
    ${'default'} | ${0} | ${2}    | ${-100}
    ${'zero'}    | ${0} | ${0}    | ${0}
  `('sends every device to its $safeState, whatever it was told', ({ safeState, ev, battery, pv }) => {
    const plan = planTree(stopped(safeState as 'default' | 'zero'));
    expect(targetsOf(plan)).toEqual({ ev, battery, pv });
    expect(published(plan)).toEqual({ ev: 'change', battery: 'change', pv: 'change' });
    expect(planOf(plan, 'pv').explanation).toEqual({ level: 0, tier: 0, boundBy: null, note: 'emergency-stop' });
  });

  it.each(['manual', 'disabled'] as const)('comes before the mode %s', (mode) => {
    expect(targetsOf(planTree(stopped('zero', aSnapshot({ mode, devices }))))).toEqual({ ev: 0, battery: 0, pv: 0 });
  });

  it('tells a device that is silent or at fault too', () => {
    const silent = [anEv({ deviceId: 'ev', acknowledged: aCommand(11), reading: aReading({ ageSeconds: 600 }) })];
    expect(published(planTree(stopped('zero', aSnapshot({ devices: silent }))))).toEqual({ ev: 'change' });
  });

  it('leaves a PV that nobody has rated as it is when it goes to defaults, because nobody knows its default', () => {
    const unrated = [aPv({ deviceId: 'pv', givesKw: 7, maxExportKw: null })];
    const plan = planTree(stopped('default', aSnapshot({ devices: unrated })));
    expect([targetsOf(plan), published(plan)]).toEqual([{ pv: -7 }, { pv: 'none' }]);
    expect(targetsOf(planTree(stopped('zero', aSnapshot({ devices: unrated }))))).toEqual({ pv: 0 });
  });

  it('says once what expiry says too, and renews a zero for as long as the stop lasts', () => {
    const publishedOver = (safeState: 'default' | 'zero', cycles: number): (string | undefined)[] => {
      let snapshot = stopped(safeState, aSnapshot({ devices: [aPv({ deviceId: 'pv', givesKw: 60 })] }));
      return Array.from({ length: cycles }, () => {
        const plan = planTree(snapshot);
        const before = snapshot.devices[0]?.acknowledged ?? null;
        const [told] = plan.devices;
        const next = obeyed(snapshot, plan);
        // What was not sent does not get a longer life.
        const pv = next.devices.map((device) =>
          told?.publish === 'none' ? { ...device, acknowledged: before } : device,
        );
        snapshot = stopped(safeState, { ...next, devices: pv });
        return told?.publish;
      });
    };
    expect(new Set(publishedOver('default', 20).slice(1))).toEqual(new Set(['none']));
    expect(publishedOver('zero', 20).slice(1)).toContain('renewal');
    expect(publishedOver('zero', 20).slice(1)).not.toContain('change');
  });

  it('does not look at limits, and shows by how much one is missed', () => {
    const feeders = [aFeeder({ exportLimitKw: 40 })];
    const plan = planTree(stopped('default', aSnapshot({ feeders, devices: [aPv({ givesKw: 60 })] })));
    expect(nodeOf(plan).plannedLowKw).toBe(-100);
    expect(nodeOf(plan).missingKw).toBe(60);
  });

  it('is what `why` says', () => {
    const snapshot = stopped('zero');
    expect(explainDevice(snapshot, planTree(snapshot), 'ev')?.words).toContain(
      'An emergency stop is in force: it is sent to its safe state, whatever the limits, until that is lifted.',
    );
  });
});
