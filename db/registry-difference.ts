import type { RegistryDevice, RegistryFeeder, RegistryFile } from '../contracts/registry-file';
import type { RegistryRow, RegistryRows } from './registry-rows';

export interface Difference {
  readonly created: readonly string[];
  readonly changed: readonly ChangedEntry[];
  readonly unchanged: number;
  /** In the database and not in the file; left as they are. */
  readonly absent: readonly string[];
  /** In the database and not in the file; removed because that was asked for. */
  readonly removed: readonly string[];
}

export interface ChangedEntry {
  readonly id: string;
  readonly fields: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;
}

type Wanted = ReadonlyMap<string, RegistryRow>;

/** What the file says of each feeder; a feeder without parent is a root. */
export const wantedFeeders = ({ feeders }: RegistryFile): Wanted =>
  new Map(
    feeders.map(({ feederId, parentId, ...said }: RegistryFeeder) => [
      feederId,
      { ...given(said), parentId: parentId ?? null, origin: 'registry' },
    ]),
  );

/** What the file says of each device. A rating that it gives can no longer be changed by the wire. */
export const wantedDevices = ({ devices }: RegistryFile): Wanted =>
  new Map(
    devices.map(({ deviceId, ...said }: RegistryDevice) => [
      deviceId,
      {
        ...given(said),
        feederOrigin: 'registry',
        ...((said.maxImportKw ?? null) === null && (said.maxExportKw ?? null) === null
          ? {}
          : { ratingOrigin: 'registry' }),
      },
    ]),
  );

/** Every row as it is to be: what is there, with what the file says put over it. */
export const merged = (rows: RegistryRows, wanted: Wanted): RegistryRows =>
  new Map([...rows].map(([id, row]) => [id, { ...row, ...wanted.get(id) }]));

/** Feeders with the root that follows from their parents. The file has no circles, and no feeder in it hangs on one outside. */
export const withRoots = (feeders: RegistryRows): RegistryRows =>
  new Map([...feeders].map(([id, row]) => [id, { ...row, rootFeederId: rootOf(id, feeders) }]));

/** The rows of `after` that are not as in `before`. */
export const changedRows = (before: RegistryRows, after: RegistryRows): RegistryRows =>
  new Map([...after].filter(([id, row]) => Object.keys(fieldsThatDiffer(before.get(id), row)).length > 0));

export function differenceOf(before: RegistryRows, after: RegistryRows, wanted: Wanted, prune: boolean): Difference {
  const notNamed = [...before.keys()].filter((id) => !wanted.has(id));
  const kept = [...before].filter(([id]) => !prune || wanted.has(id));
  const changed = kept
    .map(([id, row]) => ({ id, fields: fieldsThatDiffer(row, after.get(id) ?? row) }))
    .filter(({ fields }) => Object.keys(fields).length > 0);
  return {
    created: [...wanted.keys()].filter((id) => !before.has(id)),
    changed,
    unchanged: kept.length - changed.length,
    absent: prune ? [] : notNamed,
    removed: prune ? notNamed : [],
  };
}

function fieldsThatDiffer(before: RegistryRow | undefined, after: RegistryRow): ChangedEntry['fields'] {
  const different = Object.entries(after).filter(([name, value]) => before?.[name] !== value);
  return Object.fromEntries(different.map(([name, to]) => [name, { from: before?.[name] ?? null, to }]));
}

function rootOf(feederId: string, feeders: RegistryRows): string {
  let id = feederId;
  for (let steps = 0; steps <= feeders.size; steps += 1) {
    const parentId = feeders.get(id)?.['parentId'];
    if (typeof parentId !== 'string') return id;
    id = parentId;
  }
  throw new RangeError(`feeder ${feederId} hangs on itself`);
}

const given = (said: Readonly<Record<string, string | number | boolean | null | undefined>>): RegistryRow =>
  Object.fromEntries(Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
