const REDRAW_MS = 500;
const REPEAT_WITHOUT_TERMINAL_MS = 30_000;

/**
 * Shows what several steps are doing at once: on a terminal one line that is drawn anew, elsewhere a line when a step
 * starts and one every half minute, so that a log stays readable.
 */
export function createProgress(out = process.stdout) {
  const steps = new Map();
  const terminal = out.isTTY === true;
  let timer;

  const line = () => [...steps].map(([name, step]) => `${name}: ${step.text} (${seconds(step.since)} s)`).join(' · ');
  const clear = () => terminal && out.write('\r\x1b[2K');
  const draw = () => {
    if (steps.size === 0) return;
    if (terminal) out.write(`\r\x1b[2K… ${line().slice(0, (out.columns || 80) - 4)}`);
    else out.write(`… ${line()}\n`);
  };

  return {
    /** Begins or renames a step; its clock runs from the first call. */
    say(name, text) {
      const known = steps.get(name);
      steps.set(name, { text, since: known?.since ?? Date.now() });
      if (!known && !terminal) out.write(`… ${name}: ${text}\n`);
      timer ??= setInterval(draw, terminal ? REDRAW_MS : REPEAT_WITHOUT_TERMINAL_MS);
    },
    /** Ends a step. */
    end(name) {
      steps.delete(name);
      clear();
      if (steps.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
    /** Prints a line that stays. */
    print(text) {
      clear();
      out.write(`${text}\n`);
    },
  };
}

/** Whole seconds since a moment in milliseconds. */
function seconds(sinceMs) {
  return Math.round((Date.now() - sinceMs) / 1000);
}
