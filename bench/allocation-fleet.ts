import { defaultPolicyNumbers } from '../config/policy';
import { LevelCurves } from '../domain/allocation/level-curves';
import type { LevelProblem } from '../domain/allocation/level-solver';
import type { Device, FeederNode, TreeSnapshot } from '../domain/fleet';
import { setpointTtlSeconds } from '../domain/setpoint-life';
import type { ModelDevice, Stretch, TreeModel } from './highs-model';

/** Children of each node on the three upper of four levels: 1, 5, 25 and 125 nodes. */
const FAN_OUT = 5;
const NODES = 156;
const LEAVES_FROM = 31;

/** One allocation as both solvers see it. */
export interface BothProblems {
  readonly model: TreeModel;
  /** Curves included: they are part of the work. */
  readonly ours: () => LevelProblem;
}

/**
 * EVs, batteries and PV in turn on the leaves of a tree of four levels; every second leaf imports too much and the others
 * export too much, and so do the nodes above. Everything at 0 holds every limit, so there is a solution.
 */
export function mixedFleet(devices: number): BothProblems {
  const parents = parentsOf();
  const list = Array.from({ length: devices }, (_, index) => modelDevice(index));
  const wants = new Array<number>(NODES).fill(0);
  const helps = new Array<number>(NODES).fill(0);
  for (const { node, wantKw, stretches } of list) {
    for (let at = node; at >= 0; at = parents[at] ?? -1) {
      wants[at] = (wants[at] ?? 0) + wantKw;
      helps[at] = (helps[at] ?? 0) + (stretches.length > 1 ? (stretches[0]?.kw ?? 0) : 0);
    }
  }
  // Batteries do half of what is needed, then EVs and PV give way, a little more at each level.
  const limit = (node: number): number => Math.max(0, Math.abs(wants[node] ?? 0) - 1.5 * (helps[node] ?? 0));
  const high = parents.map((_, node) => limit(node));
  const low = high.map((kw) => 0 - kw);
  return {
    model: { parents, high, low, devices: list },
    ours: () => ({
      parentOf: Int32Array.from(parents),
      roomHighKw: Float64Array.from(high),
      roomLowKw: Float64Array.from(low),
      curves: curvesOf(list),
    }),
  };
}

/** Chargers of 6 to 16 kW under one limit that has room for half of the minimums. */
export function chargersOfWhichHalfWait(devices: number): TreeSnapshot {
  const parents = parentsOf();
  const feeders = parents.map((parent, node): FeederNode => ({
    feederId: `f${String(node)}`,
    parentId: parent < 0 ? null : `f${String(parent)}`,
    importLimitKw: node === 0 ? 3 * devices : 16 * devices,
    exportLimitKw: 0,
    baseLoadKw: 0,
    meter: null,
  }));
  return {
    nowMs: Date.UTC(2026, 5, 1, 12),
    mode: 'automatic',
    settings: planSettings(10),
    feeders,
    devices: Array.from({ length: devices }, (_, index) => charger(index)),
    dispatches: [],
    envelopes: [],
  };
}

const parentsOf = (): number[] =>
  Array.from({ length: NODES }, (_, node) => (node === 0 ? -1 : Math.floor((node - 1) / FAN_OUT)));

const leafOf = (index: number): number => LEAVES_FROM + (index % (NODES - LEAVES_FROM));

/** Ratings between 3 and 22 kW, spread so that hardly two are equal. */
const ratedKw = (index: number): number => 3 + ((index * 7_919) % 19_001) / 1_000;

function modelDevice(index: number): ModelDevice {
  const node = leafOf(index);
  const kw = ratedKw(index);
  const stretch = (sign: 1 | -1, fromLevel: number): Stretch => ({ sign, fromLevel, toLevel: fromLevel + 1, kw });
  if (index % 3 === 0) return { node, wantKw: 0, stretches: [stretch(-1, 0), stretch(1, 0)] };
  return node % 2 === 0
    ? { node, wantKw: kw, stretches: [stretch(-1, 1)] }
    : { node, wantKw: 0 - kw, stretches: [stretch(1, 1)] };
}

function curvesOf(devices: readonly ModelDevice[]): LevelCurves {
  const curves = new LevelCurves(devices.length);
  for (const { node, wantKw, stretches } of devices) {
    curves.device(node);
    for (const { sign, fromLevel, toLevel, kw } of stretches) {
      if (sign < 0) curves.point(0 - toLevel, wantKw - kw).point(0 - fromLevel, wantKw);
      else curves.point(fromLevel, wantKw).point(toLevel, wantKw + kw);
    }
  }
  return curves;
}

const charger = (index: number): Device => ({
  deviceId: `ev-${String(index).padStart(6, '0')}`,
  deviceType: 'ev',
  feederId: `f${String(leafOf(index))}`,
  maxImportKw: 16,
  maxExportKw: null,
  minImportKw: 6,
  defaultPowerKw: null,
  honoursExpiry: true,
  weight: 1,
  reserveSoc: 0,
  targetSoc: 1,
  scheduledPowerKw: 0,
  rampKwPerS: null,
  reading: { powerKw: 0, soc: (index % 90) / 100, ageSeconds: 1, online: true, faultCode: null },
  acknowledged: null,
  lastMove: null,
  pending: null,
  offSetpointCycles: 0,
  notFollowingUntilMs: null,
  waitsSinceMs: null,
  waitedUntilMs: null,
});

/** What the policy has by default. */
const planSettings = (intervalSeconds: number): TreeSnapshot['settings'] => ({
  ...defaultPolicyNumbers(),
  intervalSeconds,
  setpointTtlSeconds: setpointTtlSeconds(intervalSeconds),
});
