import { setTimeout as sleep } from 'node:timers/promises';
import { DefaultLogger, Runtime, type LogLevel, type NativeConnection } from '@temporalio/worker';
import type { Logger } from '../observability/logger';
import type { TemporalAccess } from './access';
import { connectNatively } from './connect-natively';

/** Longest pause between tries to reach a server that is not there yet, ms. */
const MAX_PAUSE_MS = 2_000;

/** Once per process, before any connection: the SDK logs through ours and serves its metrics; signals stay ours. */
export function installRuntime(log: Logger, metricsAddress: string | null): void {
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
      log[level.toLowerCase() as Lowercase<LogLevel>](withOurNames(meta), message);
    }),
    telemetryOptions: {
      logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} },
      ...(metricsAddress === null
        ? {}
        : {
            metrics: {
              prometheus: {
                bindAddress: metricsAddress,
                countersTotalSuffix: true,
                unitSuffix: true,
                useSecondsForDurations: true,
              },
            },
          }),
    },
    shutdownSignals: [],
  });
}

/** Waits for the server for as long as it takes, or until `signal`; says so at first and then now and again. */
export async function connectWhenReady(
  access: TemporalAccess,
  log: Logger,
  signal: AbortSignal,
): Promise<NativeConnection> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await connectNatively(access);
    } catch (err) {
      if (attempt % 15 === 0) log.warn({ err, temporalAddress: access.address }, 'Temporal cannot be reached yet');
    }
    await sleep(Math.min(MAX_PAUSE_MS, 200 * (attempt + 1)), undefined, { signal });
  }
}

/** `error` becomes our `err`, and what belongs to a workflow keeps the names every part uses. */
function withOurNames(meta: Record<string, unknown> | undefined): Record<string, unknown> {
  const { error, ...rest } = meta ?? {};
  return error === undefined ? rest : { ...rest, err: error };
}
