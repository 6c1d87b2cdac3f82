/** What a plan says: a setpoint for each device that needs a message, and why; the state of every node. */

/** Why a device got what it got. */
export interface Explanation {
  /** Position on the stacked level axis; 0 = at its want. */
  readonly level: number;
  /** Relief step that reached it: 0 none, then in relief order (design: batteries, EVs, PV). */
  readonly tier: number;
  /** The node whose limit held it, or null when nothing did. */
  readonly boundBy: string | null;
  /** What narrowed it besides a node: its bounds. */
  readonly note: DeviceNote;
}

export type DeviceNote =
  | 'free'
  | 'bound-by-node'
  /** An EV whose minimum does not fit: others charge meanwhile. */
  | 'waits-for-turn'
  /** Its raise waits until what makes room for it is measured. */
  | 'waits-for-relief'
  | 'at-rating'
  | 'soc-limit'
  | 'ramping'
  | 'deadband'
  | 'silent'
  /** It does not do what it was told yet: counts at what it measures and is asked on. */
  | 'off-setpoint'
  | 'not-following'
  | 'unrated'
  | 'fault'
  | 'default'
  /** An emergency stop sends it to its safe state. */
  | 'emergency-stop';

export interface DevicePlan {
  readonly deviceId: string;
  readonly feederId: string;
  /** Inside sign; what it is planned at. For uncontrolled, silent and not following devices: what it counts at. */
  readonly targetKw: number;
  /** A message must be sent: the target changed or the old one needs renewal. */
  readonly publish: 'change' | 'renewal' | 'none';
  readonly explanation: Explanation;
  /** To be stored for the next cycle. */
  readonly offSetpointCycles: number;
  readonly notFollowingUntilMs: number | null;
  readonly waitsSinceMs: number | null;
  readonly waitedUntilMs: number | null;
}

/** Whose number a limit is. */
export type LimitSource =
  | { readonly kind: 'static' }
  | { readonly kind: 'dispatch'; readonly dispatchId: string }
  | { readonly kind: 'envelope'; readonly envelopeId: string; readonly publishedBy: string };

export interface LimitInForce {
  readonly kw: number;
  readonly source: LimitSource;
}

/** What one envelope or dispatch says of one side of a node, whether or not something tighter holds. */
export interface LimitClaim extends LimitInForce {
  readonly side: 'import' | 'export';
}

export interface NodePlan {
  readonly feederId: string;
  /** The tightest of static limit, envelopes and dispatches in force; signed flow bounds, import positive. */
  readonly high: LimitInForce;
  readonly low: LimitInForce;
  /** Everything that speaks for this node beside its static limits; empty for most. */
  readonly claims: readonly LimitClaim[];
  /** Flow at the meter now, null without a fresh meter. */
  readonly measuredKw: number | null;
  /** Flow once every setpoint of this plan holds, uncontrolled flow included; counted at the worse side for silent devices. */
  readonly plannedHighKw: number;
  readonly plannedLowKw: number;
  /** Uncontrolled flow below this node (whole subtree), high and low estimate. */
  readonly uncontrolledHighKw: number;
  readonly uncontrolledLowKw: number;
  /** Uncontrolled flow derived from this node's fresh meter; null otherwise. Stored to know the worst of the last hour. */
  readonly meteredUncontrolledKw: { readonly highKw: number; readonly lowKw: number } | null;
  readonly meterStale: boolean;
  /** The limit that holds devices back here, or 'none'. */
  readonly binding: 'import' | 'export' | 'none';
  /** > 0: even with every device at its nearest bound the node is this far over its limit. */
  readonly missingKw: number;
}

export interface TreePlan {
  /** One per device of the snapshot, sorted by device id. */
  readonly devices: readonly DevicePlan[];
  /** One per feeder of the snapshot, root first, parents before children. */
  readonly nodes: readonly NodePlan[];
  readonly staleDevices: readonly string[];
  readonly offlineDevices: readonly string[];
  readonly notFollowingDevices: readonly string[];
  readonly unratedDevices: readonly string[];
}
