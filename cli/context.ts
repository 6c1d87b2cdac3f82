import type { Readable } from 'node:stream';

/** What a command sees of the world. */
export interface CliContext {
  /** Written as it is; a line break is added. */
  readonly print: (text: string) => void;
  readonly input: Readable & { readonly isTTY?: boolean };
  /** Asks without showing what is typed. */
  readonly askSecret: (question: string) => Promise<string>;
  readonly environment: NodeJS.ProcessEnv;
  readonly now: () => Date;
}

/** A command: what it prints goes to the context, its exit code comes back. */
export type Command = (argv: readonly string[], context: CliContext) => Promise<number>;
