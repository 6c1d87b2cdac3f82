import type { EmergencyStopRecord } from '../../db/emergency-stops';
import type { Actor } from '../../db/audit';
import type { DeviceToStop } from '../../domain/emergency-stop';
import type { SafeState } from '../../domain/fleet';

export interface EmergencyStopPort {
  /** Newest first; the one in force is the one that is not lifted. */
  list(): Promise<readonly EmergencyStopRecord[]>;
  /**
   * Through Postgres and the broker at once, whichever of them answers.
   *
   * @throws {DermsError} DATABASE_UNAVAILABLE when neither does: nothing was stopped.
   */
  engage(order: EngageOrder): Promise<StopEngaged>;
  /** @throws {DermsError} NOT_STOPPED, DATABASE_UNAVAILABLE. */
  lift(order: { readonly reason: string; readonly actor: Actor }): Promise<StopLifted>;
}

export interface EngageOrder {
  readonly safeState: SafeState;
  readonly reason: string;
  readonly actor: Actor;
}

export interface StopEngaged {
  /** The stop that every plan obeys from now on. */
  readonly stopId: string;
  /** null: written; else why not, and the workers write it down when Postgres is back. */
  readonly databaseFailure: string | null;
  /** null: the broker holds it and the devices were told; else why not, and the loops tell them when it is back. */
  readonly brokerFailure: string | null;
  readonly devicesTold: number;
  /** Ids of devices that the broker has no safe setpoint of yet. */
  readonly devicesNotTold: readonly string[];
  readonly rootFeederIds: readonly string[];
}

export interface StopLifted {
  readonly stop: EmergencyStopRecord;
  readonly rootFeederIds: readonly string[];
}

/** A stop on its way to the devices, straight through the broker; `broker/fleet-stop.ts` is one. */
export interface FleetStop {
  tell(devices: readonly DeviceToStop[]): void;
  /** The broker holds the stop, and those heard of at once are told. */
  readonly first: Promise<FleetStopReport>;
  /** Devices that were heard later are told, too. */
  readonly done: Promise<FleetStopReport>;
}

export interface FleetStopReport {
  readonly told: number;
  /** Ids of devices that the broker has no safe setpoint of. */
  readonly untold: readonly string[];
  /** Brokers (`host:port`) that were not there: the loops tell their devices when they are back. */
  readonly missed: readonly string[];
}
