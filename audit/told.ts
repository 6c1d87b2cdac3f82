import type { AuditHeadPlace, AuditReport, RestoreInChain } from './report';

/** The report in words, for a terminal. */
export function told(report: AuditReport): string {
  const { sound, faults, entries, badLinks, end, signedUpTo, storedUpTo, unsealed, restores, notes } = report;
  const lines = [
    sound ? `Sound: ${report.summary}.` : `NOT SOUND: ${report.summary}.`,
    ...faults.slice(1).map(({ detail }) => `  also: ${detail}`),
    ...(badLinks > faults.length ? [`  ${String(badLinks)} of ${String(entries)} links are bad`] : []),
    `The chain ends at ${end === null ? 'nothing: it is empty' : `${String(end.position)} ${end.hash}`}`,
    `Signed up to ${place(signedUpTo)}; in storage up to ${place(storedUpTo)}`,
    unsealed.entries === 0
      ? 'Nothing is unsealed'
      : `Unsealed: ${String(unsealed.entries)} from entry ${String(unsealed.oldestId)}, the oldest ${String(unsealed.oldestAgeSeconds)} s old`,
    ...restores.map(restored),
    ...notes.map((note) => `Note: ${note}`),
  ];
  return `${lines.join('\n')}\n`;
}

const place = (head: AuditHeadPlace | null): string =>
  head === null ? 'nothing' : `${String(head.position)} (${head.signedAt})`;

const restored = ({ position, at, backupId, headOfBefore }: RestoreInChain): string =>
  `Restored at ${at} from ${backupId}: entries before ${String(position)} came with it` +
  (headOfBefore === null
    ? '; no head says that any are missing'
    : `; the head of ${headOfBefore.signedAt} says ${String(headOfBefore.position)}, so ${String(headOfBefore.position - position + 1)} entries or more of that time are not here`);
