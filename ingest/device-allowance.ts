export interface AllowanceLimits {
  /** Messages that one device may send at once. */
  readonly burst: number;
  /** Messages a second that it may send for ever. */
  readonly perSecond: number;
}

interface Allowance {
  left: number;
  atMs: number;
}

/** More than any fleet of one process has; a stranger who makes up topics fills no more than this. */
const MOST_DEVICES = 200_000;

/**
 * How many more messages each device may send: a bucket that fills by the second and never beyond its burst. What a
 * device kept while it was cut off passes at once; one that floods is held to its rate. By topic, which the broker lets
 * only the device itself write to, so that nobody uses up what is another's.
 */
export class DeviceAllowance {
  private readonly devices = new Map<string, Allowance>();

  constructor(private readonly limits: AllowanceLimits) {}

  /** Whether another message may be taken; called for each one. */
  take(topic: string, nowMs: number): boolean {
    const { burst, perSecond } = this.limits;
    const device = this.devices.get(topic);
    if (device === undefined) {
      if (this.devices.size >= MOST_DEVICES) this.forgetIdle(nowMs);
      this.devices.set(topic, { left: burst - 1, atMs: nowMs });
      return true;
    }
    const passedMs = Math.max(0, nowMs - device.atMs); // the clock may be set back
    device.left = Math.min(burst, device.left + (passedMs * perSecond) / 1_000);
    device.atMs = nowMs;
    if (device.left < 1) return false;
    device.left -= 1;
    return true;
  }

  /** Who has its whole burst again is as good as new. Where nobody has, all begin anew. */
  private forgetIdle(nowMs: number): void {
    const { burst, perSecond } = this.limits;
    for (const [topic, { left, atMs }] of this.devices)
      if (left + ((nowMs - atMs) * perSecond) / 1_000 >= burst) this.devices.delete(topic);
    if (this.devices.size >= MOST_DEVICES) this.devices.clear();
  }
}
