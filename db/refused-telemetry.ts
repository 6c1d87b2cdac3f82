import type { Queryable } from './pool';
import { addRefusedSenders, type SenderCount } from './refused-senders';
import { storable } from './storable-text';
import { textArray } from './telemetry-arrays';

export interface RefusedSample {
  readonly reason: string;
  readonly detail: string;
  readonly topic: string;
  readonly payload: Buffer;
}

const KEPT_ROWS = 10_000;
const MAX_PAYLOAD_BYTES = 1_024;
const MAX_TOPIC_LENGTH = 256;
const MAX_DETAIL_LENGTH = 512;

/** Keeps a sample of what was refused, cut to a size that a stranger cannot abuse. The counters are in the metrics. */
export const createRefusedTelemetry = (db: Queryable) => ({
  async keep(samples: readonly RefusedSample[]): Promise<void> {
    await db.query(
      `insert into refused_telemetry (reason, detail, topic, payload)
       select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])`,
      [
        textArray(samples.map(({ reason }) => reason)),
        textArray(samples.map(({ detail }) => storable(detail, MAX_DETAIL_LENGTH))),
        textArray(samples.map(({ topic }) => storable(topic, MAX_TOPIC_LENGTH))),
        textArray(samples.map(({ payload }) => storable(payload.toString('utf8', 0, MAX_PAYLOAD_BYTES)))),
      ],
    );
  },

  /** Adds up who sent it. */
  addUp: (counts: readonly SenderCount[]): Promise<void> => addRefusedSenders(db, counts),

  /** Removes all but the newest 10,000. */
  async trim(): Promise<void> {
    await db.query(
      `delete from refused_telemetry
        where id <= (select id from refused_telemetry order by id desc offset $1 limit 1)`,
      [KEPT_ROWS],
    );
  },
});
