import { addTo, real } from './allocation/packed';
import { defaultPowerKw } from './default-power';
import { DermsError } from './errors';
import type { Device, FeederNode } from './fleet';
import { feederTree, sumUpwards } from './planning/feeder-tree';

/** A node that would be over its limit with every device at its default. */
export interface DefaultOverload {
  readonly feederId: string;
  readonly side: 'import' | 'export';
  /** Flow with all defaults and all base loads, kW, import positive. */
  readonly flowKw: number;
  /** How far that is over the limit, kW > 0. */
  readonly overKw: number;
}

/**
 * The nodes that would break if every setpoint expired at once, root first: a warning about the registry, since no
 * plan can help then. Devices whose default nobody knows (unrated PV) are left out.
 *
 * @throws {DermsError} `FEEDER_TREE_INVALID`, or `DEVICE_INVALID` for a device on a feeder that is not in the list.
 */
export function defaultOverloads(feeders: readonly FeederNode[], devices: readonly Device[]): DefaultOverload[] {
  const tree = feederTree(feeders);
  const flows = Float64Array.from(tree.nodes, ({ baseLoadKw }) => baseLoadKw);
  for (const device of devices) {
    const node = tree.indexOf.get(device.feederId);
    if (node === undefined) {
      throw new DermsError('DEVICE_INVALID', `device ${device.deviceId} hangs on unknown feeder ${device.feederId}`);
    }
    addTo(flows, node, defaultPowerKw(device) ?? 0);
  }
  sumUpwards(tree, flows);
  return tree.nodes.flatMap(({ feederId, importLimitKw, exportLimitKw }, node): DefaultOverload[] => {
    const flowKw = real(flows, node);
    if (flowKw > importLimitKw) return [{ feederId, side: 'import', flowKw, overKw: flowKw - importLimitKw }];
    if (flowKw < -exportLimitKw) return [{ feederId, side: 'export', flowKw, overKw: -exportLimitKw - flowKw }];
    return [];
  });
}
