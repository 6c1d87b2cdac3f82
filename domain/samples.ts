import type { DeviceType } from './fleet';

/** What passes between the ingest and Postgres: samples by column, and what the wire may say about the registry. */

/** Samples of devices; arrays of one length. Power in the inside sign, times in ms since the epoch. */
export interface DeviceSamples {
  readonly deviceKey: readonly number[];
  readonly sampledAtMs: readonly number[];
  /** UUIDs. */
  readonly messageId: readonly string[];
  readonly powerKw: readonly number[];
  readonly energyKwh: readonly (number | null)[];
  readonly soc: readonly (number | null)[];
  readonly voltageV: readonly (number | null)[];
  readonly currentA: readonly (number | null)[];
  readonly online: readonly boolean[];
  readonly faultCode: readonly (string | null)[];
}

/** Flows measured at feeder nodes; arrays of one length. */
export interface MeterSamples {
  readonly feederId: readonly string[];
  readonly sampledAtMs: readonly number[];
  readonly messageId: readonly string[];
  readonly flowKw: readonly number[];
}

/**
 * What became of a batch that Postgres looked at. `stored` leaves out samples that were there already. A refused batch
 * was not stored at all: for one row's fault, for a day without a partition, or for a device or feeder that was
 * removed meanwhile. That Postgres could not be reached or is not well is an error, not an outcome.
 */
export type StoreOutcome =
  | { readonly stored: number }
  | { readonly refused: 'row' | 'no-partition' | 'registry-changed'; readonly detail: string };

export type Origin = 'registry' | 'wire';

/** What the ingest needs to know about a device. */
export interface RegisteredDevice {
  readonly deviceKey: number;
  readonly deviceId: string;
  readonly deviceType: DeviceType;
  /** null = as the contract counts. */
  readonly sign: 'load' | 'generator' | null;
  readonly feederId: string;
  /** `registry`: an operator has set it and the wire may no longer change it. */
  readonly feederOrigin: Origin;
  readonly ratingOrigin: Origin;
  readonly maxImportKw: number | null;
  readonly maxExportKw: number | null;
}

/** A device that was first seen on the wire. */
export interface Newcomer {
  readonly deviceId: string;
  readonly deviceType: DeviceType;
  readonly feederId: string;
  readonly maxImportKw: number | null;
  readonly maxExportKw: number | null;
}

/** What a known device says about itself; null = says nothing. */
export interface WireChange {
  readonly deviceId: string;
  readonly feederId: string | null;
  readonly maxImportKw: number | null;
  readonly maxExportKw: number | null;
  /** Of the sample that says so: a late one changes nothing. */
  readonly sampledAtMs: number;
}

/** What the wire may add to the registry. */
export interface WireLimits {
  readonly maxFeeders: number;
  readonly maxDevices: number;
  /** Import and export limit of a feeder first seen on the wire. */
  readonly feederLimitKw: number;
  readonly intervalSeconds: number;
}

export interface WireAdditions {
  readonly devices: readonly RegisteredDevice[];
  /** Roots that are there since this call. */
  readonly newFeeders: readonly string[];
  readonly newDevices: number;
}
