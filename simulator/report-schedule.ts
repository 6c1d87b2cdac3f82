/**
 * Who reports when: `count` senders spread evenly over `intervalMs`, without a timer for each.
 *
 * The n-th report of the fleet is due at n × interval ÷ count; `due` names the senders since the last call, in turn.
 */
export class ReportSchedule {
  private reported = 0;

  constructor(
    private readonly count: number,
    private readonly intervalMs: number,
    private readonly startMs: number,
  ) {}

  /** At most one round: what a process missed while it was stopped is not made up for. */
  *due(nowMs: number): Generator<number> {
    if (this.count === 0) return;
    const target = Math.floor(((nowMs - this.startMs) / this.intervalMs) * this.count) + 1;
    this.reported = Math.max(this.reported, target - this.count);
    for (; this.reported < target; this.reported += 1) yield this.reported % this.count;
  }
}
