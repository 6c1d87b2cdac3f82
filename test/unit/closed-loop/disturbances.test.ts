import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRegistryFile } from '../../../contracts/registry-file';
import { explainNodes } from '../../../domain/explanation/node-why';
import { ClosedLoop } from './closed-loop';

const registry = parseRegistryFile(readFileSync(join(__dirname, '../../../deploy/registry/demo.yaml'), 'utf8'));
const PHASES = [0.05, 0.2, 0.5];
const INTERVALS_SECONDS = [5, 10];
const REPORT_SECONDS = 5;
/** Of the limit: a meter of class 1 shows no less. */
const TOLERANCE_SHARE = 0.01;
const WATCHED_SECONDS = 120;
const CYCLES = 2;
/**
 * Nobody can know where a device that disobeys is going before it is there: its own ramp comes on top, and it takes a
 * charger four seconds to its maximum.
 */
const OWN_WAY_SECONDS: Record<string, number> = { 'a tenth of the devices disobeys': 4 };

const disturbances: Record<string, (control: ClosedLoop, feederId: string) => void> = {
  'household load doubles': (control, feederId) => {
    control.world.setHouseholdLoadKw(feederId, 60);
  },
  'a cloud comes over all PV': (control) => {
    control.world.setProfile('night');
  },
  'a tenth of the devices falls silent': (control) => {
    control.eachTenth({ silent: true });
  },
  'a tenth of the devices disobeys': (control) => {
    control.eachTenth({ disobedient: true });
  },
  'all meters fall silent': (control) => {
    control.metersAreSilent = true;
  },
};

describe.each(Object.entries(disturbances))('when %s', (what, disturb) => {
  it.each(
    INTERVALS_SECONDS.flatMap((intervalSeconds) => [
      { intervalSeconds, rootFeederId: 'substation-north', feederId: 'elm-street' },
      { intervalSeconds, rootFeederId: 'substation-south', feederId: 'sunny-hill' },
    ]),
  )(
    'every node below $rootFeederId is inside its limits within two cycles of $intervalSeconds s',
    ({ intervalSeconds, rootFeederId, feederId }) => {
      for (const phase of PHASES) {
        const control = new ClosedLoop({
          ...{ registry, rootFeederId, phase, intervalSeconds, reportSeconds: REPORT_SECONDS },
        });
        control.run(60, feederId);
        disturb(control, feederId);
        expect(longestOver(control, feederId)).toBeLessThanOrEqual(
          CYCLES * intervalSeconds + (OWN_WAY_SECONDS[what] ?? 0),
        );
      }
    },
  );
});

it('says in the cycle why a limit is not held when it cannot be', () => {
  const control = new ClosedLoop({
    ...{ registry, rootFeederId: 'substation-north', phase: 0.5, intervalSeconds: 5, reportSeconds: REPORT_SECONDS },
  });
  control.run(60, 'elm-street');
  control.world.setHouseholdLoadKw('elm-street', 260);
  control.run(CYCLES * 5, 'elm-street');
  if (control.last === null) throw new Error('no cycle yet');
  const elm = explainNodes(control.last.tree, control.last.plan).find(({ feederId }) => feederId === 'elm-street');
  expect(elm?.missingKw).toBeGreaterThan(50);
  expect(elm?.words.join(' ')).toMatch(/INFEASIBLE: it stays [\d.]+ kW off its import limit .* nobody controls/);
});

/** Longest time on end, s, in which any node is over a limit that its plan does not call infeasible. */
function longestOver(control: ClosedLoop, feederId: string): number {
  const stepSeconds = 0.25;
  let longest = 0;
  let current = 0;
  for (let second = 0; second < WATCHED_SECONDS; second += stepSeconds) {
    control.run(stepSeconds, feederId);
    const isOver = control
      .overKw()
      .some(({ feederId: over, kw, limitKw }) => kw > TOLERANCE_SHARE * limitKw && missingKw(control, over) === 0);
    current = isOver ? current + stepSeconds : 0;
    longest = Math.max(longest, current);
  }
  return longest;
}

const missingKw = ({ last }: ClosedLoop, feederId: string): number =>
  last?.plan.nodes.find((node) => node.feederId === feederId)?.missingKw ?? 0;
