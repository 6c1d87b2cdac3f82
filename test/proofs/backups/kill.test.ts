import type { Answer } from '../../e2e/support';
import { expectProof, suffer, type Fault as AnyFault, type Told } from './kill-story';
import { createKillWorld, type KillWorld } from './kill-world';

interface Fault extends AnyFault {
  /** The system in which it happens. */
  readonly system: (typeof SYSTEMS)[number];
}

const SYSTEMS = ['worker', 'postgres', 'storage'] as const;
const FAULTS: readonly Fault[] = [
  { victim: 'worker', phase: 'dump', of: 'db-backup', attempts: 2, system: 'worker' },
  { victim: 'worker', phase: 'verify', of: 'db-backup', attempts: 2, system: 'worker' },
  { victim: 'worker', phase: 'verify', of: 'backup-verify', attempts: 2, system: 'worker' },
  { victim: 'worker', phase: 'drill', of: 'restore-drill', attempts: 2, system: 'worker' },
  { victim: 'postgres', phase: 'dump', of: 'db-backup', attempts: 2, system: 'postgres' },
  { victim: 'postgres', phase: 'verify', of: 'db-backup', attempts: null, system: 'postgres' },
  { victim: 'postgres', phase: 'verify', of: 'backup-verify', attempts: null, system: 'postgres' },
  { victim: 'postgres', phase: 'drill', of: 'restore-drill', attempts: null, system: 'postgres' },
  { victim: 'scratch', phase: 'drill', of: 'restore-drill', attempts: 2, system: 'postgres' },
  { victim: 'storage', phase: 'dump', of: 'db-backup', attempts: null, system: 'storage' },
  { victim: 'storage', phase: 'verify', of: 'db-backup', attempts: null, system: 'storage' },
  { victim: 'storage', phase: 'verify', of: 'backup-verify', attempts: null, system: 'storage' },
  { victim: 'storage', phase: 'drill', of: 'restore-drill', attempts: null, system: 'storage' },
];

let worlds: Promise<KillWorld>[] = [];
const told = new Map<Fault | 'storage stays away', Promise<Told>>();
let undisturbed: Promise<{ readonly backup: Answer['body']; readonly drill: Answer['body']; readonly parts: number }>;

/** Each system suffers its faults one after the other; the three go on side by side, for most of the time is waiting. */
beforeAll(() => {
  worlds = SYSTEMS.map((system) => {
    const world = createKillWorld();
    const tell = (of: Fault | 'storage stays away', story: (world: KillWorld) => Promise<Told>): void => {
      const telling = last
        .catch(() => undefined)
        .then(() => world)
        .then(story);
      told.set(of, telling);
      last = telling;
    };
    let last: Promise<unknown> = Promise.resolve();
    if (system === 'storage') last = undisturbed = world.then(backUpAndDrill);
    for (const of of FAULTS.filter((one) => one.system === system)) tell(of, (there) => suffer(there, of));
    if (system === 'storage') tell('storage stays away', loseStorage);
    return world;
  });
  for (const promise of [...worlds, ...told.values(), undisturbed]) promise.catch(() => undefined); // their test tells
});
afterAll(async () => {
  for (const world of await Promise.allSettled(worlds)) if (world.status === 'fulfilled') await world.value.close();
}, 60_000);

async function backUpAndDrill(world: KillWorld) {
  const backup = await world.ended(await world.start('db-backup'));
  const { key } = backup['result'] as { readonly key: string };
  const drill = await world.ended(await world.start('restore-drill'));
  return { backup, drill, parts: await world.partsOf(key) };
}

/** It is away for all attempts: the run fails and says why; when it is back, the next run succeeds. */
async function loseStorage(world: KillWorld): Promise<Told> {
  const lost = await world.start('db-backup');
  const letGo = await world.hold('dump');
  await world.kill('storage');
  letGo();
  const run = await world.ended(lost);
  await world.bringBack('storage');
  const next = await world.ended(await world.start('db-backup'));
  expect(next).toMatchObject({ state: 'succeeded' });
  return { run, left: await world.leftBehind() };
}

const outcomeOf = (of: Fault | 'storage stays away'): Promise<Told> =>
  told.get(of) ?? Promise.reject(new Error('nobody has told of it'));

it('a backup goes to a bucket in parts, is read back from there, and restored from there', async () => {
  const { backup, drill, parts } = await undisturbed;
  expect(backup).toMatchObject({ state: 'succeeded', result: { verification: { verdict: 'passed' } } });
  expect(parts).toBeGreaterThan(5);
  const { backupId } = backup['result'] as { readonly backupId: string };
  expect(drill).toMatchObject({ state: 'succeeded', result: { backupId, compared: {}, application: {} } });
});

it.each(FAULTS)(
  'kill -9 of the $victim in the middle of the $phase of a $of: the run still ends with its proof, and nothing is left',
  async (fault) => {
    expectProof(fault, await outcomeOf(fault));
  },
);

it('a bucket that stays away fails the run, which says so; the next run succeeds and leaves nothing of it', async () => {
  const { run, left } = await outcomeOf('storage stays away');
  expect(run).toMatchObject({ state: 'failed', failure: { code: 'STORAGE_UNAVAILABLE' } });
  expect(left).toEqual([]);
});
