import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Connection } from '@temporalio/client';
import { startChild, type ChildProcess, type StartOptions } from '../servers/child-process';
import { freePort, LOOPBACK, requireFree } from '../servers/free-port';
import { untilReady } from '../servers/ready';
import { toolEnvironment, type Tool } from '../servers/tool';
import { readToolchain } from './toolchain';

export interface TemporalOptions extends StartOptions {
  /** SQLite file that outlives the server; in memory when left out. */
  readonly dbFile?: string;
  /** Exactly this port; a free one when left out. */
  readonly port?: number;
  /** Default: a free one. */
  readonly uiPort?: number;
  /** Prometheus metrics of the server. Default: a free one. */
  readonly metricsPort?: number;
  /** Default `derms`. */
  readonly namespace?: string;
  /** Search attributes of the namespace, `Name=Type`; default: those that our workflows carry. */
  readonly searchAttributes?: readonly string[];
  /** More dynamic configuration, for instance `{ 'limit.historyCount.suggestContinueAsNew': 60 }`. */
  readonly dynamicConfig?: Readonly<Record<string, string | number | boolean>>;
  /** Without the web UI. */
  readonly headless?: boolean;
  readonly tool?: Tool;
}

/** A running development server on 127.0.0.1, without authentication. */
export interface TemporalServer extends ChildProcess {
  readonly host: string;
  readonly port: number;
  /** `host:port`, as clients want it. */
  readonly address: string;
  readonly namespace: string;
  /** Address of the web UI; `undefined` when headless. */
  readonly uiUrl: string | undefined;
  readonly metricsUrl: string;
}

// A loaded laptop takes several seconds; the first start with a file also makes its schema.
const READY_WITHIN_MS = 60_000;
const CALL_WITHIN_MS = 2_000;

const DYNAMIC_CONFIG = { 'system.enableActivityEagerExecution': true };
/** How workflows of a feeder are found; a server refuses workflows that carry an attribute it does not know. */
const SEARCH_ATTRIBUTES = ['DermsFeederId=Keyword'];

/**
 * Starts a server as a direct child of ours and returns when its namespace can be used. Its log is `<dbFile>.log` by
 * default, or a file in the temporary folder.
 */
export async function startTemporal(options: TemporalOptions = {}): Promise<TemporalServer> {
  const { dbFile, namespace = 'derms', headless = false, searchAttributes = SEARCH_ATTRIBUTES } = options;
  const tool = options.tool ?? readToolchain().temporal;
  const port = options.port ?? (await freePort());
  await requireFree(port);
  const uiPort = headless ? undefined : (options.uiPort ?? (await freePort()));
  const metricsPort = options.metricsPort ?? (await freePort());
  if (dbFile !== undefined) mkdirSync(dirname(dbFile), { recursive: true });
  const dynamicConfig = Object.entries({ ...DYNAMIC_CONFIG, ...options.dynamicConfig });
  const child = await startChild({
    name: 'Temporal',
    program: tool.path,
    args: [
      ...['server', 'start-dev', '--ip', LOOPBACK, '--port', String(port), '--metrics-port', String(metricsPort)],
      ...(uiPort === undefined ? ['--headless'] : ['--ui-ip', LOOPBACK, '--ui-port', String(uiPort)]),
      ...['--namespace', namespace, '--log-level', 'warn'],
      ...(dbFile === undefined ? [] : ['--db-filename', dbFile, '--sqlite-pragma', 'journal_mode=WAL']),
      ...searchAttributes.flatMap((attribute) => ['--search-attribute', attribute]),
      ...dynamicConfig.flatMap(([key, value]) => ['--dynamic-config-value', `${key}=${JSON.stringify(value)}`]),
    ],
    env: toolEnvironment(tool),
    logFile: options.logFile ?? `${dbFile ?? join(tmpdir(), `derms-temporal-${String(port)}`)}.log`,
  });
  const address = `${LOOPBACK}:${String(port)}`;
  await untilReady(child, () => namespaceAnswers(address, namespace), { ...options, withinMs: READY_WITHIN_MS });
  return {
    ...child,
    host: LOOPBACK,
    port,
    address,
    namespace,
    uiUrl: uiPort === undefined ? undefined : `http://${LOOPBACK}:${String(uiPort)}`,
    metricsUrl: `http://${LOOPBACK}:${String(metricsPort)}/metrics`,
  };
}

/** A port that is open is not enough: the namespace is made after the server began to listen. */
async function namespaceAnswers(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: CALL_WITHIN_MS });
  try {
    await connection.withDeadline(Date.now() + CALL_WITHIN_MS, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } finally {
    await connection.close();
  }
}
