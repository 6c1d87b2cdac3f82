import type { WriteStream } from 'node:tty';

/** How far it is, on one line that is written over; without a terminal a line now and then. */
export interface ProgressLine {
  step(name: string): void;
  readonly bytes: (done: number) => void;
  readonly end: () => void;
}

const EVERY_MS = { terminal: 200, file: 5_000 };

export function progressLine(stream: WriteStream, totalBytes: number): ProgressLine {
  const startedMs = performance.now();
  const everyMs = stream.isTTY ? EVERY_MS.terminal : EVERY_MS.file;
  let lastMs = 0;
  let open = false;
  const close = (): void => {
    if (open) stream.write('\n');
    open = false;
  };
  return {
    step: (name) => {
      close();
      stream.write(`  ${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s  ${name}\n`);
    },
    bytes: (done) => {
      const now = performance.now();
      if (now - lastMs < everyMs && done < totalBytes) return;
      lastMs = now;
      const share = totalBytes === 0 ? 1 : done / totalBytes;
      const text = `             ${(100 * share).toFixed(0).padStart(3)} %, ${(done / 1e6).toFixed(1)} of ${(totalBytes / 1e6).toFixed(1)} MB`;
      stream.write(stream.isTTY ? `\r${text}` : `${text}\n`);
      open = stream.isTTY;
    },
    end: close,
  };
}
