import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRegistryFile } from '../../../contracts/registry-file';
import { readSimulation } from '../../../simulator/simulation-section';
import { World } from '../../../simulator/world';

const FILE = join(__dirname, '../../../deploy/registry/demo.yaml');

describe('the fleet of npm start', () => {
  const registry = parseRegistryFile(readFileSync(FILE, 'utf8'));

  it('has 2 substations with 2 feeders each and 120 devices', () => {
    const childrenOf = (feederId: string): number =>
      registry.feeders.filter(({ parentId }) => parentId === feederId).length;
    const roots = registry.feeders.filter(({ parentId }) => parentId === undefined).map(({ feederId }) => feederId);

    expect(roots).toEqual(['substation-north', 'substation-south']);
    expect(roots.map(childrenOf)).toEqual([2, 2]);
    expect(registry.devices).toHaveLength(120);
  });

  it('would draw twice the limit of Elm Street if its cars charged as they like', () => {
    expect(wantedAtStart('elm-street')).toBeGreaterThan(300);
  });

  it('would send out well over the limit of Sunny Hill if its roofs gave all they can', () => {
    expect(wantedAtStart('sunny-hill')).toBeLessThan(-150);
  });

  it('stays within every limit all day when nobody controls it: its defaults are safe', () => {
    const simulation = { ...readSimulation(registry), speed: 120 };
    const world = new World(registry, simulation, new Map());
    for (let step = 0; step < 4 * 720; step += 1) world.step(0.25, step * 250);

    for (const { feederId, importLimitKw, exportLimitKw } of registry.feeders) {
      expect(world.extremes(feederId).highKw).toBeLessThan(importLimitKw);
      expect(world.extremes(feederId).lowKw).toBeGreaterThan(-exportLimitKw);
    }
  });

  const wantedAtStart = (feederId: string): number => {
    const world = new World(registry, readSimulation(registry), new Map());
    return world.wantedFlowsKw()[world.indexOfFeeder(feederId)] ?? NaN;
  };
});
