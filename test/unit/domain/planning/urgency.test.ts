import { planTree } from '../../../../domain/plan-tree';
import { aFeeder, anEv, aReading, aSnapshot, targetsOf } from '../builders';

const car = (deviceId: string, soc: number | null, targetSoc = 0.8) =>
  anEv({ deviceId, targetSoc, reading: aReading({ soc }) });
const shares = (devices: ReturnType<typeof car>[], evUrgencyMost = 2) =>
  targetsOf(planTree(aSnapshot({ settings: { evUrgencyMost }, feeders: [aFeeder({ importLimitKw: 12 })], devices })));

describe('urgency of an EV', () => {
  it('makes an empty car count twice what one just below its target soc counts', () => {
    expect(shares([car('empty', 0), car('full', 0.7999)])).toEqual({ empty: 8, full: 4 });
  });

  it('rises with what is missing to the target soc', () => {
    expect(shares([car('half', 0.4), car('empty', 0)])).toEqual({ half: 5.14, empty: 6.86 });
  });

  it('is half way for a car that does not tell its soc', () => {
    expect(shares([car('unknown', null), car('half', 0.4)])).toEqual({ unknown: 6, half: 6 });
  });

  it('plays no part when its most is 1', () => {
    expect(shares([car('empty', 0), car('half', 0.4)], 1)).toEqual({ empty: 6, half: 6 });
  });
});
