import type { QueryResultRow } from 'pg';
import type { Database, Queryable, Transactions } from './pool';

/** A statement of a rehearsal, over all its rounds. */
export interface RehearsedStatement {
  readonly text: string;
  /** One each time it ran, ms, the way to the server and back included. */
  readonly times: number[];
  /** Of its last run that was looked into: `explain (analyze, buffers)`; why there is none, where it could not be had. */
  plan: string | null;
}

export interface Rehearsal {
  /** Runs work as the database does, and undoes all of it at its end. */
  readonly db: Transactions;
  readonly statements: ReadonlyMap<string, RehearsedStatement>;
  /** From now on these are explained, each before it runs, and their times are not counted. */
  explain(texts: ReadonlySet<string>): void;
}

/** Carries the answer out of a transaction that is rolled back. */
class Undone extends Error {
  constructor(readonly answer: unknown) {
    super('rehearsed');
  }
}

/** Statements whose rows the live ones wait for are given up after this long, ms. */
const LOCK_TIMEOUT_MS = 1_000;

/** What would be done, with the statements it takes and their plans: nothing of it stays. */
export function rehearsalOn(db: Database): Rehearsal {
  const statements = new Map<string, RehearsedStatement>();
  let explained: ReadonlySet<string> = new Set();
  const recording = (tx: Queryable): Queryable => ({
    async query<Row extends QueryResultRow>(text: string, values?: unknown[]) {
      const known = statements.get(text) ?? { text, times: [], plan: null };
      statements.set(text, known);
      if (explained.has(text)) known.plan = await planOf(tx, text, values);
      const began = performance.now();
      const result = await tx.query<Row>(text, values);
      if (explained.size === 0) known.times.push(performance.now() - began);
      return result;
    },
  });
  return {
    db: {
      query: (text, values) => recording(db).query(text, values),
      async transaction<T>(work: (tx: Queryable) => Promise<T>, options = {}): Promise<T> {
        try {
          return await db.transaction(async (tx) => {
            await tx.query(`set local lock_timeout = ${String(LOCK_TIMEOUT_MS)}`);
            throw new Undone(await work(recording(tx)));
          }, options);
        } catch (error) {
          if (error instanceof Undone) return error.answer as T; // what `work` returned
          throw error;
        }
      },
    },
    statements,
    explain: (texts) => {
      explained = texts;
    },
  };
}

async function planOf(tx: Queryable, text: string, values: unknown[] | undefined): Promise<string> {
  await tx.query('savepoint explained');
  try {
    const { rows } = await tx.query<{ 'QUERY PLAN': string }>(`explain (analyze, buffers) ${text}`, values);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  } catch (error) {
    return `no plan: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    await tx.query('rollback to savepoint explained');
  }
}
