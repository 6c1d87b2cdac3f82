import { ROLES } from '../../config/auth-users';
import { hashPassword as hash } from '../../config/password-hash';
import { passwordFault } from '../../config/password-rules';
import type { CliContext, Command } from '../context';
import { CommandFailure } from '../failure';
import { readOptions } from '../options';

const USAGE = `derms hash-password [--user NAME --role ${ROLES.join('|')}]   (asks; or reads one line from standard input)`;

/**
 * Prints a hash, or with a user and a role the whole entry for `AUTH_USERS`, dated. The password never stands in an
 * argument, where every process of the machine could read it.
 */
export const hashPassword: Command = async (argv, context) => {
  const text = { type: 'string' } as const;
  const { user, role } = readOptions(USAGE, argv, { user: text, role: text }).values;
  if ((user === undefined) !== (role === undefined) || (role !== undefined && !isRole(role)))
    throw new CommandFailure(`Usage: ${USAGE}`);
  const password = await readPassword(context);
  const fault = passwordFault(password, user);
  if (fault !== null) throw new CommandFailure(`The password ${fault}.`);
  const hashed = await hash(password);
  const passwordSetOn = context.now().toISOString().slice(0, 10);
  context.print(user === undefined ? hashed : JSON.stringify({ user, role, passwordSetOn, hash: hashed }));
  return 0;
};

const isRole = (text: string): boolean => (ROLES as readonly string[]).includes(text);

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
