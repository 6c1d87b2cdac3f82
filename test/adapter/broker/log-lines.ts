import { pino, type Logger } from 'pino';

export type LogLine = Record<string, unknown> & { readonly level: number; readonly msg: string };

/** A logger whose lines a test can read. */
export function recordingLog(): { readonly log: Logger; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (line: string): void => {
    lines.push(JSON.parse(line) as LogLine); // pino writes one object per line
  };
  return { log: pino({ level: 'debug' }, { write }), lines };
}

export const WARN = 40;
export const ERROR = 50;
