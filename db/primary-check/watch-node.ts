import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import type { NodeSeen } from '../../domain/primary-choice';
import { readNodeState } from '../node-state';
import { destroySocket } from '../pool-client';

const EVERY_MS = 100;
const ANSWER_MS = 1_000;
/** A node that says nothing for longer cannot be reached: above a stall that a busy disk makes. */
const SILENT_MS = 2_000;

export interface NodeWatch {
  /** As it was seen last. */
  seen(): NodeSeen;
  stop(): Promise<void>;
}

/** Asks one node for its role and timeline, again and again, on a connection that stays open. */
export function watchNode(name: string, access: ClientConfig, onChange: () => void): NodeWatch {
  let last: NodeSeen = { name, state: 'unreachable', timeline: 0 };
  let answeredAt = -Infinity;
  let client: Client | null = null;
  let stopped = false;

  const see = (seen: Omit<NodeSeen, 'name'>): void => {
    if (seen.state === last.state && seen.timeline === last.timeline) return;
    last = { name, ...seen };
    onChange();
  };
  const look = async (): Promise<void> => {
    try {
      client ??= await connect(access);
      const state = await readNodeState(client);
      answeredAt = performance.now();
      see(state);
    } catch {
      drop(client);
      client = null;
      if (performance.now() - answeredAt > SILENT_MS) see({ state: 'unreachable', timeline: last.timeline });
    }
  };
  const looking = (async () => {
    while (!stopped) {
      await look();
      await sleep(EVERY_MS);
    }
  })();
  return {
    seen: () => last,
    async stop() {
      stopped = true;
      drop(client); // what is being asked ends with it
      await looking;
      drop(client);
    },
  };
}

async function connect(access: ClientConfig): Promise<Client> {
  const client = new Client({
    ...access,
    connectionTimeoutMillis: ANSWER_MS,
    query_timeout: ANSWER_MS,
    application_name: 'derms-primary-check',
  });
  client.on('error', () => undefined); // the question that is asked next rejects
  try {
    await client.connect();
  } catch (error) {
    drop(client);
    throw error;
  }
  return client;
}

/** At once: a server that hangs would never say goodbye. */
function drop(client: Client | null): void {
  if (client !== null) destroySocket(client);
}
