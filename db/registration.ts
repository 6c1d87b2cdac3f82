import { DermsError } from '../domain/errors';
import type {
  Newcomer,
  RegisteredDevice,
  StoreOutcome,
  WireAdditions,
  WireChange,
  WireLimits,
} from '../domain/samples';
import { lockRegistry } from './feeder-tree';
import type { Database, Queryable } from './pool';
import { refusalOf } from './telemetry-store';

type Refused = Extract<StoreOutcome, { refused: string }>;

/**
 * What the wire may do to the registry: add devices and roots up to a bound, and change where a device hangs and what
 * it can do for as long as no operator has said so. Under the registry's lock, so that the bounds hold for several
 * processes together.
 */
export const createWireRegistry = (db: Database) => ({
  find: (deviceIds: readonly string[]): Promise<RegisteredDevice[]> => findDevices(db, deviceIds),

  async findFeeders(feederIds: readonly string[]): Promise<string[]> {
    return [...(await existingFeeders(db, feederIds))];
  },

  /** Devices that are not in the answer found no place. Those already known are answered as they are. */
  register: (newcomers: readonly Newcomer[], limits: WireLimits): Promise<WireAdditions | Refused> =>
    orRefused(
      db.transaction(async (tx) => {
        await lockRegistry(tx);
        const known = new Set((await findDevices(tx, newcomers.map(deviceIdOf))).map(deviceIdOf));
        const feeders = await FeederPlaces.look(tx, newcomers.map(feederIdOf), limits);
        let places = limits.maxDevices - (await countOf(tx, 'devices', 'feeder_origin'));
        const admitted: Newcomer[] = [];
        for (const newcomer of newcomers) {
          if (known.has(newcomer.deviceId) || places <= 0 || !feeders.take(newcomer.feederId)) continue;
          places -= 1;
          admitted.push(newcomer);
        }
        await addRoots(tx, feeders.taken, limits);
        await addDevices(tx, admitted);
        const devices = await findDevices(tx, newcomers.map(deviceIdOf));
        return { devices, newFeeders: feeders.taken, newDevices: admitted.length };
      }),
    ),

  /** Follows what devices say about themselves, where the registry leaves it to them. Answers how they stand now. */
  follow: (changes: readonly WireChange[], limits: WireLimits): Promise<WireAdditions | Refused> =>
    orRefused(
      db.transaction(async (tx) => {
        await lockRegistry(tx);
        const current = await currentChanges(tx, changes);
        const wanted = current.filter(({ mayMove }) => mayMove).flatMap(({ feederId }) => feederId ?? []);
        const feeders = await FeederPlaces.look(tx, wanted, limits);
        for (const feederId of wanted) feeders.take(feederId);
        await addRoots(tx, feeders.taken, limits);
        await applyChanges(tx, current);
        return { devices: await findDevices(tx, changes.map(deviceIdOf)), newFeeders: feeders.taken, newDevices: 0 };
      }),
    ),
});

/** Which feeders there are, and how many more the wire may add. */
class FeederPlaces {
  readonly taken: string[] = [];

  private constructor(
    private readonly existing: Set<string>,
    private places: number,
  ) {}

  static async look(tx: Queryable, feederIds: readonly string[], limits: WireLimits): Promise<FeederPlaces> {
    const existing = await existingFeeders(tx, feederIds);
    return new FeederPlaces(existing, limits.maxFeeders - (await countOf(tx, 'feeders', 'origin')));
  }

  /** false when the feeder is not there and no more may be added. */
  take(feederId: string): boolean {
    if (this.existing.has(feederId)) return true;
    if (this.places <= 0) return false;
    this.places -= 1;
    this.existing.add(feederId);
    this.taken.push(feederId);
    return true;
  }
}

async function orRefused(additions: Promise<WireAdditions>): Promise<WireAdditions | Refused> {
  try {
    return await additions;
  } catch (error) {
    if (refusalOf(error) === null) throw error;
    return { refused: 'row', detail: error instanceof Error ? error.message : String(error) };
  }
}

async function findDevices(db: Queryable, deviceIds: readonly string[]): Promise<RegisteredDevice[]> {
  const { rows } = await db.query<RegisteredDevice>(
    `select device_key as "deviceKey", device_id as "deviceId", device_type as "deviceType", sign,
            feeder_id as "feederId", feeder_origin as "feederOrigin", rating_origin as "ratingOrigin",
            max_import_kw as "maxImportKw", max_export_kw as "maxExportKw"
       from devices where device_id = any($1::text[])`,
    [deviceIds],
  );
  return rows;
}

async function existingFeeders(db: Queryable, feederIds: readonly string[]): Promise<Set<string>> {
  const { rows } = await db.query<{ feeder_id: string }>(
    'select feeder_id from feeders where feeder_id = any($1::text[])',
    [feederIds],
  );
  return new Set(rows.map(({ feeder_id }) => feeder_id));
}

