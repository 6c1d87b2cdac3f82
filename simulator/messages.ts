import { createHash } from 'node:crypto';
import type { Envelope } from '../contracts/envelope';
import { turned } from '../contracts/sign';
import type { Capabilities } from '../contracts/telemetry';
import type { DeviceType } from '../domain/fleet';
import type { DeviceTraits, SimulatedDevice } from './simulated-device';

type TelemetryMessage = Envelope<
  'telemetry',
  {
    readonly readings: {
      readonly powerKw: number;
      readonly energyKwh: number;
      readonly soc?: number;
      readonly voltageV: number;
      readonly currentA: number;
    };
    readonly status: { readonly online: boolean; readonly faultCode?: string };
    readonly capabilities: Capabilities;
    readonly feederId: string;
  }
> & { readonly deviceId: string; readonly deviceType: DeviceType };

type MeasurementMessage = Envelope<'measurement', { readonly flowKw: number }> & { readonly feederId: string };

/** Three phases of 230 V. */
const VOLTAGE_V = 400;
const AMPERES_PER_KW = 1000 / (Math.sqrt(3) * VOLTAGE_V);

/** Writes what one device says; what never changes is made once. */
export function telemetryWriter(traits: DeviceTraits): (device: SimulatedDevice, timestampMs: number) => string {
  const { deviceId, deviceType, feederId, sign } = traits;
  const messageId = messageIdsOf(`${deviceType}/${deviceId}`);
  const capabilities = capabilitiesOf(traits);
  return ({ powerKw, soc, energyKwh, behaviour }, timestampMs) => {
    const wireKw = watts(turned(powerKw, deviceType, sign));
    const message: TelemetryMessage = {
      v: 1,
      messageType: 'telemetry',
      messageId: messageId(timestampMs),
      deviceId,
      deviceType,
      timestampMs,
      source: 'simulator',
      payload: {
        readings: {
          powerKw: wireKw,
          energyKwh: watts(energyKwh),
          ...(soc === null ? {} : { soc: Math.round(soc * 1e4) / 1e4 }),
          voltageV: VOLTAGE_V,
          currentA: watts(wireKw * AMPERES_PER_KW),
        },
        status: {
          online: !behaviour.offline,
          ...(behaviour.faultCode === null ? {} : { faultCode: behaviour.faultCode }),
        },
        capabilities,
        feederId,
      },
    };
    return JSON.stringify(message);
  };
}

/** Writes what a feeder's meter says. */
export function measurementWriter(feederId: string): (flowKw: number, timestampMs: number) => string {
  const messageId = messageIdsOf(`meter/${feederId}`);
  return (flowKw, timestampMs) => {
    const message: MeasurementMessage = {
      v: 1,
      messageType: 'measurement',
      messageId: messageId(timestampMs),
      feederId,
      timestampMs,
      source: 'simulator',
      payload: { flowKw: watts(flowKw) },
    };
    return JSON.stringify(message);
  };
}

/**
 * UUIDs of version 8 from time and sender: the same sample has the same id however often it is sent, no two samples
 * share one, and no chance is needed.
 */
function messageIdsOf(sender: string): (timestampMs: number) => string {
  const hash = createHash('sha256').update(sender).digest('hex');
  const tail = `8${hash.slice(0, 3)}-8${hash.slice(3, 6)}-${hash.slice(6, 18)}`;
  return (timestampMs) => {
    const time = timestampMs.toString(16).padStart(12, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-${tail}`;
  };
}

function capabilitiesOf({ deviceType, maxImportKw, maxExportKw }: DeviceTraits): Capabilities {
  switch (deviceType) {
    case 'pv':
      return { maxExportKw };
    case 'ev':
      return { maxImportKw };
    case 'battery':
      return { maxChargeKw: maxImportKw, maxDischargeKw: maxExportKw };
  }
}

/** Three decimals, never -0. */
const watts = (kw: number): number => Math.round(kw * 1000) / 1000 + 0;
