import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRegistryFile } from '../../../contracts/registry-file';
import { ClosedLoop } from './closed-loop';

const registry = parseRegistryFile(readFileSync(join(__dirname, '../../../deploy/registry/demo.yaml'), 'utf8'));
const PHASES = [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95];
/** From nothing known to a settled fleet. */
const START_SECONDS = 40;

const loop = (rootFeederId: string, phase: number, intervalSeconds = 5) =>
  new ClosedLoop({ registry, rootFeederId, intervalSeconds, reportSeconds: 5, phase });
const most = (flows: readonly number[]): number => Math.max(...flows);
const least = (flows: readonly number[]): number => Math.min(...flows);

describe.each(PHASES)('a loop that ticks at %p of its interval after the reports', (phase) => {
  it('holds the import limit of 150 kW from the first moment of the fleet on', () => {
    const control = loop('substation-north', phase);
    expect(most(control.run(START_SECONDS, 'elm-street'))).toBeLessThan(150 * 1.01);
    const flows = control.run(120, 'elm-street');
    expect(most(flows)).toBeLessThan(150 * 1.01);
    expect(least(flows)).toBeGreaterThan(150 * 0.9);
  });

  it('holds the export limit of 100 kW from the first moment of the fleet on', () => {
    const control = loop('substation-south', phase);
    expect(least(control.run(START_SECONDS, 'sunny-hill'))).toBeGreaterThan(-100 * 1.01);
    const flows = control.run(120, 'sunny-hill');
    expect(least(flows)).toBeGreaterThan(-100 * 1.01);
    expect(most(flows)).toBeLessThan(-100 * 0.9);
  });

  it('is back under the limit within two cycles and a ramp when household load jumps by 25 kW', () => {
    const control = loop('substation-north', phase);
    control.run(START_SECONDS, 'elm-street');
    control.world.setHouseholdLoadKw('elm-street', 55);
    // A report, two cycles, the chargers' ramp of four seconds.
    control.run(5 + 2 * 5 + 4, 'elm-street');
    const flows = control.run(60, 'elm-street');
    expect(most(flows)).toBeLessThan(150 * 1.02);
    expect(least(flows.slice(120))).toBeGreaterThan(150 * 0.85);
  });
});
