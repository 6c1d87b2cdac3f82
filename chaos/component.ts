import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildProcess, ExitInfo } from '../servers/child-process';
import { descendants, processesWithArgument, signalProcess, signalTree } from '../servers/process-tree';
import type { Link } from './links';
import type { FaultKind, Target } from './plan';

/** A part that can be broken, and mended again. */
export interface Component extends Target {
  break(kind: FaultKind): Promise<void>;
  mend(kind: FaultKind): Promise<void>;
}

/** What a server's starter and a program's have in common. */
export type Running = Pick<ChildProcess, 'pid' | 'isRunning' | 'kill' | 'suspend' | 'resume'> & {
  stop(): Promise<ExitInfo>;
};

export interface ServerComponent extends Component {
  /** The process of this moment. */
  running(): Running;
  /** Ends it, should it have been started anew. */
  stop(): Promise<void>;
}

const START_WITHIN_MS = 60_000;
const START_AGAIN_MS = 250;

/** A process that we start; `startAgain` makes it as it was, on the same port and with the same data. */
export function serverComponent(
  name: string,
  kinds: readonly FaultKind[],
  first: Running,
  startAgain: () => Promise<Running>,
): ServerComponent {
  let now = first;
  const back = async (): Promise<void> => {
    now = await untilStarted(startAgain);
  };
  return {
    ...{ name, kinds },
    running: () => now,
    async break(kind) {
      if (kind === 'kill') await now.kill();
      else if (kind === 'kill-parent') signalProcess(now.pid, 'SIGKILL');
      else if (kind === 'hang') now.suspend();
      else {
        await now.stop();
        await back();
      }
    },
    async mend(kind) {
      if (kind === 'hang') now.resume();
      else if (kind !== 'restart') await back();
    },
    stop: async () => {
      await now.stop();
    },
  };
}

/** What was killed with it ends a moment later, and holds ports and memory until then. */
async function untilStarted(start: () => Promise<Running>): Promise<Running> {
  const deadline = performance.now() + START_WITHIN_MS;
  for (;;) {
    try {
      return await start();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await sleep(START_AGAIN_MS);
  }
}

/** The process of one role, which its parent starts again when it dies. */
export function roleComponent(name: string, script: string, worker: () => Running): Component {
  let hung: number | undefined;
  return {
    ...{ name, kinds: ['kill', 'hang'] },
    break(kind) {
      const pid = roleOf(worker().pid, script);
      if (pid === undefined) return Promise.resolve(); // it is just being started again
      if (kind === 'hang') hung = pid;
      signalTree(pid, kind === 'hang' ? 'SIGSTOP' : 'SIGKILL');
      return Promise.resolve();
    },
    mend() {
      if (hung !== undefined) signalTree(hung, 'SIGCONT');
      hung = undefined;
      return Promise.resolve();
    },
  };
}

export const roleOf = (workerPid: number, script: string): number | undefined => {
  const scripts = processesWithArgument(script);
  return descendants(workerPid).find((pid) => scripts.includes(pid));
};

export const linkComponent = (link: Link): Component => ({
  ...{ name: `link:${link.name}`, kinds: ['cut', 'stall'] },
  async break(kind) {
    if (kind === 'cut') await link.cut();
    else link.stall();
  },
  async mend(kind) {
    if (kind === 'cut') await link.mendCut();
    else link.mendStall();
  },
});
