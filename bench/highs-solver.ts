import loadHighs from 'highs';
import { cpuSecondsOf } from './cpu';

/** HiGHS is given up after this, s; what it used until then counts, which is in its favour. */
const GIVE_UP_SECONDS = 120;

export type SolverOptions = Readonly<Record<string, string>>;

export interface ReferenceSolver {
  /**
   * Solves the text of a program. CPU seconds are those of the solution alone, without reading the text; `options` beside
   * those that HiGHS comes with.
   */
  solve(text: string, options?: SolverOptions): { readonly cpuSeconds: number; readonly objective: number };
}

/** HiGHS as it comes from npm, in WebAssembly. */
export async function openHighs(): Promise<ReferenceSolver> {
  const highs = await loadHighs();
  return {
    solve: (text, options = {}) => {
      const program = highs.createModel({ format: 'lp', data: text });
      program.options.set({ time_limit: GIVE_UP_SECONDS, output_flag: false, ...options });
      const cpuSeconds = cpuSecondsOf(() => program.run());
      const objective = Number(program.info.get('objective_function_value'));
      program.clear();
      program.releaseMemory();
      return { cpuSeconds, objective };
    },
  };
}
