import type { Answer } from '../../e2e/support';
import { createKillWorld, type KillWorld, type Phase, type Victim } from './kill-world';

interface Fault {
  readonly victim: Victim;
  readonly phase: Phase;
  /** Attempts that the step needs; null where it may overcome the fault within the first one. */
  readonly attempts: number | null;
  /** The system in which it happens. */
  readonly system: (typeof SYSTEMS)[number];
}

const SYSTEMS = ['worker', 'postgres', 'storage'] as const;
const FAULTS: readonly Fault[] = [
  { victim: 'worker', phase: 'dump', attempts: 2, system: 'worker' },
  { victim: 'worker', phase: 'verify', attempts: 2, system: 'worker' },
  { victim: 'worker', phase: 'drill', attempts: 2, system: 'worker' },
  { victim: 'postgres', phase: 'dump', attempts: 2, system: 'postgres' },
  { victim: 'postgres', phase: 'verify', attempts: null, system: 'postgres' },
  { victim: 'postgres', phase: 'drill', attempts: null, system: 'postgres' },
  { victim: 'scratch', phase: 'drill', attempts: 2, system: 'postgres' },
  { victim: 'storage', phase: 'dump', attempts: null, system: 'storage' },
  { victim: 'storage', phase: 'verify', attempts: null, system: 'storage' },
  { victim: 'storage', phase: 'drill', attempts: null, system: 'storage' },
];
const JOBS = { dump: 'db-backup', verify: 'db-backup', drill: 'restore-drill' } as const;
const STEPS = { dump: 'dump', verify: 'verify', drill: 'run' } as const;

interface Told {
  readonly run: Answer['body'];
  readonly left: readonly string[];
}

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

async function suffer(world: KillWorld, { victim, phase }: Fault): Promise<Told> {
  const runId = await world.start(JOBS[phase]);
  const letGo = await world.hold(phase);
  await world.kill(victim);
  letGo();
  await world.bringBack(victim);
  return { run: await world.ended(runId), left: await world.leftBehind() };
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
  'kill -9 of the $victim in the middle of a $phase: the run still ends with its proof, and nothing is left',
  async (of) => {
    const { run, left } = await outcomeOf(of);
    expect(run).toMatchObject({ state: 'succeeded', failure: null });
    expect(run['result']).toMatchObject(
      of.phase === 'drill' ? { compared: {}, application: {} } : { verification: { verdict: 'passed' } },
    );
    expect(left).toEqual([]);
    const steps = run['steps'] as readonly { readonly name: string; readonly attempts: number }[];
    if (of.attempts !== null)
      expect(steps).toContainEqual(expect.objectContaining({ name: STEPS[of.phase], attempts: of.attempts }));
  },
);

it('a bucket that stays away fails the run, which says so; the next run succeeds and leaves nothing of it', async () => {
  const { run, left } = await outcomeOf('storage stays away');
  expect(run).toMatchObject({ state: 'failed', failure: { code: 'STORAGE_UNAVAILABLE' } });
  expect(left).toEqual([]);
});
