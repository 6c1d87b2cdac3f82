import type { Answer } from '../../e2e/support';
import type { KillWorld, Phase, Victim } from './kill-world';

/** Who is killed, and in the middle of what. */
export interface Fault {
  readonly victim: Victim;
  readonly phase: Phase;
  /** The job that is at it. */
  readonly of: keyof typeof PROOFS;
  /** Attempts that the step needs; null where it may overcome the fault within the first one. */
  readonly attempts: number | null;
}

/** What came of it. */
export interface Told {
  readonly run: Answer['body'];
  readonly left: readonly string[];
}

/** What the result of a run has in it when it has done its work. */
const PROOFS = {
  'db-backup': { verification: { verdict: 'passed' } },
  'base-backup': { checkId: expect.any(Number) as number, retention: {} },
  'backup-verify': { looked: [{ verdict: 'passed' }] },
  'restore-drill': { compared: {}, application: {} },
} as const;

/** The victim is killed in the middle of the phase, and comes back. */
export async function suffer(world: KillWorld, { victim, phase, of }: Fault): Promise<Told> {
  const input = of === 'backup-verify' ? { backupId: await world.newest(phase === 'prove' ? 'base' : 'dump') } : {};
  const runId = await world.start(of, input);
  const letGo = await world.hold(phase);
  await world.kill(victim);
  letGo();
  await world.bringBack(victim);
  return { run: await world.ended(runId), left: await world.leftBehind() };
}

/** The run has ended as it should, and nothing is left of the attempt that was cut. */
export function expectProof({ phase, of, attempts }: Fault, { run, left }: Told): void {
  expect(run).toMatchObject({ state: 'succeeded', failure: null, result: PROOFS[of] });
  expect(left).toEqual([]);
  const name = of === 'db-backup' || of === 'base-backup' ? phase : 'run';
  if (attempts !== null) expect(run['steps']).toContainEqual(expect.objectContaining({ name, attempts }));
}
