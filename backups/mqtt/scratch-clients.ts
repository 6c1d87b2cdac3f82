import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import type { StoredSession } from './store-structure';

/** Where a scratch broker listens, and what ends asking it. */
export interface ScratchAddress {
  readonly host: string;
  readonly port: number;
  readonly signal: AbortSignal;
}

const CONNECT_MS = 5_000;
const NEVER_EXPIRES = 0xffffffff;
/** The scratch broker writes `$SYS` each second: after two of them we ourselves are counted for certain, ms. */
const COUNTED_AFTER_MS = 2_200;

/**
 * Retained messages that a subscriber gets, below `systemRoots` too, since `#` does not match topics that begin with `$`.
 * A message of our own follows them in the same session, so that the last one is known without waiting for silence.
 */
export async function countRetained(broker: ScratchAddress, systemRoots: readonly string[]): Promise<number> {
  const marker = `derms-proof/${randomUUID()}`;
  let retained = 0;
  let markerCame = (): void => undefined;
  const all = new Promise<void>((resolve) => {
    markerCame = resolve;
  });
  const { client } = await open(broker, { clean: true }, (topic, packet) => {
    if (packet.retain) retained += 1;
    else if (topic === marker) markerCame();
  });
  try {
    for (const filter of ['#', ...systemRoots.map((root) => `${root}/#`)]) {
      await client.subscribeAsync(filter, { qos: 1 });
    }
    await client.publishAsync(marker, '', { qos: 1 });
    await orClosed(client, all, broker.signal);
    return retained;
  } finally {
    client.end(true);
  }
}

/** Sessions that the broker knows of, as it says itself; without ours. */
export async function countSessions(broker: ScratchAddress): Promise<number> {
  let total = Number.NaN;
  const over = new AbortController();
  const { client } = await open(broker, { clean: true }, (_topic, packet) => {
    total = Number(packet.payload.toString());
  });
  try {
    await client.subscribeAsync('$SYS/broker/clients/total');
    await orClosed(client, pause(COUNTED_AFTER_MS, over.signal), broker.signal);
    return total - 1;
  } finally {
    over.abort();
    client.end(true);
  }
}

export interface ResumedSession {
  readonly isPresent: boolean;
  /** How many of the messages that waited for it came. */
  readonly delivered: number;
}

/** Connects as the client of a session does, and takes what waits for it until it is `enough`, or for `withinMs`. */
export async function resumeSession(
  broker: ScratchAddress,
  { clientId, username }: StoredSession,
  { enough, withinMs }: { readonly enough: number; readonly withinMs: number },
): Promise<ResumedSession> {
  let delivered = 0;
  const over = new AbortController();
  const options: IClientOptions = {
    clientId,
    clean: false,
    properties: { sessionExpiryInterval: NEVER_EXPIRES },
    ...(username === null ? {} : { username }),
  };
  const { client, isPresent } = await open(broker, options, () => {
    delivered += 1;
    if (delivered >= enough) over.abort();
  });
  try {
    if (isPresent && delivered < enough) {
      await orClosed(client, pause(withinMs, over.signal), broker.signal);
    }
    return { isPresent, delivered };
  } finally {
    over.abort();
    client.end(true);
  }
}

/** Ends at once, and well, when `over` fires. */
const pause = (ms: number, over: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal: over }).catch(() => undefined);

/** Messages may come with the answer to the connect, so who takes them is there before. */
function open(
  { host, port, signal }: ScratchAddress,
  options: IClientOptions,
  onMessage: (topic: string, packet: IPublishPacket) => void,
): Promise<{ readonly client: MqttClient; readonly isPresent: boolean }> {
  signal.throwIfAborted();
  const client = connect({
    host,
    port,
    protocolVersion: 5,
    reconnectPeriod: 0,
    connectTimeout: CONNECT_MS,
    ...options,
  });
  client.on('message', (topic, _payload, packet) => {
    onMessage(topic, packet);
  });
  const opened = new Promise<boolean>((resolve, reject) => {
    client.once('connect', ({ sessionPresent }) => {
      resolve(sessionPresent);
    });
    client.on('error', reject);
  });
  return orClosed(client, opened, signal).then((isPresent) => ({ client, isPresent }));
}

/** The promise, unless the connection or the whole proof ends first. */
async function orClosed<Result>(client: MqttClient, promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const settled = new AbortController();
  const ended = new Promise<never>((_resolve, reject) => {
    client.once('close', () => {
      reject(new Error('the scratch broker ended the connection', { cause: signal.reason }));
    });
  });
  const hangUp = (): void => void client.end(true);
  signal.addEventListener('abort', hangUp, { once: true, signal: settled.signal });
  try {
    return await Promise.race([promise, ended]);
  } finally {
    settled.abort();
  }
}
