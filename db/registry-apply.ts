import type { RegistryFile } from '../contracts/registry-file';
import { DermsError, type FieldFault } from '../domain/errors';
import { appendAudit, type Actor } from './audit';
import { lockRegistry, lockRoots } from './feeder-tree';
import type { Database, Queryable } from './pool';
import {
  changedRows,
  differenceOf,
  merged,
  wantedDevices,
  wantedFeeders,
  withRoots,
  type Difference,
} from './registry-difference';
import { deleteRows, DEVICES, FEEDERS, insertRows, readRows, updateRows, type RegistryRows } from './registry-rows';

export interface RegistryOrder {
  readonly file: RegistryFile;
  /** Everything is done and then undone: the answer is what would have happened. */
  readonly validateOnly: boolean;
  /** Removes what the file does not name. */
  readonly prune: boolean;
  readonly actor: Actor;
}

export interface RegistryApplied {
  readonly applied: boolean;
  readonly feeders: Difference;
  readonly devices: Difference;
  /** Roots whose loops shall plan anew. */
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

/** Rolls the transaction back and brings out what it found. */
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
  if (prune && file.feeders.length === 0) {
    throwIfAny([{ pointer: '/feeders', message: 'is empty: pruned by it, nothing would be left' }]);
  }
  await lockRegistry(tx);
  const wanted = { feeders: wantedFeeders(file), devices: wantedDevices(file) };
  const before = { feeders: await readRows(tx, FEEDERS), devices: await readRows(tx, DEVICES) };
  await lockRoots(tx, rootsIn(before.feeders));
  checkTypes(file, before.devices);

  // New rows begin with the columns' own defaults, as roots and without ratings, and are then brought to what is wanted.
  await insertRows(tx, FEEDERS, newFeeders(file, before.feeders, defaultIntervalSeconds));
  const begunFeeders = await readRows(tx, FEEDERS);
  const feeders = withRoots(merged(begunFeeders, wanted.feeders));
  await updateRows(tx, FEEDERS, changedRows(begunFeeders, feeders));

  await insertRows(tx, DEVICES, newDevices(file, before.devices));
  const begunDevices = await readRows(tx, DEVICES);
  const devices = merged(begunDevices, wanted.devices);
  checkBounds(file, devices);
  await updateRows(tx, DEVICES, changedRows(begunDevices, devices));

  const difference = {
    feeders: differenceOf(before.feeders, feeders, wanted.feeders, prune),
    devices: differenceOf(before.devices, devices, wanted.devices, prune),
  };
  await deleteRows(tx, DEVICES, difference.devices.removed);
  await removeFeeders(tx, difference.feeders.removed);
  return {
    applied: !validateOnly,
    ...difference,
    rootsTouched: rootsTouched(difference, [before, { feeders, devices }]),
    rootsCreated: rootsIn(feeders).filter(
      (id) => feeders.get(id)?.['enabled'] === true && before.feeders.get(id)?.['parentId'] !== null,
    ),
  };
}

const newFeeders = (file: RegistryFile, before: RegistryRows, defaultIntervalSeconds: number): RegistryRows =>
  new Map(
    file.feeders
      .filter(({ feederId }) => !before.has(feederId))
      .map(({ feederId, importLimitKw, exportLimitKw }) => [
        feederId,
        {
          rootFeederId: feederId,
          importLimitKw,
          exportLimitKw,
          intervalSeconds: defaultIntervalSeconds,
          origin: 'registry',
        },
      ]),
  );

const newDevices = (file: RegistryFile, before: RegistryRows): RegistryRows =>
  new Map(
    file.devices
      .filter(({ deviceId }) => !before.has(deviceId))
      .map(({ deviceId, deviceType, feederId }) => [
        deviceId,
        { deviceType, feederId, feederOrigin: 'registry', ratingOrigin: 'wire' },
      ]),
  );

