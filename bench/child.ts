import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One of `bench/processes/`, in a process of its own as in production; it is told what to do once and reports back. */
export class BenchChild<Report extends { readonly event: string }> {
  private readonly child: ChildProcess;
  private readonly reports: Report[] = [];
  private wake: (() => void) | null = null;
  private ended = false;

  constructor(program: string, order: unknown) {
    this.child = fork(join(__dirname, 'processes', program), { serialization: 'advanced' });
    this.child.on('message', (report) => {
      this.reports.push(report as Report); // both ends are in bench/
      this.wake?.();
    });
    this.child.once('exit', () => {
      this.ended = true;
      this.wake?.();
    });
    this.child.send(order as object);
  }

  tell(order: object): void {
    this.child.send(order);
  }

  /** The next report of this kind; those before it are dropped. Rejects when the process ends instead. */
  async report<Event extends Report['event']>(event: Event): Promise<Extract<Report, { event: Event }>> {
    for (;;) {
      for (let next = this.reports.shift(); next !== undefined; next = this.reports.shift()) {
        if (isOf(next, event)) return next;
      }
      if (this.ended) throw new Error(`the process ended before it reported "${event}"`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Processor time it used so far, s. */
  get cpuSeconds(): number {
    return cpuSecondsOf(this.child.pid ?? 0);
  }

  async stop(): Promise<void> {
    if (this.ended) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exit;
  }
}

const isOf = <Report extends { readonly event: string }, Event extends Report['event']>(
  report: Report,
  event: Event,
): report is Extract<Report, { event: Event }> => report.event === event;

/** What the kernel counted for a process, its ended children left out; 0 where there is no /proc. */
export function cpuSecondsOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}
