/** Of every line that a process of ours writes; what docs/logging.md promises. */
export interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly service: string;
  readonly role: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const ROLES = ['api', 'worker', 'control', 'jobs', 'ingest', 'broker-agent', 'simulator'];
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const START = /^(starting|listening|simulating)$/;
const ABOUT_THE_BROKER = /\b(the broker|subscribed)\b/;

/** What is wrong with a line, a sentence each; none: it is as promised. */
export function faultsOfLine(text: string): readonly string[] {
  let line: Partial<LogLine>;
  try {
    line = JSON.parse(text) as Partial<LogLine>;
  } catch {
    return [`no JSON: ${text}`];
  }
  const { level, time, service, role, msg = '', err } = line;
  const about = (wanted: string): string => `${wanted}: ${text}`;
  return [
    ...(LEVELS.includes(level ?? '') ? [] : [about('level')]),
    ...(TIME.test(time ?? '') ? [] : [about('time')]),
    ...(service === 'derms' ? [] : [about('service')]),
    ...(ROLES.includes(role ?? '') ? [] : [about('role')]),
    ...(typeof msg === 'string' && msg !== '' ? [] : [about('msg')]),
    ...(err === undefined || isError(err) ? [] : [about('err')]),
    ...(START.test(msg) || ABOUT_THE_BROKER.test(msg) ? missing(line, ['mqttHost', 'mqttPort']).map(about) : []),
    ...(msg === 'starting' || msg === 'listening' ? missing(line, ['dbHost']).map(about) : []),
    ...(msg === 'request' ? missing(line, ['requestId', 'method', 'route', 'status', 'ms']).map(about) : []),
  ];
}

const missing = (line: Partial<LogLine>, names: readonly string[]): string[] => names.filter((name) => !(name in line));

const isError = (err: unknown): boolean =>
  typeof err === 'object' && err !== null && ['type', 'message', 'stack'].every((name) => name in err);
