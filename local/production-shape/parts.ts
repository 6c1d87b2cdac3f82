import type { ChildProcess, ExitInfo } from '../../servers/child-process';

/** One process of the run, for the table and for those that break it on purpose. */
export interface Part {
  readonly name: string;
  /** Where its command, environment and files are from. */
  readonly from: string;
  readonly address: string;
  readonly process: () => Pick<ChildProcess, 'pid' | 'logFile' | 'kill' | 'suspend' | 'resume' | 'isRunning'>;
  stop(): Promise<unknown>;
  /** The same once more, after it was killed. */
  startAgain?(): Promise<void>;
}

/** All that runs; stopped the other way round than it was started, what stands side by side at once. */
export class Parts {
  private readonly groups: Part[][] = [];
  private readonly spawned = new Set<ChildProcess>();

  readonly onSpawn = (child: ChildProcess): void => void this.spawned.add(child);

  /** Parts that need nothing of each other. */
  add(...parts: readonly Part[]): void {
    this.groups.push([...parts]);
  }

  all(): readonly Part[] {
    return this.groups.flat();
  }

  named(name: string): Part {
    const part = this.all().find((each) => each.name === name);
    if (part === undefined) throw new Error(`${name} does not run`);
    return part;
  }

  /** Ends everything, also what was only about to start. Never throws. */
  async stop(): Promise<void> {
    for (const group of this.groups.reverse()) {
      for (const part of group) if (part.process().isRunning()) part.process().resume();
      await Promise.allSettled(group.map((part) => part.stop()));
    }
    await Promise.allSettled([...this.spawned].map((child): Promise<ExitInfo> => child.kill()));
  }
}

/** A part that is one child and stays the same one. */
export const partOf = (
  name: string,
  from: string,
  address: string,
  child: ReturnType<Part['process']> & { stop(): Promise<unknown> },
): Part => ({ name, from, address, process: () => child, stop: () => child.stop() });
