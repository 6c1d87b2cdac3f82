import pino, { type Logger } from 'pino';

export type { Logger } from 'pino';

export interface LoggerOptions {
  readonly service: string;
  readonly role: string;
  readonly level: string;
  readonly pretty: boolean;
}

/** Paths that are never written, whoever logs the object they stand in. */
const REDACTED = ['password', 'token', 'secret', 'authorization', 'hash', 'cookie'].flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
]);

/**
 * JSON lines with fixed field names: `service`, `role`, `mqttHost`, `mqttPort`, `dbHost`, `err`, `feederId`, `deviceId`,
 * `workflowId`, `runId`, `requestId`. Severity: error = a person must act, warn = odd and healed, info = a state change.
 */
export function createLogger({ service, role, level, pretty }: LoggerOptions): Logger {
  return pino({
    level,
    base: { service, role },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: pino.stdSerializers.err },
    redact: { paths: REDACTED, censor: '[redacted]' },
    ...(pretty
      ? { transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname,service', singleLine: true } } }
      : {}),
  });
}
