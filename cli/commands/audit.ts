import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createApiClient } from '../api-client';
import type { Command } from '../context';
import { CommandFailure } from '../failure';
import { readOptions } from '../options';

const USAGE = 'derms audit export FILE [--format jsonl|csv] [--from T] [--to T]';

/** Writes the audit log into a file that is there when it is whole. */
export const audit: Command = async (argv, { print, environment }) => {
  const text = { type: 'string' } as const;
  const { values, positionals } = readOptions(
    USAGE,
    argv,
    { format: { type: 'string', default: 'jsonl' }, from: text, to: text },
    2,
  );
  const [act, file] = positionals;
  if (act !== 'export' || file === undefined) throw new CommandFailure(`Usage: ${USAGE}`);
  const { format, from, to } = values;
  const query = new URLSearchParams({
    format,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  });
  const part = `${file}.part`;
  try {
    const content = createApiClient(environment).download(`/api/audit/export?${query.toString()}`);
    await pipeline(content, createWriteStream(part, { mode: 0o600 }));
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  print(`The audit log is in ${file}.`);
  return 0;
};
