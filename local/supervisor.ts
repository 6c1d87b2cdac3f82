import { setTimeout as sleep } from 'node:timers/promises';
import { endGroup } from '../servers/process-tree';
import { logTail, type ChildProcess, type ExitInfo, type StartOptions } from '../servers/child-process';

/** Something that is kept running. */
export interface Component {
  readonly name: string;
  /** Those with the highest number are stopped first; those with the same number together. */
  readonly stage: number;
  /** How long it may take to stop before it is killed. */
  readonly graceMs: number;
  /** Starts it, each time in the same way and on the same port, and settles when it is ready. */
  readonly start: (options: StartOptions) => Promise<RunningComponent>;
}

/** What is asked of it once it runs; servers and programs both fit. */
export type RunningComponent = Pick<ChildProcess, 'pid' | 'logFile' | 'exited' | 'isRunning' | 'kill'> & {
  stop(): Promise<ExitInfo>;
};

export interface SupervisorOptions {
  /** A line for people. */
  readonly say: (line: string) => void;
  /** A process exists: kept on disk, so that a later run can end it. */
  readonly record: (name: string, pid: number) => void;
}

const MOST_DEATHS = 5;
const WITHIN_MS = 60_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;
const ORPHANS_END_WITHIN_MS = 2_000;

/** Starts components, starts again what dies, and stops all of them in order. */
export class Supervisor {
  private readonly abort = new AbortController();
  private readonly live = new Map<Component, RunningComponent>();
  private readonly spawned = new Set<ChildProcess>();
  private readonly starting = new Set<Promise<unknown>>();
  private reportGivingUp: (reason: string) => void = () => undefined;
  /** Settles with the reason when a component died five times in a minute. Nothing is stopped by that. */
  readonly gaveUp = new Promise<string>((resolve) => {
    this.reportGivingUp = resolve;
  });

  constructor(private readonly options: SupervisorOptions) {}

  /** Fires when everything is to stop; also for work of the caller, such as migrations. */
  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** Starts a component for the first time; a failure is the caller's, later deaths are ours. */
  async start(component: Component): Promise<void> {
    const running = await this.launch(component);
    void this.watch(component, running);
  }

  /** Stops everything, latest stage first, and waits for what is just starting to give up. Never throws. */
  async stop(): Promise<void> {
    this.abort.abort(new Error('stopping'));
    await Promise.allSettled(this.starting);
    const stages = [...new Set([...this.live.keys()].map(({ stage }) => stage))].sort((a, b) => b - a);
    for (const stage of stages) {
      const members = [...this.live].filter(([component]) => component.stage === stage);
      await Promise.all(members.map(([component, running]) => stopWithin(running, component.graceMs)));
    }
  }

  /** Kills everything at once and waits until it is gone. */
  async kill(): Promise<void> {
    this.abort.abort(new Error('killed'));
    await Promise.all([...this.spawned].map((child) => child.kill()));
  }

  /** Options for a start that is part of this stack: can be given up, and is written down. */
  startOptions(name: string): Required<Omit<StartOptions, 'logFile'>> {
    return {
      signal: this.signal,
      onSpawn: (child) => {
        this.spawned.add(child);
        void child.exited.then(() => this.spawned.delete(child));
        this.options.record(name, child.pid);
      },
    };
  }

  private async launch(component: Component): Promise<RunningComponent> {
    this.signal.throwIfAborted();
    const start = component.start(this.startOptions(component.name));
    this.starting.add(start);
    try {
      const running = await start;
      this.live.set(component, running);
      return running;
    } finally {
      this.starting.delete(start);
    }
  }

  private async watch(component: Component, first: RunningComponent): Promise<void> {
    const { say } = this.options;
    let deaths: number[] = [];
    let running: RunningComponent | undefined = first;
    for (;;) {
      const what = running ? await death(running) : 'could not be started again';
      if (this.signal.aborted) return;
      if (running) await endGroup(running.pid, ORPHANS_END_WITHIN_MS);
      const log = running?.logFile;
      deaths = [...deaths.filter((at) => performance.now() - at < WITHIN_MS), performance.now()];
      if (deaths.length >= MOST_DEATHS) {
        this.reportGivingUp(`${component.name} ${what}, ${deaths.length} times in a minute${log ? endOf(log) : ''}`);
        return;
      }
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (deaths.length - 1));
      say(`✗ ${component.name} ${what}; starting it again in ${pauseMs / 1000} s${log ? ` (log: ${log})` : ''}`);
      running = await this.startAgain(component, pauseMs);
    }
  }

  private async startAgain(component: Component, pauseMs: number): Promise<RunningComponent | undefined> {
    const began = performance.now();
    try {
      await sleep(pauseMs, undefined, { signal: this.signal });
      const running = await this.launch(component);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      this.options.say(`✓ ${component.name} is back after ${seconds} s`);
      return running;
    } catch (error) {
      if (!this.signal.aborted) this.options.say(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }
}

async function death(running: RunningComponent): Promise<string> {
  const { code, signal } = await running.exited;
  return signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
}

function endOf(logFile: string): string {
  return `; end of ${logFile}:\n${logTail(logFile)}`;
}

async function stopWithin(running: RunningComponent, graceMs: number): Promise<void> {
  const stopped = running.stop();
  const timeout = new AbortController();
  const tooLate = sleep(graceMs, 'too late' as const, { signal: timeout.signal }).catch(() => undefined);
  if ((await Promise.race([stopped, tooLate])) === 'too late') await running.kill();
  timeout.abort();
  await stopped;
}
