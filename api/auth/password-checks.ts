export interface PasswordCheckLimits {
  /** Hashed at a time. Node has four threads for this, and for names and files: half of them stay free. */
  readonly atOnce: number;
  /** In all, waiting ones included. */
  readonly most: number;
  /** The same from one address: a flood from there leaves room for others. */
  readonly mostPerAddress: number;
}

export const PASSWORD_CHECKS: PasswordCheckLimits = { atOnce: 2, most: 32, mostPerAddress: 8 };

export interface PasswordChecks {
  /** null when there is no room: to be told at once, so that a flood costs nothing. */
  enter(address: string): PasswordCheckPlace | null;
}

export interface PasswordCheckPlace {
  /** Runs `work` after the delay, when it is its turn. */
  run<T>(delayMs: number, work: () => Promise<T>): Promise<T>;
  leave(): void;
}

/** Log-ins, a few at a time and in order. Those that are delayed keep nobody waiting. */
export function createPasswordChecks(
  { atOnce, most, mostPerAddress }: PasswordCheckLimits,
  sleep: (ms: number) => Promise<unknown>,
): PasswordChecks {
  const inside = new Map<string, number>();
  const queue: (() => void)[] = [];
  let all = 0;
  let running = 0;

  const turn = async (): Promise<void> => {
    if (running >= atOnce) await new Promise<void>((resolve) => queue.push(resolve));
    else running += 1;
  };
  /** Handed over rather than given back when somebody waits. */
  const done = (): void => {
    const following = queue.shift();
    if (following === undefined) running -= 1;
    else following();
  };

  return {
    enter: (address) => {
      const here = inside.get(address) ?? 0;
      if (all >= most || here >= mostPerAddress) return null;
      all += 1;
      inside.set(address, here + 1);
      return {
        run: async (delayMs, work) => {
          if (delayMs > 0) await sleep(delayMs);
          await turn();
          try {
            return await work();
          } finally {
            done();
          }
        },
        leave: () => {
          all -= 1;
          const left = (inside.get(address) ?? 1) - 1;
          if (left === 0) inside.delete(address);
          else inside.set(address, left);
        },
      };
    },
  };
}
