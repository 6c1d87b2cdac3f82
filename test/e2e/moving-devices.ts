import type { Database } from '../../db/pool';
import { eventually } from '../support/servers';

/** What the devices measure themselves: how many of each type move power, by at least 0.2 kW. */
export async function moving(db: Database): Promise<Record<string, number>> {
  const { rows } = await db.query<{ device_type: string; count: string }>(
    `select device_type, count(*) filter (where abs(power_kw) > 0.2 and sampled_at > now() - interval '10 s') as count
       from devices join device_state using (device_key) group by device_type`,
  );
  return Object.fromEntries(rows.map(({ device_type: type, count }) => [type, Number(count)]));
}

export const underControl = (db: Database, withinMs: number): Promise<void> =>
  eventually(
    async () => {
      const { pv, ev } = await moving(db);
      expect(pv).toBeGreaterThan(5);
      expect(ev).toBeGreaterThan(5);
    },
    withinMs,
    250,
  );

export const standsStill = (db: Database, withinMs: number): Promise<void> =>
  eventually(async () => expect(await moving(db)).toEqual({ battery: 0, ev: 0, pv: 0 }), withinMs, 250);
