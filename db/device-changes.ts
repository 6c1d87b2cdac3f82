import { DermsError, type FieldFault } from '../domain/errors';
import { checkPreconditions, type Preconditions } from '../domain/preconditions';
import { appendAudit, type Actor } from './audit';
import { settableFields, type DeviceFields, type DeviceRecord, type SilenceLimits } from './device-record';
import { readDevice } from './devices';
import { lockRegistry } from './feeder-tree';
import type { Database, Queryable } from './pool';

export interface DeviceChange {
  readonly deviceId: string;
  readonly fields: Partial<DeviceFields>;
  readonly preconditions: Preconditions;
  readonly actor: Actor;
}

export interface DeviceChanged {
  readonly device: DeviceRecord;
  readonly rootsTouched: readonly string[];
}

/**
 * Changes what is named and leaves the rest. Feeder and rating are from then on the registry's: the wire may no longer
 * change them; ratings that are both taken back (null) are the wire's again.
 *
 * @throws {DermsError} DEVICE_NOT_FOUND, REVISION_MISSING, REVISION_CONFLICT, DEVICE_INVALID.
 */
export const patchDevice = (
  db: Database,
  { deviceId, fields, preconditions, actor }: DeviceChange,
  silence: SilenceLimits,
): Promise<DeviceChanged> =>
  db.transaction(async (tx) => {
    await lockRegistry(tx);
    await tx.query('select 1 from devices where device_id = $1 for no key update', [deviceId]);
    const before = await readDevice(tx, deviceId, silence);
    checkPreconditions(`device ${deviceId}`, before.revision, preconditions);
    const wanted: DeviceFields = { ...settableFields(before), ...fields };
    await checkFields(tx, wanted);
    const rated = 'maxImportKw' in fields || 'maxExportKw' in fields;
    const ratingOrigin = wanted.maxImportKw === null && wanted.maxExportKw === null ? 'wire' : 'registry';
    await tx.query(
      `update devices
          set feeder_id = $2, name = $3, sign = $4, max_import_kw = $5, max_export_kw = $6, min_import_kw = $7,
              default_power_kw = $8, honours_expiry = $9, weight = $10, reserve_soc = $11, target_soc = $12,
              scheduled_power_kw = $13, ramp_kw_per_s = $14, enabled = $15, feeder_origin = $16, rating_origin = $17,
              revision = revision + 1, updated_at = now()
        where device_id = $1`,
      [
        deviceId,
        ...[wanted.feederId, wanted.name, wanted.sign, wanted.maxImportKw, wanted.maxExportKw, wanted.minImportKw],
        ...[wanted.defaultPowerKw, wanted.honoursExpiry, wanted.weight, wanted.reserveSoc, wanted.targetSoc],
        ...[wanted.scheduledPowerKw, wanted.rampKwPerS, wanted.enabled],
        'feederId' in fields ? 'registry' : before.feederOrigin,
        rated ? ratingOrigin : before.ratingOrigin,
      ],
    );
    const device = await readDevice(tx, deviceId, silence);
    await appendAudit(tx, actor, {
      action: 'device.change',
      subject: deviceId,
      outcome: 'done',
      detail: { before: settableFields(before), after: settableFields(device) },
    });
    return { device, rootsTouched: [...new Set([before.rootFeederId, device.rootFeederId])] };
  });

async function checkFields(tx: Queryable, wanted: DeviceFields): Promise<void> {
  const faults: FieldFault[] = [];
  const { rowCount } = await tx.query('select 1 from feeders where feeder_id = $1', [wanted.feederId]);
  if (rowCount === 0) faults.push({ pointer: '/feederId', message: `there is no feeder ${wanted.feederId}` });
  if (wanted.maxImportKw !== null && wanted.minImportKw > wanted.maxImportKw) {
    faults.push({ pointer: '/minImportKw', message: 'is more than maxImportKw' });
  }
  if (wanted.reserveSoc > wanted.targetSoc) {
    faults.push({ pointer: '/reserveSoc', message: 'is more than targetSoc' });
  }
  if (faults.length > 0) throw new DermsError('DEVICE_INVALID', 'The device would not be sound.', { faults });
}
