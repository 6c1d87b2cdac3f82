import { readdirSync, readFileSync } from 'node:fs';

/** A process as /proc shows it. */
export interface SeenProcess {
  readonly pid: number;
  readonly program: string;
  readonly args: readonly string[];
  /** Bytes that it has read and written so far, from and to whatever. */
  readonly moved: { readonly read: number; readonly written: number };
}

/** Processes that run, whose environment or command line holds `mark`: programs that ours start get both from them. */
export function marked(mark: string): SeenProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const facts = (file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8');
        const args = facts('cmdline').split('\0');
        if (!facts('environ').includes(mark) && !args.some((arg) => arg.includes(mark))) return [];
        const io = new Map(
          facts('io')
            .split('\n')
            .map((line) => line.split(': ') as [string, string]),
        );
        const moved = { read: Number(io.get('rchar')), written: Number(io.get('wchar')) };
        return [{ pid: Number(pid), program: facts('comm').trim(), args, moved }];
      } catch {
        return []; // it ended while we looked, or is somebody else's
      }
    });
}
