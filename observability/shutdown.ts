import type { Logger } from './logger';

interface Step {
  readonly name: string;
  readonly close: () => unknown;
}

/**
 * What a process opened, closed newest first when it is told to stop. A step that fails or hangs does not keep the
 * others from closing; after the deadline the process ends by itself, with exit code 0 when it was asked to stop.
 */
export class ShutdownList {
  private readonly steps: Step[] = [];
  private started: Promise<void> | null = null;

  /** `deadlineMs` is for all steps together; each may take what is left of it. */
  constructor(
    private readonly log: Logger,
    private readonly deadlineMs = 9_000,
  ) {}

  add(name: string, close: Step['close']): void {
    this.steps.push({ name, close });
  }

  get stopping(): boolean {
    return this.started !== null;
  }

  /** Ends the process on SIGTERM, SIGINT, or when the parent that forked it has gone. */
  listen(): void {
    const end = (reason: string, code: number): void => {
      void this.run(reason).then(() => process.exit(code));
    };
    process.once('SIGTERM', () => {
      end('SIGTERM', 0);
    });
    process.once('SIGINT', () => {
      end('SIGINT', 0);
    });
    process.once('disconnect', () => {
      end('parent gone', 0);
    });
    process.once('uncaughtException', (err) => {
      this.log.fatal({ err }, 'uncaught exception');
      end('uncaught exception', 1);
    });
    process.once('unhandledRejection', (err) => {
      this.log.fatal({ err }, 'unhandled rejection');
      end('unhandled rejection', 1);
    });
  }

  /** Closes everything once; later calls wait for the first. Never rejects. */
  run(reason: string): Promise<void> {
    this.started ??= this.close(reason);
    return this.started;
  }

  private async close(reason: string): Promise<void> {
    const startedAt = performance.now();
    this.log.info({ reason }, 'stopping');
    for (const step of [...this.steps].reverse()) {
      const left = Math.max(100, this.deadlineMs - (performance.now() - startedAt));
      await this.closeOne(step, left);
    }
    this.log.info({ ms: Math.round(performance.now() - startedAt) }, 'stopped');
  }

  private async closeOne({ name, close }: Step, withinMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => {
        resolve('late');
      }, withinMs);
    });
    try {
      const outcome = await Promise.race([Promise.resolve(close()).then(() => 'closed' as const), late]);
      if (outcome === 'late') this.log.warn({ step: name, withinMs }, 'did not close in time');
    } catch (err) {
      this.log.warn({ err, step: name }, 'failed while closing');
    } finally {
      clearTimeout(timer);
    }
  }
}
