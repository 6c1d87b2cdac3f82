import { startMosquitto } from '../../local/mosquitto';
import { startPostgres } from '../../local/postgres';
import { startTemporal } from '../../local/temporal';
import { temporalFile } from '../../local/test-stack';
import type { TestSystem } from '../../local/test-system';
import type { ChildProcess, ExitInfo } from '../../servers/child-process';
import { eventually } from './servers';

/** A server that is taken away for real, and comes back on the same port with the same data. */
export interface Part {
  /** SIGKILL; the broker is told to end, because what it has acknowledged it saves each minute only. */
  kill(): Promise<void>;
  /** SIGSTOP: its sockets stay open and nobody answers. */
  hang(): void;
  /** Undoes either; returns when it answers. Does nothing while it runs. */
  bringBack(): Promise<void>;
  /** Ends what was brought back. */
  stop(): Promise<void>;
}

export type PartName = 'temporal' | 'postgres' | 'broker';

type Server = Pick<ChildProcess, 'isRunning' | 'kill' | 'suspend' | 'resume'> & { stop(): Promise<ExitInfo> };

/** The servers of a system whose Temporal keeps its data in a file. `stop` them after the system. */
export function partsOf({ stack }: TestSystem): Readonly<Record<PartName, Part>> {
  const { postgres, mosquitto, temporal, brokerUser, folder } = stack;
  return {
    temporal: partOf(temporal, () =>
      startTemporal({ headless: true, port: temporal.port, dbFile: temporalFile(folder) }),
    ),
    postgres: partOf(postgres, () =>
      startPostgres({
        ...{ dataDir: postgres.dataDir, port: postgres.port },
        ...{ user: postgres.superuser, password: postgres.password },
      }),
    ),
    broker: partOf(
      mosquitto,
      () => startMosquitto({ dataDir: `${folder}/mosquitto`, port: mosquitto.port, users: [brokerUser] }),
      (broker) => broker.stop(),
    ),
  };
}

/** `start` makes it again as it was. */
export function partOf(
  first: Server,
  start: () => Promise<Server>,
  end: (server: Server) => Promise<ExitInfo> = (server) => server.kill(),
): Part {
  let server = first;
  return {
    kill: async () => {
      await end(server);
    },
    hang: () => {
      server.suspend();
    },
    bringBack: async () => {
      if (server.isRunning()) server.resume();
      // What was killed with it ends a moment later, and holds ports and memory until then.
      else server = await eventually(start, 20_000, 250);
    },
    stop: async () => {
      await server.stop();
    },
  };
}