/** An operator who sets a feeder takes it, or the device on it, over from the wire: it counts no longer. */
async function countOf(
  tx: Queryable,
  table: 'feeders' | 'devices',
  origin: 'origin' | 'feeder_origin',
): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(
    `select count(*)::integer as count from ${table} where ${origin} = 'wire'`,
  );
  if (rows[0] === undefined) throw new DermsError('INTERNAL', 'a count has no row');
  return rows[0].count;
}

async function addRoots(tx: Queryable, feederIds: readonly string[], limits: WireLimits): Promise<void> {
  if (feederIds.length === 0) return;
  await tx.query(
    `insert into feeders (feeder_id, root_id, import_limit_kw, export_limit_kw, interval_seconds, origin)
     select id, id, $2, $2, $3, 'wire' from unnest($1::text[]) as id
     on conflict (feeder_id) do nothing`,
    [feederIds, limits.feederLimitKw, limits.intervalSeconds],
  );
}

async function addDevices(tx: Queryable, newcomers: readonly Newcomer[]): Promise<void> {
  if (newcomers.length === 0) return;
  await tx.query(
    `insert into devices (device_id, device_type, feeder_id, max_import_kw, max_export_kw, feeder_origin, rating_origin)
     select device_id, device_type, feeder_id, max_import_kw, max_export_kw, 'wire', 'wire'
       from unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::float8[])
         as given (device_id, device_type, feeder_id, max_import_kw, max_export_kw)
     on conflict (device_id) do nothing`,
    [
      newcomers.map(deviceIdOf),
      newcomers.map(({ deviceType }) => deviceType),
      newcomers.map(feederIdOf),
      newcomers.map(({ maxImportKw }) => maxImportKw),
      newcomers.map(({ maxExportKw }) => maxExportKw),
    ],
  );
}

/** Without those of samples that are older than the device's state: what a device said then is no news. */
async function currentChanges(
  tx: Queryable,
  changes: readonly WireChange[],
): Promise<(WireChange & { readonly mayMove: boolean })[]> {
  const { rows } = await tx.query<{ device_id: string; may_move: boolean }>(
    `select d.device_id, d.feeder_origin = 'wire' as may_move
       from unnest($1::text[], $2::float8[]) as g (device_id, sampled_ms)
       join devices d on d.device_id = g.device_id
       left join device_state s on s.device_key = d.device_key
      where s.sampled_at is null or s.sampled_at <= to_timestamp(g.sampled_ms / 1000)`,
    [changes.map(deviceIdOf), changes.map(({ sampledAtMs }) => sampledAtMs)],
  );
  const mayMove = new Map(rows.map(({ device_id, may_move }) => [device_id, may_move]));
  return changes.flatMap((change) => {
    const may = mayMove.get(change.deviceId);
    return may === undefined ? [] : [{ ...change, mayMove: may }];
  });
}

/** A feeder that found no place is not there, and the device stays where it is. */
async function applyChanges(tx: Queryable, changes: readonly WireChange[]): Promise<void> {
  if (changes.length === 0) return;
  await tx.query(
    `with wanted as (
       select d.device_key,
              case d.feeder_origin when 'wire' then coalesce(f.feeder_id, d.feeder_id) else d.feeder_id end as feeder_id,
              case d.rating_origin when 'wire' then coalesce(g.import_kw, d.max_import_kw) else d.max_import_kw end
                as import_kw,
              case d.rating_origin when 'wire' then coalesce(g.export_kw, d.max_export_kw) else d.max_export_kw end
                as export_kw
         from unnest($1::text[], $2::text[], $3::float8[], $4::float8[]) as g (device_id, feeder_id, import_kw, export_kw)
         join devices d on d.device_id = g.device_id
         left join feeders f on f.feeder_id = g.feeder_id)
     update devices d
        set feeder_id = w.feeder_id, max_import_kw = w.import_kw, max_export_kw = w.export_kw,
            revision = d.revision + 1, updated_at = now()
       from wanted w
      where w.device_key = d.device_key
        and (d.feeder_id, d.max_import_kw, d.max_export_kw) is distinct from (w.feeder_id, w.import_kw, w.export_kw)`,
    [
      changes.map(deviceIdOf),
      changes.map(feederIdOf),
      changes.map(({ maxImportKw }) => maxImportKw),
      changes.map(({ maxExportKw }) => maxExportKw),
    ],
  );
}

const deviceIdOf = ({ deviceId }: { readonly deviceId: string }): string => deviceId;
const feederIdOf = <T extends string | null>({ feederId }: { readonly feederId: T }): T => feederId;
