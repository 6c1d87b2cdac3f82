import { z } from 'zod';
import { asCatalogued } from '../backups/catalogue';
import { writeManifest } from '../backups/manifest';
import type { MqttBackupPorts } from '../backups/mqtt/backup-ports';
import { copiesOf } from '../backups/mqtt/copy-keys';
import { copyManifest } from '../backups/mqtt/copy-manifest';
import type { StoreCopy } from '../backups/mqtt/copy-store';
import { proveCopy, type CopyProof } from '../backups/mqtt/prove-copy';
import { retainBackups, type Retained } from '../backups/retain-backups';
import { DermsError } from '../domain/errors';
import { JobFailure, JobSkipped, type JobContext } from './runner/context';
import { defineSteps } from './runner/declaration';
import { recordCheck } from './runner/record-check';

const ATTEMPTS = 3;

/** Backs up what each broker would start from again, and proves it by starting one on it. */
export const job = defineSteps({
  name: 'mqtt-backup',
  purpose: "Copies each broker's store, proves the copy by booting a broker on it, and removes old copies.",
  input: z.strictObject({
    dryRun: z.boolean().default(false).describe('true: old copies are listed, not removed.'),
  }),
  schedule: { cron: '25 1 * * *', overlap: 'skip', catchUpSeconds: 6 * 3_600 },
  concurrency: { atMost: 1 },
  freshness: { objective: "a proven copy of each broker's store younger than 26 h", withinSeconds: 26 * 3_600 },
  runbook: 'mqtt-backup.md',
  steps: [
    { name: 'copy', attemptSeconds: 3_600, attempts: ATTEMPTS, run: (_input, context) => copyAll(context) },
    { name: 'prove', attemptSeconds: 3_600, attempts: ATTEMPTS, run: (_input, context) => proveAll(context) },
    {
      name: 'retain',
      attemptSeconds: 600,
      attempts: ATTEMPTS,
      run: ({ dryRun }, context) => retainAll(dryRun, context),
    },
  ],
});

/** Of one broker. A broker that fails does not keep the others from being backed up. */
type Outcome<Good> = Good | Failed;

interface Failed {
  readonly broker: string;
  readonly failure: { readonly code: string; readonly message: string };
}

async function copyAll(context: JobContext): Promise<Outcome<StoreCopy>[]> {
  const { brokers } = portsOf(context);
  return overAll(context, brokers, (broker) => {
    const note = `copying the store of broker ${broker.name}`;
    context.progress({ note });
    return broker.copyStore(context.runId, {
      signal: context.signal,
      onProgress: (doneBytes) => {
        context.progress({ doneBytes, note });
      },
    });
  });
}

/** A copy that counts; JSON-safe. */
interface ProvenCopy {
  readonly broker: string;
  readonly backupId: string;
  readonly copy: StoreCopy;
  readonly proof: CopyProof;
  readonly provenAt: string;
}

async function proveAll(context: JobContext): Promise<Outcome<ProvenCopy>[]> {
  const copies = context.results['copy'] as Outcome<StoreCopy>[]; // what the step before answered
  const failed = copies.filter(isFailed);
  const proven = await overAll(context, copies.filter(isGood).map(named), async ({ name, ...copy }) => {
    context.progress({ note: `proving the copy of broker ${name}` });
    return prove(copy, context);
  });
  return [...proven, ...failed];
}

/** Proven first, then a backup: with its manifest, its row, and the check that is its proof. */
async function prove(copy: StoreCopy, context: JobContext): Promise<ProvenCopy> {
  const { runId, workflowId } = context;
  const ports = portsOf(context);
  const { deployment, catalogue } = ports;
  const proof = await proveCopy(ports, copy, context.signal);
  const provenAt = context.ports.now();
  const manifest = copyManifest(ports, { copy, proof, runId, workflowId, deployment, provenAt });
  await writeManifest(ports.storage, manifest);
  const backup = asCatalogued(manifest);
  await catalogue.add(backup);
  await recordCheck(context, catalogue, backup, { verdict: 'passed', faults: [], seconds: proof.seconds });
  await context.evidence('mqtt-backup', manifest);
  const { broker, key, counts } = copy;
  context.log.info({ broker, key, ...counts, proof }, 'the copy of a broker store is proven');
  return { broker, backupId: backup.backupId, copy, proof, provenAt: manifest.provenAt };
}

interface BrokerResult extends ProvenCopy {
  readonly retention: Retained;
}

async function retainAll(dryRun: boolean, context: JobContext): Promise<{ readonly brokers: BrokerResult[] }> {
  const ports = portsOf(context);
  const proven = context.results['prove'] as Outcome<ProvenCopy>[]; // as above
  const brokers: BrokerResult[] = [];
  for (const copy of proven.filter(isGood)) {
    const retention = await retainBackups(ports, {
      ...{ kind: 'mqtt', below: copiesOf(copy.broker), jobName: context.jobName, rule: ports.rule },
      ...{ nowMs: context.ports.now().getTime(), dryRun },
    });
    context.log.info({ broker: copy.broker, ...retention, dryRun }, 'old copies of a broker store looked through');
    brokers.push({ ...copy, retention });
  }
  const failed = proven.filter(isFailed);
  if (failed.length > 0) throw failureOf(failed, brokers.length);
  return { brokers };
}

/**
 * Does the work for each broker. While attempts are left a failure ends this one, so that the work is tried again; in the
 * last one it is told at the end of the run, when all that can be had is had.
 */
async function overAll<Broker extends { readonly name: string }, Good>(
  { attempt, signal, log }: JobContext,
  brokers: readonly Broker[],
  work: (broker: Broker) => Promise<Good>,
): Promise<Outcome<Good>[]> {
  const outcomes: Outcome<Good>[] = [];
  for (const broker of brokers) {
    try {
      outcomes.push(await work(broker));
    } catch (err) {
      signal.throwIfAborted();
      if (attempt < ATTEMPTS) throw err;
      log.error({ err, broker: broker.name }, 'a broker is not backed up');
      const code = err instanceof DermsError ? err.code : 'INTERNAL';
      outcomes.push({
        broker: broker.name,
        failure: { code, message: err instanceof Error ? err.message : String(err) },
      });
    }
  }
  return outcomes;
}

function portsOf({ ports }: JobContext): MqttBackupPorts {
  const { mqttBackup } = ports;
  if (typeof mqttBackup !== 'string') return mqttBackup;
  throw new JobSkipped(mqttBackup);
}

const named = (copy: StoreCopy): StoreCopy & { readonly name: string } => ({ ...copy, name: copy.broker });
const isFailed = (outcome: object): outcome is Failed => 'failure' in outcome;
const isGood = <Good extends object>(outcome: Good | Failed): outcome is Good => !isFailed(outcome);

function failureOf(failed: readonly Failed[], good: number): JobFailure {
  const [first] = failed;
  const messages = failed.map(({ broker, failure }) => `broker ${broker}: ${failure.message}`).join('; ');
  const others = good === 0 ? '' : ` (${good} other broker${good === 1 ? ' is' : 's are'} backed up)`;
  return new JobFailure(first?.failure.code ?? 'INTERNAL', `${messages}${others}`);
}
