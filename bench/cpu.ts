import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks per second of /proc; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU seconds that a process and its children have used so far; 0 where there is no /proc. */
export function cpuSecondsOfTree(pid: number): number {
  try {
    const processes = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap(statOf);
    const members = new Set([pid]);
    for (let grown = true; grown;) {
      grown = false;
      for (const { id, parent } of processes) {
        if (members.has(parent) && !members.has(id)) {
          members.add(id);
          grown = true;
        }
      }
    }
    const ticks = processes.filter(({ id }) => members.has(id)).reduce((sum, process) => sum + process.ticks, 0);
    return ticks / TICKS_PER_SECOND;
  } catch {
    return 0; // not Linux: the figure is left out of the table's reading
  }
}

function statOf(name: string): { id: number; parent: number; ticks: number }[] {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return [{ id: Number(name), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }];
  } catch {
    return []; // it ended while we looked
  }
}

/** CPU seconds that this process, all its threads included, uses while `work` runs. */
export function cpuSecondsOf(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
