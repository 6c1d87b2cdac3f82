/**
 * What a plan is made from: one consistent picture of a feeder tree at one moment.
 *
 * Power is kW, positive from the grid into the device; energy kWh; `soc` a fraction 0..1; times are
 * milliseconds since the epoch on Postgres' clock. Everything here is plain data, so that a stored
 * cycle can be planned again, to the bit, from its recorded input.
 */

export type DeviceType = 'pv' | 'battery' | 'ev';
export type ControlMode = 'automatic' | 'manual' | 'disabled';

/** One node of the tree. Limits are >= 0 and unsigned: -exportLimitKw <= flow <= importLimitKw. */
export interface FeederNode {
  readonly feederId: string;
  /** null for the root, which is the only node without a parent. */
  readonly parentId: string | null;
  readonly importLimitKw: number;
  readonly exportLimitKw: number;
  /** Uncontrolled load assumed at this node (its own, not its children's) when it has no meter; kW, import positive. */
  readonly baseLoadKw: number;
  /** Latest measured flow through this node; null when the node has no meter. */
  readonly meter: MeterReading | null;
}

export interface MeterReading {
  readonly flowKw: number;
  /** Seconds since it was measured, corrected for the meter's clock offset. */
  readonly ageSeconds: number;
  /** Highest and lowest uncontrolled flow that plans derived from this meter in about the last hour; null before the first. */
  readonly worstUncontrolledKw: { readonly highKw: number; readonly lowKw: number } | null;
  /** Span in which the plan before this one believed the uncontrolled flow to be; null before the first. */
  readonly lastUncontrolledKw: { readonly highKw: number; readonly lowKw: number } | null;
}

/** The latest sample of a device, already in the inside sign. */
export interface DeviceReading {
  readonly powerKw: number;
  readonly soc: number | null;
  readonly ageSeconds: number;
  readonly online: boolean;
  readonly faultCode: string | null;
}

/** A setpoint as it was sent, in the inside sign (a PV cap of 40 kW generation is -40). */
export interface Command {
  readonly targetKw: number;
  readonly validUntilMs: number;
}

/** When a plan last gave a device another target; and, since it was last at rest, what it was told and did before that. */
export interface LastMove {
  readonly atMs: number;
  /** Span of the targets before. */
  readonly fromLowKw: number;
  readonly fromHighKw: number;
  /** Span of what it measured when it was told to move. */
  readonly ranLowKw: number;
  readonly ranHighKw: number;
}

/** Everything that was sent since the last acknowledgement: newest target, and the span of all of it. */
export interface PendingCommand extends Command {
  readonly lowKw: number;
  readonly highKw: number;
}

export interface Device {
  readonly deviceId: string;
  readonly deviceType: DeviceType;
  readonly feederId: string;
  /** Most it may draw, kW >= 0; null when nobody has said. */
  readonly maxImportKw: number | null;
  /** Most it may give, kW >= 0; null when nobody has said. */
  readonly maxExportKw: number | null;
  /** An EV charges at 0 or at least this, kW >= 0. */
  readonly minImportKw: number;
  /** What it does when no valid command is in force; null = the type's own (EV 0, battery 0, PV its rating). */
  readonly defaultPowerKw: number | null;
  /** false: it goes on with its last command for ever. */
  readonly honoursExpiry: boolean;
  /** Share of scarce headroom, >= 0; a higher weight keeps more, 0 is served last. */
  readonly weight: number;
  /** Battery: never discharged below this soc. */
  readonly reserveSoc: number;
  /** EV: wants its maximum below this soc. Battery: never charged above it. */
  readonly targetSoc: number;
  /** Battery schedule, kW, + charges; 0 = idle. */
  readonly scheduledPowerKw: number;
  /** Restore ramp, kW/s > 0; null = no ramp. Never slows a cut. */
  readonly rampKwPerS: number | null;
  readonly reading: DeviceReading | null;
  /** Last command the broker acknowledged. */
  readonly acknowledged: Command | null;
  /** Its last change of target; null when there was none. */
  readonly lastMove: LastMove | null;
  /** Sent after `acknowledged` and not acknowledged: the device may or may not have any of it. */
  readonly pending: PendingCommand | null;
  /** Cycles in a row that it was off its setpoint by more than the tolerance. */
  readonly offSetpointCycles: number;
  /** Until then it is planned at what it measures; null when it follows. */
  readonly notFollowingUntilMs: number | null;
  /** EV with a minimum: since when it waits for its turn; null while it does not. */
  readonly waitsSinceMs: number | null;
  /** When its last wait for its turn ended; null when it never waited. */
  readonly waitedUntilMs: number | null;
}

