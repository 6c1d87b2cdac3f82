import { expectProof, suffer, type Fault, type Told } from './kill-story';
import { BUCKET_RULES } from '../../../storage/bucket-check';
import { eventually } from '../../support/servers';
import { createKillWorld, type KillWorld } from './kill-world';

const FAULTS: readonly Fault[] = [
  { victim: 'worker', phase: 'copy', of: 'base-backup', attempts: 2 },
  { victim: 'worker', phase: 'prove', of: 'base-backup', attempts: 2 },
  { victim: 'worker', phase: 'prove', of: 'backup-verify', attempts: 2 },
  { victim: 'storage', phase: 'copy', of: 'base-backup', attempts: null },
  { victim: 'storage', phase: 'prove', of: 'base-backup', attempts: null },
  { victim: 'storage', phase: 'prove', of: 'backup-verify', attempts: null },
  { victim: 'postgres', phase: 'copy', of: 'base-backup', attempts: 2 },
  { victim: 'postgres', phase: 'prove', of: 'base-backup', attempts: null },
  { victim: 'postgres', phase: 'prove', of: 'backup-verify', attempts: null },
];

/** Base backups of a cluster that archives its log, all in one bucket. */
let world: KillWorld;
beforeAll(async () => {
  world = await createKillWorld({ archives: true });
}, 120_000);
afterAll(() => world.close(), 60_000);

it('a worker that starts has looked what the bucket enforces by itself: here nothing', async () => {
  await eventually(async () => {
    const metrics = await world.metrics();
    for (const rule of BUCKET_RULES)
      expect(metrics).toContain(`derms_backup_storage_rule_enforced{rule="${rule}",role="jobs"} 0\n`);
  });
});

it.each(FAULTS)(
  'kill -9 of the $victim in the middle of the $phase of a $of: the run still ends with its proof, and nothing is left',
  async (fault) => {
    const told: Told = await suffer(world, fault);
    expectProof(fault, told);
  },
  300_000,
);
