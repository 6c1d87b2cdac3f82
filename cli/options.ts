import { parseArgs, type ParseArgsConfig } from 'node:util';
import { CommandFailure } from './failure';

type ParseArgsOptionsConfig = NonNullable<ParseArgsConfig['options']>;

/**
 * `parseArgs`, strict, with failures that show how the command is written.
 *
 * @throws {CommandFailure}
 */
export function readOptions<Options extends ParseArgsOptionsConfig>(
  usage: string,
  argv: readonly string[],
  options: Options,
  positionals = 0,
) {
  const parsed = parse(usage, argv, options);
  if (parsed.positionals.length !== positionals) throw new CommandFailure(`Usage: ${usage}`);
  return parsed;
}

function parse<Options extends ParseArgsOptionsConfig>(usage: string, argv: readonly string[], options: Options) {
  try {
    return parseArgs({ args: withNegativeNumbers(argv), options, strict: true, allowPositionals: true });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new CommandFailure(`${message}\nUsage: ${usage}`, 2, { cause });
  }
}

/** `--target-kw -5` as `--target-kw=-5`: otherwise the number would be taken for an option. */
const withNegativeNumbers = (argv: readonly string[]): string[] =>
  argv.reduce<string[]>((read, word) => {
    const option = read.at(-1);
    const joins = /^-[\d.]+$/.test(word) && option !== undefined && /^--[\w-]+$/.test(option);
    return joins ? [...read.slice(0, -1), `${option}=${word}`] : [...read, word];
  }, []);

/** @throws {CommandFailure} */
export function required(value: string | undefined, name: string, usage: string): string {
  if (value === undefined || value === '') throw new CommandFailure(`--${name} is needed.\nUsage: ${usage}`);
  return value;
}

/** @throws {CommandFailure} */
export function numberOf(value: string | undefined, name: string): number | undefined {
  if (value === undefined) return undefined;
  const parsed = Number(value);
  if (value.trim() === '' || !Number.isFinite(parsed)) throw new CommandFailure(`--${name} "${value}" is no number.`);
  return parsed;
}
