import { mustGoOnWaiting, turnAfter } from '../../../../domain/planning/charging-turns';
import { planTree } from '../../../../domain/plan-tree';
import type { Device } from '../../../../domain/fleet';
import { aFeeder, anEv, aReading, aSnapshot, NOON, obeyed, planOf, targetsOf } from '../builders';

const MINUTE = 60_000;
const charger = (deviceId: string, device: Partial<Device> = {}) =>
  anEv({ deviceId, maxImportKw: 16, minImportKw: 6, ...device });
const waitingSince = (minutesAgo: number) => ({ waitsSinceMs: NOON - minutesAgo * MINUTE });
const waitedUntil = (minutesAgo: number) => ({ waitedUntilMs: NOON - minutesAgo * MINUTE });
const underLimit = (importLimitKw: number, devices: Device[]) =>
  aSnapshot({ feeders: [aFeeder({ importLimitKw })], devices });
const whoWaits = (importLimitKw: number, devices: Device[]) =>
  planTree(underLimit(importLimitKw, devices))
    .devices.filter(({ explanation }) => explanation.note === 'waits-for-turn')
    .map(({ deviceId }) => deviceId);

describe('who waits when not all minimums fit', () => {
  it('goes on waiting until its turn of 15 minutes is over', () => {
    const devices = [charger('a'), charger('b', waitingSince(14)), charger('c')];
    expect(whoWaits(12, devices)).toEqual(['b']);
  });

  it('changes places then with the one whose last wait is longest ago', () => {
    const devices = [charger('a', waitedUntil(30)), charger('b', waitingSince(15)), charger('c', waitedUntil(60))];
    expect(whoWaits(12, devices)).toEqual(['c']);
  });

  it('has not waited yet before anybody waits again', () => {
    const devices = [charger('a', waitedUntil(60)), charger('b', waitingSince(15)), charger('c')];
    expect(whoWaits(12, devices)).toEqual(['c']);
  });

  it('is served first when room comes back, the longer it has waited', () => {
    const devices = [charger('a', waitingSince(5)), charger('b', waitingSince(9)), charger('c')];
    expect(whoWaits(12, devices)).toEqual(['a']);
  });

  it('is the lower priority, turn after turn', () => {
    const devices = [
      charger('a', { weight: 2 }),
      charger('b', { weight: 1, ...waitingSince(60) }),
      charger('c', { weight: 2 }),
    ];
    expect(whoWaits(12, devices)).toEqual(['b']);
  });

  it('is each of ten chargers equally often over a day when six have room', () => {
    let snapshot = underLimit(
      40,
      Array.from({ length: 10 }, (_, index) => charger(String(index))),
    );
    const turns = new Map<string, number>();
    for (let turn = 0; turn < 96; turn += 1) {
      const plan = planTree(snapshot);
      for (const { deviceId, targetKw } of plan.devices) {
        if (targetKw === 0) turns.set(deviceId, (turns.get(deviceId) ?? 0) + 1);
      }
      snapshot = { ...obeyed(snapshot, plan), nowMs: snapshot.nowMs + 15 * MINUTE };
    }
    const counts = [...turns.values()];
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(96 * 4);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  it('is the same after a restart: all that turns are decided by is stored with the devices', () => {
    const devices = Array.from({ length: 7 }, (_, index) => charger(String(index)));
    const hourOfTurns = (restarted: (snapshot: ReturnType<typeof underLimit>) => ReturnType<typeof underLimit>) => {
      let snapshot = underLimit(20, devices);
      return Array.from({ length: 12 }, () => {
        const plan = planTree(restarted(snapshot));
        snapshot = { ...obeyed(snapshot, plan), nowMs: snapshot.nowMs + 5 * MINUTE };
        return targetsOf(plan);
      });
    };
    const fromStored = hourOfTurns((snapshot) => JSON.parse(JSON.stringify(snapshot)) as typeof snapshot);
    expect(fromStored).toEqual(hourOfTurns((snapshot) => snapshot));
    expect(new Set(fromStored.map((targets) => JSON.stringify(targets))).size).toBeGreaterThan(2);
  });
});

describe('an EV that was told to wait', () => {
  it('does not start again within a minute, though there is room', () => {
    const plan = planTree(underLimit(100, [charger('a', { waitsSinceMs: NOON - 59_000 })]));
    expect(planOf(plan, 'a')).toMatchObject({
      targetKw: 0,
      explanation: { note: 'waits-for-turn', boundBy: null },
      waitsSinceMs: NOON - 59_000,
    });
    expect(targetsOf(planTree(underLimit(100, [charger('a', { waitsSinceMs: NOON - 60_000 })])))).toEqual({ a: 16 });
  });

  it('remembers when its wait ended', () => {
    const plan = planTree(underLimit(100, [charger('a', waitingSince(2))]));
    expect(planOf(plan, 'a')).toMatchObject({ waitsSinceMs: null, waitedUntilMs: NOON });
  });

  it('keeps its turn while it is silent', () => {
    const silent = charger('a', { ...waitingSince(2), reading: aReading({ ageSeconds: 40 }) });
    expect(planOf(planTree(underLimit(100, [silent])), 'a').waitsSinceMs).toBe(NOON - 2 * MINUTE);
  });
});

it('keeps the beginning of a wait that goes on, and the end of the last one', () => {
  expect(turnAfter({ waitsSinceMs: 5, waitedUntilMs: 1 }, true, 9)).toEqual({ waitsSinceMs: 5, waitedUntilMs: 1 });
  expect(turnAfter({ waitsSinceMs: null, waitedUntilMs: 1 }, false, 9)).toEqual({
    waitsSinceMs: null,
    waitedUntilMs: 1,
  });
  expect(mustGoOnWaiting({ waitsSinceMs: null }, 9, { leastWaitSeconds: 60 })).toBe(false);
});
