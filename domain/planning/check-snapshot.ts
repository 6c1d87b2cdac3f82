import { DermsError, type ErrorCode } from '../errors';
import type { ActiveDispatch, Device, FeederNode, LastMove, TreeSnapshot } from '../fleet';

/**
 * Refuses numbers that no plan can be made from, so that a NaN never travels on into setpoints.
 *
 * @throws {DermsError} `FEEDER_TREE_INVALID` or `DEVICE_INVALID`, naming the feeder or device and the field.
 */
export function checkSnapshot({ nowMs, settings, feeders, devices, dispatches, envelopes }: TreeSnapshot): void {
  check('FEEDER_TREE_INVALID', 'the plan', { finite: { nowMs }, positive: { ...settings } });
  for (const feeder of feeders) checkFeeder(feeder);
  for (const dispatch of dispatches) checkDispatch(dispatch);
  for (const { envelopeId, importLimitKw, exportLimitKw } of envelopes) {
    check('FEEDER_TREE_INVALID', `envelope ${envelopeId}`, { positive: { importLimitKw, exportLimitKw } });
  }
  const known = new Set<string>();
  for (const device of devices) {
    if (known.has(device.deviceId)) throw new DermsError('DEVICE_INVALID', `device ${device.deviceId} is listed twice`);
    known.add(device.deviceId);
    checkDevice(device);
  }
}

function checkFeeder({ feederId, importLimitKw, exportLimitKw, baseLoadKw, meter }: FeederNode): void {
  check('FEEDER_TREE_INVALID', `feeder ${feederId}`, {
    finite: {
      baseLoadKw,
      'meter.flowKw': meter?.flowKw,
      'meter.worstUncontrolledKw.highKw': meter?.worstUncontrolledKw?.highKw,
      'meter.worstUncontrolledKw.lowKw': meter?.worstUncontrolledKw?.lowKw,
      'meter.lastUncontrolledKw.highKw': meter?.lastUncontrolledKw?.highKw,
      'meter.lastUncontrolledKw.lowKw': meter?.lastUncontrolledKw?.lowKw,
    },
    positive: { importLimitKw, exportLimitKw, 'meter.ageSeconds': meter?.ageSeconds },
  });
}

function checkDispatch({
  dispatchId,
  importLimitKw,
  exportLimitKw,
  targetKw,
  primacy,
  acceptedAtMs,
}: ActiveDispatch): void {
  check('FEEDER_TREE_INVALID', `dispatch ${dispatchId}`, {
    finite: { targetKw, primacy, acceptedAtMs },
    positive: { importLimitKw, exportLimitKw },
  });
}

function checkDevice(device: Device): void {
  if (isSound(device)) return;
  const { reading, acknowledged, pending, lastMove } = device;
  check('DEVICE_INVALID', `device ${device.deviceId}`, {
    finite: {
      defaultPowerKw: device.defaultPowerKw,
      scheduledPowerKw: device.scheduledPowerKw,
      reserveSoc: device.reserveSoc,
      targetSoc: device.targetSoc,
      notFollowingUntilMs: device.notFollowingUntilMs,
      waitsSinceMs: device.waitsSinceMs,
      waitedUntilMs: device.waitedUntilMs,
      'reading.powerKw': reading?.powerKw,
      'reading.soc': reading?.soc,
      'reading.ageSeconds': reading?.ageSeconds,
      'acknowledged.targetKw': acknowledged?.targetKw,
      'acknowledged.validUntilMs': acknowledged?.validUntilMs,
      'pending.targetKw': pending?.targetKw,
      'pending.lowKw': pending?.lowKw,
      'pending.highKw': pending?.highKw,
      'pending.validUntilMs': pending?.validUntilMs,
      ...(lastMove === null ? {} : named('lastMove', lastMove)),
    },
    positive: {
      maxImportKw: device.maxImportKw,
      maxExportKw: device.maxExportKw,
      minImportKw: device.minImportKw,
      weight: device.weight,
      rampKwPerS: device.rampKwPerS,
      offSetpointCycles: device.offSetpointCycles,
    },
  });
}

/** The quick way for the many that are in order: one sum is finite only when all of its parts are. */
function isSound(device: Device): boolean {
  const { reading, acknowledged, pending, lastMove, maxImportKw, maxExportKw, rampKwPerS } = device;
  const sum =
    (device.defaultPowerKw ?? 0) +
    device.scheduledPowerKw +
    device.reserveSoc +
    device.targetSoc +
    (device.notFollowingUntilMs ?? 0) +
    (device.waitsSinceMs ?? 0) +
    (device.waitedUntilMs ?? 0) +
    (reading === null ? 0 : reading.powerKw + (reading.soc ?? 0) + reading.ageSeconds) +
    (acknowledged === null ? 0 : acknowledged.targetKw + acknowledged.validUntilMs) +
    (pending === null ? 0 : pending.targetKw + pending.lowKw + pending.highKw + pending.validUntilMs) +
    (lastMove === null ? 0 : sumOf(lastMove));
  const least = Math.min(
    maxImportKw ?? 0,
    maxExportKw ?? 0,
    device.minImportKw,
    device.weight,
    rampKwPerS ?? 0,
    device.offSetpointCycles,
  );
  const most = (maxImportKw ?? 0) + (maxExportKw ?? 0) + device.minImportKw + device.weight + (rampKwPerS ?? 0);
  return Number.isFinite(sum + most) && least >= 0;
}

const sumOf = ({ atMs, fromLowKw, fromHighKw, ranLowKw, ranHighKw }: LastMove): number =>
  atMs + fromLowKw + fromHighKw + ranLowKw + ranHighKw;

const named = (prefix: string, numbers: LastMove): Numbers =>
  Object.fromEntries(Object.entries(numbers).map(([field, value]) => [`${prefix}.${field}`, value as number]));

type Numbers = Readonly<Record<string, number | null | undefined>>;

function check(code: ErrorCode, name: string, { finite, positive }: { finite?: Numbers; positive: Numbers }): void {
  for (const [field, value] of given({ ...finite, ...positive })) {
    if (!Number.isFinite(value)) {
      throw new DermsError(code, `${name}: ${field} is ${String(value)}, not a finite number`);
    }
  }
  for (const [field, value] of given(positive)) {
    if (value < 0) throw new DermsError(code, `${name}: ${field} is ${String(value)}, below 0`);
  }
}

const given = (numbers: Numbers): [field: string, value: number][] =>
  Object.entries(numbers).flatMap(([field, value]) => (value === null || value === undefined ? [] : [[field, value]]));
