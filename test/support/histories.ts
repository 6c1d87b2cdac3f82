import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';

const ROOT = join(__dirname, '../..');
const HISTORIES = join(ROOT, 'test/replay/histories');

/**
 * With `RECORD_HISTORIES=1` keeps the history of a run for the replay tests. Old ones stay beside new ones under other
 * names: they are what running workflows look like.
 */
export async function recordHistory(client: Client, name: string, workflowId: string, runId?: string): Promise<void> {
  if (process.env['RECORD_HISTORIES'] !== '1') return;
  mkdirSync(HISTORIES, { recursive: true });
  const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  // Stack traces name this checkout's folder, which says nothing elsewhere.
  const json = historyToJSON(history).replaceAll(`${ROOT}/`, '');
  writeFileSync(join(HISTORIES, `${name}.json`), `${json}\n`);
}
