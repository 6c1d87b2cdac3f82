import pino, { type Logger } from 'pino';

export type { Logger } from 'pino';

export interface LoggerOptions {
  readonly service: string;
  readonly role: string;
  readonly level: string;
  readonly pretty: boolean;
  /** Values that no line may hold, wherever they stand in it; may grow. */
  readonly secrets?: ReadonlySet<string>;
}

const CENSOR = '[redacted]';
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
export function createLogger({ service, role, level, pretty, secrets = new Set() }: LoggerOptions): Logger {
  return pino({
    level,
    base: { service, role },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: pino.stdSerializers.err },
    redact: { paths: REDACTED, censor: CENSOR },
    hooks: { streamWrite: (line) => withoutSecrets(line, secrets) },
    ...(pretty
      ? { transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname,service', singleLine: true } } }
      : {}),
  });
}

/** A secret may come in a message, a stack or a field that nobody thought of: the finished line is what is searched. */
function withoutSecrets(line: string, secrets: ReadonlySet<string>): string {
  let clean = line;
  for (const secret of secrets) if (clean.includes(secret)) clean = clean.replaceAll(secret, CENSOR);
  return clean;
}
