import { readFileSync, readdirSync } from 'node:fs';

/** What everybody on the machine could have read of our processes while something ran. */
export interface ProcessWatch {
  /** Command lines, each once, of everything below the watched processes. */
  readonly commandLines: ReadonlyMap<string, string>;
  /** Environments of programs that are not ours, by program. */
  readonly environments: ReadonlyMap<string, string>;
  stop(): void;
}

const EVERY_MS = 15;

/** Looks at /proc again and again: short programs are seen too, if they live for some 30 ms. */
export function watchProcesses(roots: readonly number[]): ProcessWatch {
  const commandLines = new Map<string, string>();
  const environments = new Map<string, string>();
  const look = (): void => {
    for (const pid of below(roots)) {
      const commandLine = read(pid, 'cmdline').replaceAll('\0', ' ').trim();
      if (commandLine === '') continue;
      const [program = ''] = commandLine.split(' ');
      const name = program.split('/').at(-1)!.replace(/:$/, '');
      commandLines.set(`command line ${commandLine.slice(0, 60)}`, commandLine);
      const environment = read(pid, 'environ').replaceAll('\0', '\n');
      // Empty: it is about to end. Each that was seen counts, since one program may be run in several ways.
      const place = `environment of ${name}`;
      const seen = environments.get(place) ?? '';
      if (name !== 'node' && !seen.includes(environment)) environments.set(place, `${seen}\n${environment}`);
    }
  };
  const timer = setInterval(look, EVERY_MS);
  return {
    commandLines,
    environments,
    stop: () => {
      clearInterval(timer);
    },
  };
}

function below(roots: readonly number[]): number[] {
  const parents = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = Number(/^PPid:\s*(\d+)/m.exec(read(Number(name), 'status'))?.[1]);
    parents.set(parent, [...(parents.get(parent) ?? []), Number(name)]);
  }
  const found = [...roots];
  for (const pid of found) found.push(...(parents.get(pid) ?? []));
  return found;
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'utf8');
  } catch {
    return ''; // it has just ended
  }
}
