import type { DeviceType } from '../domain/fleet';
import {
  faultOfEnvelope,
  isFiniteNumber,
  isId,
  isRecord,
  isRefusal,
  MAX_POWER_KW,
  parseJson,
  refuse,
  shown,
  type AcceptanceWindow,
  type Refusal,
} from './envelope';
import { DEVICE_TYPES } from './topics';

/** QoS and retain of `<prefix>/telemetry/<deviceType>/<deviceId>`. */
export const telemetryDelivery = { qos: 1, retain: false } as const;

/** One sample as it came, numbers still in the wire's sign (see `sign.ts`). */
export interface Telemetry {
  readonly messageId: string;
  readonly deviceId: string;
  readonly deviceType: DeviceType;
  readonly timestampMs: number;
  readonly powerKw: number;
  readonly energyKwh: number | null;
  /** 0..1; `socScaled` says that it came as a percentage. */
  readonly soc: number | null;
  readonly socScaled: boolean;
  readonly voltageV: number | null;
  readonly currentA: number | null;
  readonly online: boolean;
  /** null when there is none; an empty string on the wire means none. */
  readonly faultCode: string | null;
  readonly capabilities: Capabilities | null;
  /** Where the device says it hangs; null when it says nothing. */
  readonly feederId: string | null;
  readonly siteId: string | null;
}

/** kW, each >= 0. */
export interface Capabilities {
  readonly maxChargeKw?: number;
  readonly maxDischargeKw?: number;
  readonly maxExportKw?: number;
  readonly maxImportKw?: number;
}

/** A fault code longer than this is cut; nobody's controller has one. */
const MAX_FAULT_CODE_LENGTH = 128;

/** Takes a message apart, tolerant of unknown fields; `topicTail` is what follows `<prefix>/telemetry/`. */
export function parseTelemetry(topicTail: string, payload: Buffer, window: AcceptanceWindow): Telemetry | Refusal {
  const message = parseJson(payload, window.maxPayloadBytes);
  if (isRefusal(message)) return message;
  const fault = faultOfEnvelope(message, 'telemetry', window);
  if (fault !== null) return fault;

  const {
    deviceId,
    deviceType,
    payload: body,
  } = message as { deviceId?: unknown; deviceType?: unknown; payload?: unknown };
  if (!isId(deviceId)) return refuse('invalid-id', `deviceId is ${shown(deviceId)}`);
  if (!isDeviceType(deviceType)) return refuse('unknown-type', `deviceType is ${shown(deviceType)}`);
  if (topicTail !== `${deviceType}/${deviceId}`) {
    return refuse('topic-mismatch', `the topic says ${shown(topicTail)}, the message ${deviceType}/${deviceId}`);
  }
  if (!isRecord(body)) return refuse('missing-field', 'payload is missing');
  return readPayload(message, deviceId, deviceType, body);
}

function readPayload(
  message: Record<string, unknown>,
  deviceId: string,
  deviceType: DeviceType,
  body: Record<string, unknown>,
): Telemetry | Refusal {
  const readings = body['readings'];
  const status = body['status'];
  if (!isRecord(readings)) return refuse('missing-field', 'payload.readings is missing');
  if (!isRecord(status)) return refuse('missing-field', 'payload.status is missing');
  const powerKw = readings['powerKw'];
  if (powerKw === undefined) return refuse('missing-field', 'payload.readings.powerKw is missing');
  if (!isFiniteNumber(powerKw) || Math.abs(powerKw) > MAX_POWER_KW) {
    return refuse('invalid-number', `payload.readings.powerKw is ${shown(powerKw)}`);
  }
  const online = status['online'];
  if (typeof online !== 'boolean') return refuse('missing-field', 'payload.status.online is missing');

  const energyKwh = optionalNumber(readings['energyKwh'], 0);
  const rawSoc = optionalNumber(readings['soc'], 0, 100);
  const voltageV = optionalNumber(readings['voltageV'], 0);
  const currentA = optionalNumber(readings['currentA'], -Infinity);
  if (energyKwh === undefined)
    return refuse('invalid-number', `payload.readings.energyKwh is ${shown(readings['energyKwh'])}`);
  if (rawSoc === undefined) return refuse('invalid-number', `payload.readings.soc is ${shown(readings['soc'])}`);
  if (voltageV === undefined)
    return refuse('invalid-number', `payload.readings.voltageV is ${shown(readings['voltageV'])}`);
  if (currentA === undefined)
    return refuse('invalid-number', `payload.readings.currentA is ${shown(readings['currentA'])}`);

  const capabilities = readCapabilities(body['capabilities']);
  if (capabilities !== null && isRefusal(capabilities)) return capabilities;
  const siteId = optionalId(body['siteId']);
  const feederId = optionalId(body['feederId']);
  if (siteId === undefined) return refuse('invalid-id', `payload.siteId is ${shown(body['siteId'])}`);
  if (feederId === undefined) return refuse('invalid-id', `payload.feederId is ${shown(body['feederId'])}`);

  const socScaled = rawSoc !== null && rawSoc > 1;
  return {
    messageId: message['messageId'] as string, // checked by faultOfEnvelope
    deviceId,
    deviceType,
    timestampMs: message['timestampMs'] as number, // checked by faultOfEnvelope
    powerKw,
    energyKwh,
    soc: socScaled ? rawSoc / 100 : rawSoc,
    socScaled,
    voltageV,
    currentA,
    online,
    faultCode: readFaultCode(status['faultCode']),
    capabilities,
    feederId: feederId ?? siteId,
    siteId,
  };
}

function readCapabilities(value: unknown): Capabilities | Refusal | null {
  if (value === undefined || value === null) return null;
  if (!isRecord(value)) return refuse('invalid-number', 'payload.capabilities is not an object');
  const capabilities: Record<string, number> = {};
  for (const name of ['maxChargeKw', 'maxDischargeKw', 'maxExportKw', 'maxImportKw']) {
    const kw = optionalNumber(value[name], 0, MAX_POWER_KW);
    if (kw === undefined) return refuse('invalid-number', `payload.capabilities.${name} is ${shown(value[name])}`);
    if (kw !== null) capabilities[name] = kw;
  }
  return capabilities;
}

const isDeviceType = (value: unknown): value is DeviceType => DEVICE_TYPES.includes(value as DeviceType);

/** null when absent, undefined when wrong. */
function optionalNumber(value: unknown, min: number, max = Infinity): number | null | undefined {
  if (value === undefined || value === null) return null;
  return isFiniteNumber(value) && value >= min && value <= max ? value : undefined;
}

/** null when absent or empty, undefined when wrong. */
function optionalId(value: unknown): string | null | undefined {
  if (value === undefined || value === null || value === '') return null;
  return isId(value) ? value : undefined;
}

function readFaultCode(value: unknown): string | null {
  if (value === undefined || value === null || value === '') return null;
  return (typeof value === 'string' ? value : shown(value)).replaceAll('\u0000', '').slice(0, MAX_FAULT_CODE_LENGTH);
}
