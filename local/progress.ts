/** What a starting stack shows: on a terminal one line of what is awaited, drawn anew; a line for each thing done. */
export interface Progress {
  /** Runs a step and prints a line with its seconds when it succeeds; a failure is left to the caller. */
  readonly step: (name: string, where: string, work: () => Promise<unknown>) => Promise<void>;
  readonly say: (line: string) => void;
  /** No more redrawing. */
  readonly end: () => void;
}

const REDRAW_MS = 250;
/** Where the terminal does not tell. */
const WIDTH = 80;

export function createProgress(out: NodeJS.WriteStream): Progress {
  const waiting = new Map<string, number>();
  let drawing = out.isTTY;
  const clear = (): void => {
    if (drawing) out.write('\r\x1b[2K');
  };
  const draw = (): void => {
    if (!drawing || waiting.size === 0) return;
    const names = [...waiting].map(([name, since]) => `${name} (${Math.floor((performance.now() - since) / 1000)} s)`);
    out.write(`\r\x1b[2K${`… ${names.join(' · ')}`.slice(0, (out.columns || WIDTH) - 1)}`);
  };
  const timer = setInterval(draw, REDRAW_MS);
  timer.unref();
  const say = (line: string): void => {
    clear();
    out.write(`${line}\n`);
    draw();
  };
  return {
    say,
    async step(name, where, work) {
      const began = performance.now();
      waiting.set(name, began);
      draw();
      try {
        await work();
        waiting.delete(name);
        say(`✓ ${name.padEnd(12)} ${where.padEnd(46)} ${((performance.now() - began) / 1000).toFixed(1)} s`);
      } finally {
        waiting.delete(name);
      }
    },
    end() {
      clear();
      drawing = false;
      clearInterval(timer);
    },
  };
}
