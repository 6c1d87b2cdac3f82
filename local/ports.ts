import { choosePort, choosePortRange } from '../servers/free-port';

/** Everything of the local stack that listens, all on 127.0.0.1. */
export interface StackPorts {
  readonly postgres: number;
  readonly mosquitto: number;
  readonly temporal: number;
  readonly temporalUi: number;
  readonly api: number;
  /** First of a row: metrics and probes of each process, then the Temporal SDK's own, then the Temporal server's. */
  readonly metrics: number;
}

const STANDARD = { postgres: 5432, mosquitto: 1883, temporal: 7233, temporalUi: 8233 } as const;
const API = 8080;
const METRICS = 9464;

/** What a worker runs, each in a process of its own that takes the next port. */
export const WORKER_ROLES = ['control', 'jobs', 'ingest'] as const;

/** Places in the row of metrics ports: a worker has one, and one for each of its roles after it; the same for the SDK. */
export const METRICS_OFFSETS = { worker: 0, simulator: 4, workerSdk: 5, temporal: 9 } as const;
const METRICS_COUNT = 10;

/** The standard ports where they are free, else others; `notes` says which are not where one would look for them. */
export async function choosePorts(
  environment: NodeJS.ProcessEnv,
): Promise<{ readonly ports: StackPorts; readonly notes: readonly string[] }> {
  const notes: string[] = [];
  const choose = async (what: string, preferred: number): Promise<number> => {
    const { port, preferredTaken } = await choosePort(preferred);
    if (preferredTaken) notes.push(`port ${preferred} is taken: ${what} is on ${port}`);
    return port;
  };
  const ports = {
    postgres: await choose('PostgreSQL', STANDARD.postgres),
    mosquitto: await choose('Mosquitto', STANDARD.mosquitto),
    temporal: await choose('Temporal', STANDARD.temporal),
    temporalUi: await choose('Temporal UI', STANDARD.temporalUi),
    api: await choose('the API', wanted(environment['API_PORT'], API)),
  };
  const first = wanted(environment['METRICS_PORT'], METRICS);
  const metrics = await choosePortRange(METRICS_COUNT, first);
  if (metrics.preferredTaken) notes.push(`ports from ${first} on are taken: metrics are on ${metrics.port} and above`);
  return { ports: { ...ports, metrics: metrics.port }, notes };
}

function wanted(value: string | undefined, otherwise: number): number {
  const port = Number(value);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : otherwise;
}
