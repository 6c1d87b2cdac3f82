import fc from 'fast-check';
import type { Device, TreeSnapshot } from '../../../domain/fleet';
import type { NodePlan, TreePlan } from '../../../domain/plan';
import { planTree } from '../../../domain/plan-tree';
import { aCommand, aReading, planOf } from './builders';
import { feasibleFleet } from './random-fleets';

const NEAR = 1e-4;

it('puts no node over a limit, for import or export, whenever that can be avoided', () => {
  fc.assert(
    fc.property(feasibleFleet(), (snapshot) => {
      for (const { high, low, plannedHighKw, plannedLowKw, missingKw } of planTree(snapshot).nodes) {
        expect(plannedHighKw).toBeLessThanOrEqual(high.kw + NEAR);
        expect(plannedLowKw).toBeGreaterThanOrEqual(low.kw - NEAR);
        expect(missingKw).toBe(0);
      }
    }),
    { numRuns: 500 },
  );
});

it('does so on trees of 30 feeders with up to 500 devices', () => {
  fc.assert(
    fc.property(feasibleFleet(500, 30), (snapshot) => {
      for (const { high, low, plannedHighKw, plannedLowKw, missingKw } of planTree(snapshot).nodes) {
        expect(missingKw).toBe(0);
        expect(plannedHighKw).toBeLessThanOrEqual(high.kw + NEAR);
        expect(plannedLowKw).toBeGreaterThanOrEqual(low.kw - NEAR);
      }
    }),
    { numRuns: 50 },
  );
});

it('leaves no usable headroom: an EV below its maximum and a PV below its rating have a full limit above them, or wait for a battery that is under way', () => {
  fc.assert(
    fc.property(feasibleFleet(), (snapshot) => {
      const plan = planTree(snapshot);
      const isUnderWay = ({ deviceId, deviceType, reading }: Device) =>
        deviceType === 'battery' && Math.abs(targetOf(plan, deviceId) - (reading?.powerKw ?? 0)) > NEAR;
      const hasWorkBelow = (feederId: string | null) =>
        snapshot.devices.some(
          (other) =>
            isUnderWay(other) && nodesAbove(snapshot, plan, other.feederId).some((up) => up.feederId === feederId),
        );
      const waiting = plan.devices.filter(
        ({ explanation: { note, boundBy } }) => note === 'waits-for-relief' && hasWorkBelow(boundBy),
      );
      const isWaitedFor = (node: NodePlan) =>
        waiting.some(({ feederId }) => nodesAbove(snapshot, plan, feederId).includes(node));
      const isHeld = ({ feederId }: Device, isFull: (node: NodePlan) => boolean) =>
        nodesAbove(snapshot, plan, feederId).some((node) => isFull(node) || isWaitedFor(node));
      for (const device of snapshot.devices) {
        const targetKw = targetOf(plan, device.deviceId);
        if (device.deviceType === 'ev' && targetKw < (device.maxImportKw ?? 0) - NEAR) {
          expect(isHeld(device, ({ high, plannedHighKw }) => plannedHighKw > high.kw - NEAR)).toBe(true);
        }
        if (device.deviceType === 'pv' && targetKw > NEAR - (device.maxExportKw ?? 0)) {
          expect(isHeld(device, ({ low, plannedLowKw }) => plannedLowKw < low.kw + NEAR)).toBe(true);
        }
      }
    }),
    { numRuns: 300 },
  );
});

it('raises no EV and opens no cap on account of a battery that has not moved yet', () => {
  fc.assert(
    fc.property(feasibleFleet(), (snapshot) => {
      const plan = planTree(snapshot);
      for (const node of plan.nodes) {
        const below = snapshot.devices.filter(({ feederId }) => nodesAbove(snapshot, plan, feederId).includes(node));
        const moves = below.map(({ deviceId, deviceType, reading }) => ({
          deviceType,
          byKw: targetOf(plan, deviceId) - (reading?.powerKw ?? 0),
        }));
        const batteries = moves.filter(({ deviceType }) => deviceType === 'battery');
        if (moves.some(({ deviceType, byKw }) => deviceType === 'ev' && byKw > NEAR)) {
          const notYetKw = batteries.reduce((sum, { byKw }) => sum + Math.max(0, 0 - byKw), 0);
          expect(node.plannedHighKw + notYetKw).toBeLessThanOrEqual(node.high.kw + NEAR);
        }
        if (moves.some(({ deviceType, byKw }) => deviceType === 'pv' && byKw < 0 - NEAR)) {
          const notYetKw = batteries.reduce((sum, { byKw }) => sum + Math.max(0, byKw), 0);
          expect(node.plannedLowKw - notYetKw).toBeGreaterThanOrEqual(node.low.kw - NEAR);
        }
      }
    }),
    { numRuns: 300 },
  );
});

