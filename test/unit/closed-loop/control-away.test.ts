import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRegistryFile } from '../../../contracts/registry-file';
import { setpointTtlSeconds } from '../../../domain/setpoint-life';
import { ClosedLoop } from './closed-loop';

const registry = parseRegistryFile(readFileSync(join(__dirname, '../../../deploy/registry/demo.yaml'), 'utf8'));
const INTERVAL_SECONDS = 10;
const TTL_SECONDS = setpointTtlSeconds(INTERVAL_SECONDS);
/** Devices take the moment in which their setpoints end at the world's next step, and their own ramp to follow. */
const WAY_SECONDS = 2;
const TOLERANCE_SHARE = 0.01;

const TREES = [
  { rootFeederId: 'substation-north', feederId: 'elm-street' },
  { rootFeederId: 'substation-south', feederId: 'sunny-hill' },
];

function feederTree(rootFeederId: string): ClosedLoop {
  return new ClosedLoop({ registry, rootFeederId, phase: 0.2, intervalSeconds: INTERVAL_SECONDS, reportSeconds: 5 });
}

it.each(TREES)('all that $rootFeederId is told ends at one moment, at least a third of a life away', (at) => {
  const control = feederTree(at.rootFeederId);
  const lives: number[] = [];
  for (let cycle = 0; cycle < 30; cycle += 1) {
    if (cycle === 12) control.world.setHouseholdLoadKw(at.feederId, 60);
    control.run(INTERVAL_SECONDS, at.feederId);
    const ends = control.endsInSeconds();
    expect(new Set(ends).size).toBeLessThanOrEqual(1);
    lives.push(...ends.slice(0, 1));
  }
  expect(lives.length).toBeGreaterThan(25);
  expect(Math.min(...lives)).toBeGreaterThanOrEqual(TTL_SECONDS / 3);
  expect(new Set(lives.map((seconds) => Math.round(seconds))).size).toBeGreaterThan(2); // renewed now and then, not in each cycle
});

it.each(TREES)('no limit of $rootFeederId is broken while its devices fall to their defaults', (at) => {
  for (const controlledSeconds of [70, 100, 130]) {
    const control = feederTree(at.rootFeederId);
    control.run(controlledSeconds, at.feederId);
    control.world.setHouseholdLoadKw(at.feederId, 60);
    control.run(3 * INTERVAL_SECONDS, at.feederId);
    control.controlIsAway = true;
    let overSeconds = 0;
    for (let second = 0; second < TTL_SECONDS + 30; second += 1) {
      control.run(1, at.feederId);
      const isOver = control.overKw().some(({ kw, limitKw }) => kw > TOLERANCE_SHARE * limitKw);
      overSeconds = isOver ? overSeconds + 1 : 0;
      expect(overSeconds).toBeLessThanOrEqual(WAY_SECONDS);
    }
    expect(control.endsInSeconds()).toEqual([]);
  }
});
