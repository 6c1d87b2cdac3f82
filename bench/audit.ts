import { sealAll } from '../audit/sealer';
import { verifyAudit } from '../audit/verify';
import { appendAudit, type Actor } from '../db/audit';
import type { Database, Queryable } from '../db/pool';
import { percentile } from './percentile';
import { startBenchServers } from './servers';
import type { Benchmark } from './table';

const WRITES = 600;
const ENTRIES = 50_000;
const TARGET_PER_SECOND = 5_000;
const ANNA: Actor = { user: 'anna', role: 'operator', requestId: 'bench', address: '127.0.0.1' };
const DETAIL = { before: { importLimitKw: 40, exportLimitKw: 40 }, after: { importLimitKw: 41, exportLimitKw: 40 } };

/** What an entry costs the write that it tells about, and how fast entries are sealed and proven. */
export const benchmarkAudit: Benchmark = async (say) => {
  const servers = await startBenchServers();
  try {
    const { db } = servers;
    const { withEntry, without } = await writeInTurns(db);
    say(`${String(WRITES)} writes with and without an entry`);
    await db.query(
      `insert into audit_log (actor, role, action, subject, outcome, request_id, address, detail)
       select 'anna', 'operator', 'feeder.change', 'bench', 'done', 'bench', '127.0.0.1', $1 from generate_series(1, $2)`,
      [DETAIL, ENTRIES],
    );
    const sealed = await perSecond(() => sealAll(db));
    say('sealed');
    const verified = await perSecond(async () => (await verifyAudit(db, { keyRing: null, stored: null })).entries);
    const row = { benchmark: 'audit', reference: null, target: null, met: null };
    return [
      { ...row, measure: 'write with its entry, median, ms', ours: withEntry, reference: without },
      {
        ...row,
        ...{ measure: 'entries sealed, /s', ours: sealed },
        ...{ target: `≥ ${String(TARGET_PER_SECOND)}/s`, met: sealed >= TARGET_PER_SECOND },
      },
      { ...row, measure: 'entries proven, /s', ours: verified },
    ];
  } finally {
    await servers.stop();
  }
};

/** In turns, so that another load on the machine hits both alike. */
async function writeInTurns(db: Database): Promise<{ withEntry: number; without: number }> {
  await db.query(
    `insert into feeders (feeder_id, root_id, import_limit_kw, export_limit_kw, origin) values ('bench', 'bench', 40, 40, 'registry')`,
  );
  const change = (tx: Queryable): Promise<unknown> =>
    tx.query("update feeders set revision = revision + 1 where feeder_id = 'bench'");
  const entry = { action: 'feeder.change', subject: 'bench', outcome: 'done', detail: DETAIL } as const;
  const [withEntry, without]: [number[], number[]] = [[], []];
  for (let write = 0; write < WRITES; write += 1) {
    without.push(await milliseconds(() => db.transaction(change)));
    withEntry.push(
      await milliseconds(() =>
        db.transaction(async (tx) => {
          await change(tx);
          await appendAudit(tx, ANNA, entry);
        }),
      ),
    );
  }
  return { withEntry: percentile(withEntry, 0.5), without: percentile(without, 0.5) };
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function perSecond(work: () => Promise<number>): Promise<number> {
  const startedAt = performance.now();
  const done = await work();
  return (done / (performance.now() - startedAt)) * 1_000;
}
