/** What the jobs stand on; `worker/roles/jobs.ts` joins it to the real things. Each job takes what it needs. */
export interface JobPorts {
  readonly now: () => Date;
  readonly timeSeries: {
    /** Makes partitions ahead and removes those past their time; returns their names. */
    maintain(): Promise<{ readonly made: readonly string[]; readonly removed: readonly string[] }>;
  };
  readonly schedules: {
    /** Accounts for the ticks since the last time, by schedule. */
    audit: () => Promise<
      readonly {
        readonly scheduleId: string;
        readonly ran: number;
        readonly skipped: number;
        readonly missed: number;
        readonly paused: number;
        readonly latestSeconds: number;
      }[]
    >;
  };
}
