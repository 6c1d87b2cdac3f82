import { setTimeout as sleep } from 'node:timers/promises';
import type { RegistryFile } from '../contracts/registry-file';
import { between, randomStream } from '../simulator/physics/random';
import type { AskedDispatch } from './records';

export interface OperatorOptions {
  readonly apiUrl: string;
  readonly signIn: () => Promise<string>;
  readonly registry: RegistryFile;
  readonly seed: number;
}

export interface Operator {
  /** What was asked so far, with the last answer to each. */
  readonly asked: readonly AskedDispatch[];
  /** Runs of a job that were accepted. */
  readonly runIds: readonly string[];
  /** Asks for a run of the job, until there is an answer. */
  runJob(jobName: string): void;
  /** Asks for nothing new, and waits for answers to all that was asked. */
  finish(): Promise<void>;
}

const PAUSE_SECONDS = [3, 9] as const;
const STARTS_IN_SECONDS = [0, 8] as const;
const LASTS_SECONDS = [8, 25] as const;
const CANCELLED_SHARE = 0.25;
const CANCELLED_AFTER_SECONDS = [2, 10] as const;
/** Of the limit that the feeder has anyhow. */
const SHARE_OF_LIMIT = [0.6, 0.95] as const;
const ANSWER_WITHIN_MS = 8_000;
const AGAIN_AFTER_MS = 1_000;
const FINISH_WITHIN_MS = 120_000;

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}
const NONE: Answer = { status: 0, body: {} };

/** Somebody who dispatches all the time, and asks again with the same key when there is no answer, as callers should. */
export function startOperator({ apiUrl, signIn, registry, seed }: OperatorOptions): Operator {
  const random = randomStream(seed, 'operator');
  const stopped = new AbortController();
  const givenUp = new AbortController();
  const asked: AskedDispatch[] = [];
  const runIds: string[] = [];
  const open = new Set<Promise<void>>();
  const wholly = (work: Promise<void>): void => {
    const ended = work.catch(() => undefined).finally(() => open.delete(ended));
    open.add(ended);
  };
  const post = poster(apiUrl, signIn);

  /** Until it is a decision; `attempts` go on for as long as there is none. */
  const untilDecided = async (path: string, body: object, key: string): Promise<Answer & { attempts: number }> => {
    for (let attempts = 1; ; attempts += 1) {
      const answer = await post(path, body, key);
      if (isDecision(answer) || givenUp.signal.aborted) return { ...answer, attempts };
      await sleep(AGAIN_AFTER_MS);
    }
  };

  const dispatch = async (number: number): Promise<void> => {
    const feeder = registry.feeders[Math.floor(random() * registry.feeders.length)];
    if (feeder === undefined) return;
    const startsAtMs = Date.now() + between(random, STARTS_IN_SECONDS) * 1_000;
    const endsAtMs = startsAtMs + between(random, LASTS_SECONDS) * 1_000;
    const side = random() < 0.5 ? 'importLimitKw' : 'exportLimitKw';
    const cancelAfterMs = random() < CANCELLED_SHARE ? between(random, CANCELLED_AFTER_SECONDS) * 1_000 : null;
    const order = {
      feederId: feeder.feederId,
      startsAt: new Date(startsAtMs).toISOString(),
      endsAt: new Date(endsAtMs).toISOString(),
      [side]: Math.round(feeder[side] * between(random, SHARE_OF_LIMIT)),
      reason: `chaos, request ${String(number)}`,
    };
    const idempotencyKey = `chaos-${String(seed)}-${String(number)}`;
    const { status, body, attempts } = await untilDecided('/api/dispatches', order, idempotencyKey);
    const dispatchId = typeof body['dispatchId'] === 'string' ? body['dispatchId'] : null;
    const cancels = status === 202 && cancelAfterMs !== null;
    asked.push({ idempotencyKey, status, dispatchId, attempts, cancelled: cancels });
    if (!cancels) return;
    await sleep(cancelAfterMs);
    const path = `/api/dispatches/${String(dispatchId)}/cancel`;
    await untilDecided(path, { reason: 'chaos: not wanted any more' }, `${idempotencyKey}-cancel`);
  };

  const going = (async () => {
    for (let number = 1; !stopped.signal.aborted; number += 1) {
      wholly(dispatch(number));
      await sleep(between(random, PAUSE_SECONDS) * 1_000, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  })();
  return {
    ...{ asked, runIds },
    runJob(jobName) {
      const key = `chaos-${String(seed)}-${jobName}-${String(runIds.length)}`;
      const run = async (): Promise<void> => {
        const { body } = await untilDecided(`/api/jobs/${jobName}/runs`, {}, key);
        if (typeof body['runId'] === 'string') runIds.push(body['runId']);
      };
      wholly(run());
    },
    async finish() {
      stopped.abort();
      await going;
      const timer = setTimeout(() => {
        givenUp.abort();
      }, FINISH_WITHIN_MS);
      await Promise.all(open);
      clearTimeout(timer);
    },
  };
}

/** An answer that will not change when it is asked again. */
const isDecision = ({ status }: Answer): boolean => status >= 200 && status < 500 && status !== 429 && status !== 401;

function poster(apiUrl: string, signIn: () => Promise<string>) {
  let token: string | null = null;
  return async (path: string, body: object, key: string): Promise<Answer> => {
    try {
      token ??= await signIn();
      const response = await fetch(`${apiUrl}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      if (response.status === 401) token = null;
      return { status: response.status, body: (await response.json()) as Answer['body'] };
    } catch {
      return NONE;
    }
  };
}
