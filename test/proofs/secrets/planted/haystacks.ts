import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client as TemporalClient, Connection } from '@temporalio/client';
import type { Database } from '../../../../db/pool';
import { METRICS_OFFSETS, WORKER_ROLES } from '../../../../local/ports';
import type { TestSystem } from '../../../../local/test-system';
import type { Haystack } from './needles';

/** Everything that our programs and the servers have said; not their data. */
export const logsOf = ({ stack }: TestSystem): Haystack =>
  new Map(
    readdirSync(stack.folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.log') || name.endsWith('/log'))
      .map((name) => [`log ${name}`, readFileSync(join(stack.folder, name), 'utf8')]),
  );

/** Every event of every workflow that Temporal knows, with payloads as they were before they were encoded. */
export async function historiesOf({ stack }: TestSystem): Promise<Haystack> {
  const connection = await Connection.connect({ address: stack.temporal.address });
  try {
    const client = new TemporalClient({ connection, namespace: stack.temporal.namespace });
    const found = new Map<string, string>();
    for await (const { workflowId, runId, memo } of client.workflow.list()) {
      const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      found.set(`history ${workflowId}/${runId}`, textIn({ workflowId, memo, events }));
    }
    return found;
  } finally {
    await connection.close();
  }
}

/** All text and all bytes in a value. */
function textIn(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (Array.isArray(value)) return value.map(textIn).join('\n');
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([name, inner]) => `${name} ${textIn(inner)}`)
      .join('\n');
  return String(value);
}

/** Of every process, the Temporal SDK's own too. */
export async function metricsOf({ apiUrl, ports }: TestSystem): Promise<Haystack> {
  const page = (port: number): string => `http://127.0.0.1:${String(port)}/metrics`;
  const roles = WORKER_ROLES.map((role, index) => [role, index + 1] as const);
  const urls: [string, string][] = [
    ['api', `${apiUrl}/metrics`],
    ['worker', page(ports.metrics + METRICS_OFFSETS.worker)],
    ['simulator', page(ports.metrics + METRICS_OFFSETS.simulator)],
    ...roles.map(([role, n]): [string, string] => [role, page(ports.metrics + METRICS_OFFSETS.worker + n)]),
    // Ingest polls no queue: the SDK serves nothing there.
    ...roles
      .filter(([role]) => role !== 'ingest')
      .map(([role, n]): [string, string] => [`${role} sdk`, page(ports.metrics + METRICS_OFFSETS.workerSdk + n)]),
  ];
  const read = urls.map(async ([name, url]): Promise<[string, string]> => {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(`${url}: ${String(response.status)}`);
    return [`metrics ${name}`, await response.text()];
  });
  return new Map(await Promise.all(read));
}

/** Every row of every table, as text. */
export async function rowsOf(db: Database): Promise<Haystack> {
  const { rows: tables } = await db.query<{ name: string }>(
    "select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition",
  );
  const found = new Map<string, string>();
  for (const { name } of tables) {
    const { rows } = await db.query<{ text: string }>(`select t::text as text from ${name} t`);
    found.set(`table ${name}`, rows.map(({ text }) => text).join('\n'));
  }
  return found;
}
