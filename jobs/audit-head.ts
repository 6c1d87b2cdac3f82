import { z } from 'zod';
import { JobFailure, JobSkipped, type JobContext } from './runner/context';
import { defineSteps } from './runner/declaration';
import type { AuditChainPort } from './runner/ports';

/** Puts what the audit chain ends with out of the database's reach, and holds the chain against all that lies there. */
export const job = defineSteps({
  name: 'audit-head',
  purpose: 'Puts the signed head of the audit chain into storage and proves the whole chain against the heads there.',
  input: z.strictObject({}),
  schedule: { cron: '5 3 * * *', overlap: 'skip', catchUpSeconds: 12 * 3_600 },
  concurrency: { atMost: 1 },
  freshness: {
    objective: 'the head of the audit chain went into storage, and the chain was proven, in the last 26 h',
    withinSeconds: 26 * 3_600,
  },
  runbook: 'audit.md',
  steps: [
    { name: 'store', attemptSeconds: 300, attempts: 5, run: (_input, context) => storeHead(context) },
    { name: 'verify', attemptSeconds: 4 * 3_600, attempts: 3, run: (_input, context) => verify(context) },
  ],
});

async function storeHead(context: JobContext) {
  const head = await chainOf(context).storeHead(context.signal);
  if (head === null) throw new JobSkipped('nothing was written to the audit log yet');
  context.log.info({ ...head }, 'the head of the audit chain lies in storage');
  return head;
}

async function verify(context: JobContext) {
  const report = await chainOf(context).verify(context.signal, (entries) => {
    context.progress({ note: `${String(entries)} entries computed anew` });
  });
  await context.evidence('audit-chain', report);
  const { sound, summary, entries, end, signedUpTo, storedUpTo, unsealed, restores } = report;
  if (!sound) throw new JobFailure('AUDIT_NOT_SOUND', summary);
  return { stored: context.results['store'], entries, end, signedUpTo, storedUpTo, unsealed, restores };
}

function chainOf({ ports: { auditChain } }: JobContext): AuditChainPort {
  if (typeof auditChain !== 'string') return auditChain;
  throw new JobSkipped(auditChain);
}
