import type { RegistryFile } from '../contracts/registry-file';
import { DermsError, type FieldFault } from '../domain/errors';
import { appendAudit, type Actor } from './audit';
import { lockRegistry, lockRoots } from './feeder-tree';
import type { Database, Queryable } from './pool';
import {
  deleteRows,
  DEVICES,
  FEEDERS,
  insertRows,
  readRows,
  updateRows,
  type RegistryRow,
  type RegistryRows,
} from './registry-rows';

export interface RegistryOrder {
  readonly file: RegistryFile;
  /** Everything is done and then undone: the answer is what would have happened. */
  readonly validateOnly: boolean;
  /** Removes what the file does not name. */
  readonly prune: boolean;
  readonly actor: Actor;
}

export interface Difference {
  readonly created: readonly string[];
  readonly changed: readonly {
    readonly id: string;
    readonly fields: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;
  }[];
  readonly unchanged: number;
  /** In the database and not in the file; left as they are. */
  readonly absent: readonly string[];
  readonly removed: readonly string[];
}

export interface RegistryApplied {
  readonly applied: boolean;
  readonly feeders: Difference;
  readonly devices: Difference;
  /** Roots whose loops shall plan anew; empty when nothing was changed. */
  readonly rootsTouched: readonly string[];
  /** Enabled roots that were none before. */
  readonly rootsCreated: readonly string[];
}

/**
 * Applies a registry file in one transaction, so that nothing is ever half-applied. What the file leaves out of an
 * entry stays as it is (except the parent: no parent means root); what it does not name at all stays unless `prune`.
 *
 * @throws {DermsError} REGISTRY_INVALID when the file and what is there do not go together.
 */
export async function applyRegistry(
  db: Database,
  order: RegistryOrder,
  defaultIntervalSeconds: number,
): Promise<RegistryApplied> {
  try {
    return await db.transaction(async (tx) => {
      const result = await apply(tx, order, defaultIntervalSeconds);
      if (order.validateOnly) throw new Undone(result);
      await audit(tx, order, result);
      return result;
    });
  } catch (error) {
    if (!(error instanceof Undone)) throw error;
    await audit(db, order, error.result);
    return error.result;
  }
}

/** Makes the transaction roll back and brings out what it found. */
class Undone extends Error {
  constructor(readonly result: RegistryApplied) {
    super('undone as asked');
  }
}

async function apply(
  tx: Queryable,
  { file, validateOnly, prune }: RegistryOrder,
  defaultIntervalSeconds: number,
): Promise<RegistryApplied> {
  await lockRegistry(tx);
  const before = { feeders: await readRows(tx, FEEDERS), devices: await readRows(tx, DEVICES) };
  await lockRoots(tx, rootsOf(before.feeders));
  checkAgainst(file, before.devices);

  const newFeeders = file.feeders.filter(({ feederId }) => !before.feeders.has(feederId));
  await insertRows(tx, FEEDERS, new Map(newFeeders.map((feeder) => [feeder.feederId, newFeeder(feeder, defaultIntervalSeconds)])));
  const feeders = withRoots(merge(await readRows(tx, FEEDERS), wantedFeeders(file)));
  await updateRows(tx, FEEDERS, feeders);

  const newDevices = file.devices.filter(({ deviceId }) => !before.devices.has(deviceId));
  await insertRows(tx, DEVICES, new Map(newDevices.map((device) => [device.deviceId, newDevice(device)])));
  const devices = merge(await readRows(tx, DEVICES), wantedDevices(file));
  checkDevices(file, devices);
  await updateRows(tx, DEVICES, devices);

  const named = {
    feeders: new Set(file.feeders.map(({ feederId }) => feederId)),
    devices: new Set(file.devices.map(({ deviceId }) => deviceId)),
  };
  const difference = {
    feeders: differenceOf(before.feeders, feeders, named.feeders, prune),
    devices: differenceOf(before.devices, devices, named.devices, prune),
  };
  await deleteRows(tx, DEVICES, difference.devices.removed);
  await removeFeeders(tx, difference.feeders.removed);
  return { applied: !validateOnly, ...difference, ...rootsToTell(before.feeders, feeders, difference) };
}
