import type { Logger } from '../observability/logger';

const EACH_HOUR_MS = 3_600_000;
const AGAIN_AFTER_MS = 30_000;
const JITTER = 0.2;

/** Has the days' partitions made at start and each hour, and sooner again when that failed. */
export class PartitionKeeper {
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private running: Promise<boolean> | null = null;

  constructor(
    private readonly ensurePartitions: () => Promise<readonly string[]>,
    private readonly log: Logger,
  ) {}

  /** true when all are there. Never rejects; calls that meet a running one wait for it. */
  keep(): Promise<boolean> {
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async run(): Promise<boolean> {
    clearTimeout(this.timer);
    let done = false;
    try {
      const made = await this.ensurePartitions();
      done = true;
      if (made.length > 0) this.log.info({ partitions: made.length }, 'made partitions for telemetry');
    } catch (err) {
      if (!this.stopped) this.log.warn({ err }, 'partitions for telemetry could not be made');
    }
    const nextInMs = (done ? EACH_HOUR_MS : AGAIN_AFTER_MS) * (1 + JITTER * Math.random());
    if (!this.stopped) this.timer = setTimeout(() => void this.keep(), nextInMs);
    return done;
  }
}
