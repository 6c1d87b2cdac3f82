import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessSample } from './records';

// Linux only: what a process holds stands in /proc.

/** Processes whose environment or command line holds `mark`: ours and all that they start get a run's folder in one of both. */
export function markedProcesses(mark: string): { readonly pid: number; readonly program: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const isMarked = ['cmdline', 'environ'].some((file) => factsOf(pid, file).includes(mark));
      return isMarked ? [{ pid: Number(pid), program: factsOf(pid, 'comm').trim() }] : [];
    });
}

/** undefined when there is no such process. */
export function sampleProcess(name: string, pid: number): ProcessSample | undefined {
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(factsOf(pid, 'status'))?.[1];
  if (resident === undefined) return undefined;
  try {
    return {
      name,
      residentMb: Number(resident) / 1024,
      fileHandles: readdirSync(`/proc/${String(pid)}/fd`).length,
    };
  } catch {
    return undefined; // it ended while we looked
  }
}

function factsOf(pid: number | string, file: string): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'utf8');
  } catch {
    return ''; // it ended while we looked, or is somebody else's
  }
}
