import { z } from 'zod';
import { createApiClient, type ApiClient } from '../api-client';
import type { Command } from '../context';
import { readOptions } from '../options';
import { table } from '../table';
import { ageText } from '../times';

const USAGE = 'derms feeders [--json]';

const limit = z.object({ kw: z.number(), source: z.object({ kind: z.string() }) });
const feederSchema = z.object({
  feederId: z.string(),
  mode: z.string(),
  enabled: z.boolean(),
  flow: z.object({ kw: z.number(), stale: z.boolean() }).nullable(),
  limitsInForce: z.object({ high: limit, low: limit }),
  headroom: z.object({ importKw: z.number(), exportKw: z.number() }).nullable(),
  lastCycle: z.object({ ageSeconds: z.number().nullable(), ok: z.boolean() }).nullable(),
  devices: z.object({ total: z.number(), offline: z.number(), notFollowing: z.number() }),
  activeDispatches: z.array(z.unknown()),
});
const pageSchema = z.object({ items: z.array(z.looseObject(feederSchema.shape)), nextCursor: z.string().nullable() });
type Feeder = z.output<typeof pageSchema>['items'][number];

/** Worst first, as the API ranks them. */
export const feeders: Command = async (argv, { print, environment }) => {
  const { values } = readOptions(USAGE, argv, { json: { type: 'boolean', default: false } });
  const all = await readAll(createApiClient(environment));
  print(values.json ? JSON.stringify(all) : inTable(all));
  return 0;
};

/** More than 20 pages would be 10,000 feeders: a table nobody reads. */
const MOST_PAGES = 20;

async function readAll(api: ApiClient): Promise<Feeder[]> {
  const all: Feeder[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < MOST_PAGES && (page === 0 || cursor !== null); page += 1) {
    const more: string = cursor === null ? '' : `&cursor=${cursor}`;
    const answer: z.output<typeof pageSchema> = await api.call(pageSchema, {
      method: 'GET',
      path: `/api/feeders?limit=500${more}`,
    });
    all.push(...answer.items);
    cursor = answer.nextCursor;
  }
  return all;
}

const inTable = (all: readonly Feeder[]): string =>
  all.length === 0
    ? 'There are no feeders yet: npm run derms -- registry apply FILE'
    : table([
        [
          'FEEDER',
          'FLOW kW',
          'MOST kW',
          'LEAST kW',
          'HEADROOM kW',
          'BY',
          'MODE',
          'CYCLE',
          'DEVICES',
          'OFFLINE',
          'OFF TARGET',
        ],
        ...all.map((feeder) => [
          feeder.feederId,
          feeder.flow === null ? '-' : `${feeder.flow.kw.toFixed(1)}${feeder.flow.stale ? ' stale' : ''}`,
          feeder.limitsInForce.high.kw.toFixed(1),
          feeder.limitsInForce.low.kw.toFixed(1),
          feeder.headroom === null ? '-' : Math.min(feeder.headroom.importKw, feeder.headroom.exportKw).toFixed(1),
          feeder.activeDispatches.length > 0 ? 'dispatch' : feeder.limitsInForce.high.source.kind,
          feeder.enabled ? feeder.mode : 'stopped',
          `${ageText(feeder.lastCycle?.ageSeconds ?? null)}${feeder.enabled && feeder.lastCycle?.ok !== true ? ' late' : ''}`,
          String(feeder.devices.total),
          String(feeder.devices.offline),
          String(feeder.devices.notFollowing),
        ]),
      ]);
