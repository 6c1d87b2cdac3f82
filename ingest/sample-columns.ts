import type { DeviceSamples, MeterSamples } from '../domain/samples';
import { turned } from '../contracts/sign';
import type { KnownDevice } from './known-device';
import type { ReceivedMeasurement, ReceivedSample } from './batch';

/** A sample whose device is in the registry. */
export type IdentifiedSample = ReceivedSample & { device: KnownDevice };

/** Samples by column; here, and only here, power is turned into the inside sign. */
export function deviceColumns(samples: readonly IdentifiedSample[]): DeviceSamples {
  const columns = {
    deviceKey: new Array<number>(samples.length),
    sampledAtMs: new Array<number>(samples.length),
    messageId: new Array<string>(samples.length),
    powerKw: new Array<number>(samples.length),
    energyKwh: new Array<number | null>(samples.length),
    soc: new Array<number | null>(samples.length),
    voltageV: new Array<number | null>(samples.length),
    currentA: new Array<number | null>(samples.length),
    online: new Array<boolean>(samples.length),
    faultCode: new Array<string | null>(samples.length),
  };
  samples.forEach(({ telemetry, device: { registered } }, row) => {
    columns.deviceKey[row] = registered.deviceKey;
    columns.sampledAtMs[row] = telemetry.timestampMs;
    columns.messageId[row] = telemetry.messageId;
    columns.powerKw[row] = turned(telemetry.powerKw, telemetry.deviceType, registered.sign);
    columns.energyKwh[row] = telemetry.energyKwh;
    columns.soc[row] = telemetry.soc;
    columns.voltageV[row] = telemetry.voltageV;
    columns.currentA[row] = telemetry.currentA;
    columns.online[row] = telemetry.online;
    columns.faultCode[row] = telemetry.faultCode;
  });
  return columns;
}

/** A meter's flow is import positive on the wire already. */
export const meterColumns = (measurements: readonly ReceivedMeasurement[]): MeterSamples => ({
  feederId: measurements.map(({ measurement }) => measurement.feederId),
  sampledAtMs: measurements.map(({ measurement }) => measurement.timestampMs),
  messageId: measurements.map(({ measurement }) => measurement.messageId),
  flowKw: measurements.map(({ measurement }) => measurement.flowKw),
});