/** A dispatch in force at the moment of the plan. */
export interface ActiveDispatch {
  readonly dispatchId: string;
  readonly feederId: string;
  readonly importLimitKw: number | null;
  readonly exportLimitKw: number | null;
  /** Signed flow to hold at the node, import positive. */
  readonly targetKw: number | null;
  /** Lower wins. */
  readonly primacy: number;
  readonly acceptedAtMs: number;
}

/** Limits that somebody outside, such as the network operator, has published for a stretch of time. */
export interface OperatingEnvelope {
  readonly envelopeId: string;
  readonly feederId: string;
  /** Who published it. */
  readonly source: string;
  /** kW >= 0; null = says nothing of that side. */
  readonly importLimitKw: number | null;
  readonly exportLimitKw: number | null;
}

/** Numbers of the policy; each is configuration (see config/) with its source there. */
export interface PlanSettings {
  readonly intervalSeconds: number;
  /** A reading or meter older than this is stale. Default 30. */
  readonly staleSeconds: number;
  /** A device silent for longer is offline. Default 180. */
  readonly offlineSeconds: number;
  /** Setpoints live this long: max(60 s, 6 x interval). */
  readonly setpointTtlSeconds: number;
  /** Changes smaller than this keep the old setpoint when every ancestor still holds. Default 0.1 kW. */
  readonly deadbandKw: number;
  /** Off-setpoint tolerance: the larger of this and `followingToleranceShare` of the rating. */
  readonly followingToleranceKw: number;
  readonly followingToleranceShare: number;
  /** A device has reached its new setpoint after this. Default 5. */
  readonly settleSeconds: number;
  /** Cycles in a row off its setpoint before a device counts as not following. Default 3. */
  readonly notFollowingAfterCycles: number;
  /** A device that does not follow is tried again after this long. Default 300. */
  readonly notFollowingRetrySeconds: number;
  /** A device this close to its cap or allowance is held by it; share of its rating. Default 0.02. */
  readonly heldWithinShare: number;
  /** A device below its cap or allowance may use this much more before the next cycle; share of its rating. Default 0.1. */
  readonly growthShare: number;
  /** An EV waits no longer than this for its turn while others charge. Default 900. */
  readonly rotationSeconds: number;
  /** An EV that was told to wait starts again after this at the earliest. Default 60. */
  readonly leastWaitSeconds: number;
  /** An empty EV counts as many times what one at its target soc counts, >= 1. Default 2. */
  readonly evUrgencyMost: number;
}

/** Where an emergency stop sends every device: to its own default, or to 0 kW (a PV generates nothing). */
export type SafeState = 'default' | 'zero';

/** An emergency stop that nobody has lifted: while there is one, every plan is this and nothing else. */
export interface EmergencyStop {
  readonly stopId: string;
  readonly safeState: SafeState;
}

/** Everything `planTree` looks at. */
export interface TreeSnapshot {
  readonly nowMs: number;
  readonly mode: ControlMode;
  readonly settings: PlanSettings;
  readonly feeders: readonly FeederNode[];
  readonly devices: readonly Device[];
  readonly dispatches: readonly ActiveDispatch[];
  /** In force now or before the next cycle, so that one that begins in between is obeyed in time. */
  readonly envelopes: readonly OperatingEnvelope[];
  /** In force; left out while there is none. */
  readonly emergencyStop?: EmergencyStop;
}
