import fc from 'fast-check';
import type { Device, FeederNode, TreeSnapshot } from '../../../domain/fleet';
import { aBattery, aFeeder, anEv, aPv, aReading, aSnapshot } from './builders';

const share = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100);

interface RandomDevice {
  readonly kind: 'ev' | 'battery' | 'pv';
  readonly place: number;
  readonly ratedKw: number;
  readonly used: number;
  readonly weight: number;
  readonly soc: number;
}

const randomDevice: fc.Arbitrary<RandomDevice> = fc.record({
  kind: fc.constantFrom('ev', 'battery', 'pv'),
  place: share,
  ratedKw: fc.integer({ min: 0, max: 40 }),
  used: share,
  weight: fc.constantFrom(0, 1, 1, 2, 5),
  soc: share,
});

/**
 * A tree of up to six levels in which every limit holds if all devices go on as they are; many limits hold only just.
 */
export const feasibleFleet = (mostDevices = 30, mostFeeders = 8): fc.Arbitrary<TreeSnapshot> =>
  fc
    .record({
      parents: fc.array(share, { maxLength: mostFeeders - 1, size: 'max' }),
      loads: fc.array(fc.integer({ min: -20, max: 40 }), { minLength: mostFeeders, maxLength: mostFeeders }),
      slacks: fc.array(fc.tuple(slackKw(), slackKw()), { minLength: mostFeeders, maxLength: mostFeeders }),
      devices: fc.array(randomDevice, { maxLength: mostDevices, size: 'max' }),
    })
    .map(({ parents, loads, slacks, devices: random }) => {
      const parentOf = parents.map((part, index) => Math.min(index, Math.floor(part * (index + 1))));
      const count = parentOf.length + 1;
      const devices = random.map((device, index) => deviceFrom(device, index, count));
      const flows = loads.slice(0, count).map((loadKw, node) => {
        const own = devices.filter(({ feederId }) => feederId === idOf(node));
        return loadKw + own.reduce((sum, { reading }) => sum + (reading?.powerKw ?? 0), 0);
      });
      for (let node = count - 1; node > 0; node -= 1) {
        const parent = parentOf[node - 1] ?? 0;
        flows[parent] = (flows[parent] ?? 0) + (flows[node] ?? 0);
      }
      const feeders = flows.map((flowKw, node): FeederNode =>
        aFeeder({
          feederId: idOf(node),
          parentId: node === 0 ? null : idOf(parentOf[node - 1] ?? 0),
          baseLoadKw: loads[node] ?? 0,
          importLimitKw: Math.max(0, flowKw) + (slacks[node]?.[0] ?? 0),
          exportLimitKw: Math.max(0, 0 - flowKw) + (slacks[node]?.[1] ?? 0),
        }),
      );
      return aSnapshot({ settings: { deadbandKw: 0 }, feeders, devices });
    });

const idOf = (node: number): string => `f${String(node)}`;

function slackKw(): fc.Arbitrary<number> {
  return fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 }), fc.constant(10_000));
}

function deviceFrom({ kind, place, ratedKw, used, weight, soc }: RandomDevice, index: number, feeders: number): Device {
  const common = {
    deviceId: `${kind}-${String(index).padStart(3, '0')}`,
    feederId: idOf(Math.min(feeders - 1, Math.floor(place * feeders))),
    weight,
  };
  switch (kind) {
    case 'ev':
      return anEv({ ...common, maxImportKw: ratedKw, reading: aReading({ powerKw: ratedKw * used, soc: soc * 0.99 }) });
    case 'battery': {
      const powerKw = ratedKw * (2 * used - 1);
      return aBattery({
        ...common,
        maxImportKw: ratedKw,
        maxExportKw: ratedKw,
        reading: aReading({ powerKw, soc: 0.01 + soc * 0.98 }),
      });
    }
    case 'pv':
      return aPv({ ...common, maxExportKw: ratedKw, givesKw: ratedKw * used });
  }
}
