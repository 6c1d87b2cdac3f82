import { hashPassword as hash } from '../../config/password-hash';
import type { CliContext, Command } from '../context';
import { CommandFailure } from '../failure';
import { readOptions } from '../options';

const USAGE = 'derms hash-password   (asks; or reads one line from standard input)';
const LEAST_LENGTH = 12;

/** The password never stands in an argument, where every process of the machine could read it. */
export const hashPassword: Command = async (argv, context) => {
  readOptions(USAGE, argv, {});
  const password = await readPassword(context);
  if (password.length < LEAST_LENGTH) {
    throw new CommandFailure(`A password has at least ${String(LEAST_LENGTH)} characters.`);
  }
  context.print(await hash(password));
  return 0;
};

async function readPassword({ input, askSecret }: CliContext): Promise<string> {
  if (input.isTTY === true) {
    const password = await askSecret('Password: ');
    if ((await askSecret('Again: ')) !== password) throw new CommandFailure('The two are not the same.');
    return password;
  }
  let text = '';
  for await (const chunk of input) {
    text += String(chunk);
    if (text.includes('\n') || text.length > 4_096) break;
  }
  return text.split(/\r?\n/, 1)[0] ?? '';
}
