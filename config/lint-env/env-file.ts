import type { Finding } from './finding';
import { isSecretName, looksSecret, secretValueFault } from './value-fault';

/** Secrets in a file of `NAME=value` lines. A line that is commented out counts too: it is there to be uncommented. */
export function envFileFindings(file: string, text: string): Finding[] {
  return text.split('\n').flatMap((line, index) => {
    const [, name, value = ''] = /^#?\s*(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? [];
    const place = `line ${String(index + 1)}`;
    const fault = name !== undefined && isSecretName(name) ? secretValueFault(withoutQuotes(value.trim())) : null;
    if (fault !== null) return [{ file, place: `${place}, ${name ?? ''}`, fault }];
    return looksSecret(line) ? [{ file, place, fault: 'holds something that looks like a secret' }] : [];
  });
}

const withoutQuotes = (value: string): string => value.replace(/^(["'])(.*)\1$/, '$2');