function checkTypes(file: RegistryFile, before: RegistryRows): void {
  throwIfAny(
    file.devices.flatMap(({ deviceId, deviceType }, index) => {
      const registered = before.get(deviceId)?.['deviceType'];
      if (registered === undefined || registered === deviceType) return [];
      return [
        {
          pointer: `/devices/${String(index)}/deviceType`,
          message: `${deviceId} is registered as ${String(registered)}`,
        },
      ];
    }),
  );
}

/** What the file says and what was there before may exclude each other, though neither does by itself. */
function checkBounds(file: RegistryFile, devices: RegistryRows): void {
  throwIfAny(
    file.devices.flatMap(({ deviceId }, index) => {
      const device = devices.get(deviceId) ?? {};
      const at = `/devices/${String(index)}`;
      return [
        ...above(device['minImportKw'], device['maxImportKw'], `${at}/minImportKw`, 'is more than maxImportKw'),
        ...above(device['reserveSoc'], device['targetSoc'], `${at}/reserveSoc`, 'is more than targetSoc'),
      ];
    }),
  );
}

const above = (low: unknown, high: unknown, pointer: string, message: string): FieldFault[] =>
  typeof low === 'number' && typeof high === 'number' && low > high ? [{ pointer, message }] : [];

async function removeFeeders(tx: Queryable, ids: readonly string[]): Promise<void> {
  const { rows } = await tx.query<{ feeder_id: string }>(
    'select distinct feeder_id from dispatches where feeder_id = any($1) order by 1',
    [ids],
  );
  throwIfAny(
    rows.map(({ feeder_id: id }) => ({
      pointer: '/feeders',
      message: `${id} cannot be removed: it has dispatches, which are kept; name it in the file with enabled: false`,
    })),
  );
  await deleteRows(tx, FEEDERS, ids);
}

function throwIfAny(faults: readonly FieldFault[]): void {
  if (faults.length === 0) return;
  const many = faults.length === 1 ? 'one fault' : `${String(faults.length)} faults`;
  throw new DermsError('REGISTRY_INVALID', `The registry file has ${many}; nothing was applied.`, { faults });
}

const rootsIn = (feeders: RegistryRows): string[] =>
  [...feeders].filter(([, row]) => row['parentId'] === null).map(([id]) => id);

/** The roots, as they were and as they are, above everything that was touched. */
function rootsTouched(
  { feeders, devices }: { readonly feeders: Difference; readonly devices: Difference },
  states: readonly { readonly feeders: RegistryRows; readonly devices: RegistryRows }[],
): string[] {
  const touched = (difference: Difference): string[] => [
    ...difference.created,
    ...difference.changed.map(({ id }) => id),
    ...difference.removed,
  ];
  const roots = states.flatMap((state) => {
    const nodes = [...touched(feeders), ...touched(devices).map((id) => state.devices.get(id)?.['feederId'])];
    return nodes.map((node) => (typeof node === 'string' ? state.feeders.get(node)?.['rootFeederId'] : undefined));
  });
  return [...new Set(roots)].filter((root): root is string => typeof root === 'string').sort();
}

const audit = (db: Queryable, { validateOnly, actor, prune }: RegistryOrder, result: RegistryApplied): Promise<void> =>
  appendAudit(db, actor, {
    action: 'registry.apply',
    subject: 'registry',
    outcome: validateOnly ? 'validated' : 'done',
    detail: { prune, feeders: forAudit(result.feeders), devices: forAudit(result.devices) },
  });

/** All of what changed for a fleet of thousands would be megabytes: the first hundred of each, and how many. */
const forAudit = ({ created, changed, unchanged, removed }: Difference): Record<string, unknown> => ({
  ...{ created: created.slice(0, 100), createdCount: created.length },
  ...{ changed: changed.slice(0, 100), changedCount: changed.length },
  ...{ removed: removed.slice(0, 100), removedCount: removed.length, unchanged },
});
