/** How patient an agent is with its broker; what it stands for is in docs/device-guide.md. */
export interface AgentTiming {
  /** A broker that hangs is noticed after one and a half times this, s. */
  readonly keepaliveSeconds: number;
  /** First pause before connecting again, ms, and the longest; doubled in between, each with chance in it. */
  readonly reconnectMs: { readonly first: number; readonly longest: number };
  /** A broker that answers pings and takes nothing is left after this, ms. */
  readonly acknowledgedWithinMs: number;
  /** No setpoint has been in force for so long: nobody speaks here, the next broker is tried, ms. */
  readonly nothingComesMs: number;
  /** Not more often than this, ms: it may be silence that is meant. */
  readonly turnAtMostEachMs: number;
}

/** As in the guide, at its quick end: traffic costs a simulated agent nothing. */
export const USUAL_TIMING: AgentTiming = {
  keepaliveSeconds: 2,
  reconnectMs: { first: 300, longest: 5_000 },
  acknowledgedWithinMs: 10_000,
  nothingComesMs: 60_000,
  turnAtMostEachMs: 300_000,
};

/** Pause before the attempt that follows so many failed ones, ms; agents must not come back in step. */
export const pauseMs = ({ reconnectMs }: AgentTiming, failed: number, random = Math.random): number =>
  Math.round(Math.min(reconnectMs.longest, reconnectMs.first * 2 ** failed) * (0.67 + 0.67 * random()));
