import { z } from 'zod';
import { createApiClient } from '../api-client';
import type { CliContext, Command } from '../context';
import { CommandFailure } from '../failure';
import { numberOf, readOptions, required } from '../options';
import { table } from '../table';

const USAGE = `derms machine-tokens [--json]
       derms machine-tokens issue NAME --scope S [--scope S …] --purpose P [--days N] [--json]
       derms machine-tokens revoke ID --reason R [--json]`;

const machineToken = z.looseObject({
  tokenId: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  issuedBy: z.string(),
  expiresAt: z.string(),
  lastUsedAt: z.string().nullable(),
  revoked: z.looseObject({ at: z.string(), by: z.string(), reason: z.string() }).nullable(),
});
type MachineToken = z.output<typeof machineToken>;

const PATH = '/api/auth/machine-tokens';
const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;

/** Tokens of CronJobs, scrapers and other systems: what there is, a new one, and the end of one. */
export const machineTokens: Command = (argv, context) => {
  const [word, ...rest] = argv;
  if (word === 'issue') return issue(rest, context);
  if (word === 'revoke') return revoke(rest, context);
  return list(argv, context);
};

async function list(argv: readonly string[], { print, environment, now }: CliContext): Promise<number> {
  const { values } = readOptions(USAGE, argv, { json: flag });
  const page = z.object({ items: z.array(machineToken) });
  const { items } = await createApiClient(environment).call(page, { method: 'GET', path: `${PATH}?limit=200` });
  if (values.json) print(JSON.stringify(items));
  else if (items.length === 0) print('No machine has a token.');
  else
    print(
      table([
        ['ID', 'NAME', 'STATE', 'LAST USED', 'SCOPES'],
        ...items.map((token) => [
          token.tokenId,
          token.name,
          stateOf(token, now()),
          token.lastUsedAt ?? 'never',
          token.scopes.join(' '),
        ]),
      ]),
    );
  return 0;
}

function stateOf({ revoked, expiresAt }: MachineToken, now: Date): string {
  if (revoked !== null) return `revoked ${revoked.at.slice(0, 10)}`;
  const until = expiresAt.slice(0, 10);
  return Date.parse(expiresAt) <= now.getTime() ? `over since ${until}` : `until ${until}`;
}

/** The token alone goes to standard output, so that it can be piped into where secrets are kept. */
async function issue(argv: readonly string[], { print, environment }: CliContext): Promise<number> {
  const options = { scope: { type: 'string', multiple: true }, purpose: text, days: text, json: flag } as const;
  const { values, positionals } = readOptions(USAGE, argv, options, 1);
  const scopes = values.scope ?? [];
  if (scopes.length === 0) throw new CommandFailure(`--scope is needed.\nUsage: ${USAGE}`);
  const purpose = required(values.purpose, 'purpose', USAGE);
  const validDays = numberOf(values.days, 'days');
  const answer = await createApiClient(environment).call(z.looseObject({ token: z.string(), machineToken }), {
    ...{ method: 'POST', path: PATH },
    body: { name: positionals[0], scopes, purpose, ...(validDays === undefined ? {} : { validDays }) },
  });
  print(values.json ? JSON.stringify(answer) : answer.token);
  return 0;
}

async function revoke(argv: readonly string[], { print, environment }: CliContext): Promise<number> {
  const { values, positionals } = readOptions(USAGE, argv, { reason: text, json: flag }, 1);
  const reason = required(values.reason, 'reason', USAGE);
  const path = `${PATH}/${encodeURIComponent(positionals[0] ?? '')}/revoke`;
  const answer = await createApiClient(environment).call(machineToken, { method: 'POST', path, body: { reason } });
  print(values.json ? JSON.stringify(answer) : `Revoked ${answer.name}; refused everywhere within 5 s.`);
  return 0;
}