it('asks of no device more than its bounds', () => {
  fc.assert(
    fc.property(feasibleFleet(), (snapshot) => {
      const byId = new Map(snapshot.devices.map((device) => [device.deviceId, device]));
      for (const { deviceId, targetKw } of planTree(snapshot).devices) {
        const device = byId.get(deviceId);
        expect(targetKw).toBeLessThanOrEqual((device?.maxImportKw ?? 0) + NEAR);
        expect(targetKw).toBeGreaterThanOrEqual(-(device?.maxExportKw ?? 0) - NEAR);
      }
    }),
    { numRuns: 200 },
  );
});

it('is the same to the bit whatever the order of its input', () => {
  fc.assert(
    fc.property(feasibleFleet(), (snapshot) => {
      const { feeders, devices } = snapshot;
      const turned = { ...snapshot, feeders: feeders.toReversed(), devices: devices.toReversed() };
      expect(planTree(turned)).toEqual(planTree(snapshot));
    }),
    { numRuns: 200 },
  );
});

it('lets every EV draw 0 or at least its minimum, and still breaks no import limit', () => {
  fc.assert(
    fc.property(feasibleFleet(), fc.integer({ min: 1, max: 12 }), (snapshot, minImportKw) => {
      const feeders = snapshot.feeders.map((feeder) => ({ ...feeder, exportLimitKw: 100_000 }));
      const devices = snapshot.devices.map((device) => ({ ...device, minImportKw }));
      const plan = planTree({ ...snapshot, feeders, devices });
      plan.devices.forEach(({ deviceId, targetKw }) => {
        const device = devices.find((candidate) => candidate.deviceId === deviceId);
        if (device?.deviceType !== 'ev' || targetKw < NEAR) return;
        expect(targetKw).toBeGreaterThanOrEqual(Math.min(minImportKw, device.maxImportKw ?? 0) - NEAR);
      });
      for (const { high, plannedHighKw } of plan.nodes) expect(plannedHighKw).toBeLessThanOrEqual(high.kw + NEAR);
    }),
    { numRuns: 300 },
  );
});

it('gives all relief below a node that stays over its import limit', () => {
  fc.assert(
    fc.property(feasibleFleet(), fc.nat(), fc.integer({ min: 5, max: 200 }), (snapshot, at, moreKw) => {
      const broken = snapshot.feeders[at % snapshot.feeders.length]?.feederId ?? '';
      const feeders = snapshot.feeders.map((feeder) => ({
        ...feeder,
        exportLimitKw: 100_000,
        baseLoadKw: feeder.baseLoadKw + (feeder.feederId === broken ? moreKw : 0),
      }));
      const plan = planTree({ ...snapshot, feeders });
      for (const node of plan.nodes.filter(({ missingKw }) => missingKw > 0)) {
        for (const { deviceId, feederId, targetKw } of plan.devices) {
          if (!nodesAbove(snapshot, plan, feederId).includes(node)) continue;
          const device = snapshot.devices.find((candidate) => candidate.deviceId === deviceId);
          if (device?.deviceType === 'ev') expect(targetKw).toBeLessThan(NEAR);
          if (device?.deviceType === 'battery') expect(targetKw).toBeLessThan(NEAR - (device.maxExportKw ?? 0));
        }
        expect(node.plannedHighKw - node.high.kw).toBeCloseTo(node.missingKw, 6);
      }
    }),
    { numRuns: 300 },
  );
});

it('never exceeds a limit because a device fell silent: what it may do is set aside', () => {
  fc.assert(
    fc.property(feasibleFleet(), fc.nat(), (snapshot, at) => {
      const told = planTree(snapshot);
      const devices = snapshot.devices.map((device, index) => ({
        ...device,
        acknowledged: aCommand(told.devices.find(({ deviceId }) => deviceId === device.deviceId)?.targetKw ?? 0),
        ...(index === at % snapshot.devices.length ? { reading: aReading({ ...device.reading, ageSeconds: 40 }) } : {}),
      }));
      for (const { missingKw, plannedHighKw, plannedLowKw, high, low } of planTree({ ...snapshot, devices }).nodes) {
        if (missingKw > 0) continue;
        expect(plannedHighKw).toBeLessThanOrEqual(high.kw + NEAR);
        expect(plannedLowKw).toBeGreaterThanOrEqual(low.kw - NEAR);
      }
    }),
    { numRuns: 200 },
  );
});

it('never pushes a sum over a limit by removing a stale device: the others are planned inside it again', () => {
  fc.assert(
    fc.property(feasibleFleet(), fc.nat(), (snapshot, at) => {
      const told = planTree(snapshot);
      const staleAt = at % Math.max(1, snapshot.devices.length);
      const devices = snapshot.devices.map((device, index) => ({
        ...device,
        acknowledged: aCommand(targetOf(told, device.deviceId)),
        ...(index === staleAt ? { reading: aReading({ ...device.reading, ageSeconds: 40 }) } : {}),
      }));
      const wereInfeasible = new Set(
        planTree({ ...snapshot, devices })
          .nodes.filter(({ missingKw }) => missingKw > 0)
          .map(({ feederId }) => feederId),
      );
      const without = planTree({ ...snapshot, devices: devices.filter((_, index) => index !== staleAt) });
      for (const { feederId, missingKw, plannedHighKw, plannedLowKw, high, low } of without.nodes) {
        if (missingKw > 0 || wereInfeasible.has(feederId)) continue;
        expect(plannedHighKw).toBeLessThanOrEqual(high.kw + NEAR);
        expect(plannedLowKw).toBeGreaterThanOrEqual(low.kw - NEAR);
      }
    }),
    { numRuns: 200 },
  );
});

it('names a node as infeasible only where all relief below it does not reach, with what is missing then', () => {
  fc.assert(
    fc.property(feasibleFleet(), fc.nat(), fc.integer({ min: 1, max: 300 }), (snapshot, at, moreKw) => {
      const broken = snapshot.feeders[at % snapshot.feeders.length]?.feederId ?? '';
      const feeders = snapshot.feeders.map((feeder) => ({
        ...feeder,
        exportLimitKw: 100_000,
        importLimitKw: feeder.feederId === broken ? feeder.importLimitKw : 100_000,
        baseLoadKw: feeder.baseLoadKw + (feeder.feederId === broken ? moreKw : 0),
      }));
      const plan = planTree({ ...snapshot, feeders });
      const node = plan.nodes.find(({ feederId }) => feederId === broken);
      const leastKw = snapshot.devices
        .filter(({ feederId }) => nodesAbove(snapshot, plan, feederId).some((above) => above === node))
        .reduce((sum, device) => sum + mostReliefKw(device), node?.uncontrolledHighKw ?? NaN);
      expect(node?.missingKw).toBeCloseTo(Math.max(0, leastKw - (node?.high.kw ?? NaN)), 4);
      for (const other of plan.nodes) if (other !== node) expect(other.missingKw).toBe(0);
    }),
    { numRuns: 300 },
  );
});

/** What it flows at when it helps against import with all it has, kW; a PV gives what it measures. */
function mostReliefKw({ deviceType, maxExportKw, reading }: Device): number {
  switch (deviceType) {
    case 'ev':
      return 0;
    case 'battery':
      return -(maxExportKw ?? 0);
    case 'pv':
      return reading?.powerKw ?? 0;
  }
}

function nodesAbove({ feeders }: TreeSnapshot, { nodes }: TreePlan, feederId: string | null): NodePlan[] {
  const node = nodes.find((candidate) => candidate.feederId === feederId);
  if (node === undefined) return [];
  const parentId = feeders.find((feeder) => feeder.feederId === feederId)?.parentId ?? null;
  return [node, ...nodesAbove({ feeders } as TreeSnapshot, { nodes } as TreePlan, parentId)];
}

const targetOf = (plan: TreePlan, deviceId: string): number => planOf(plan, deviceId).targetKw;
