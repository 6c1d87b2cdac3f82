import type { ExportedEntry } from '../../db/audit-export';

export const EXPORT_FORMATS = ['jsonl', 'csv'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];
export const EXPORT_TYPES = {
  jsonl: 'application/jsonl',
  csv: 'text/csv',
} as const satisfies Record<ExportFormat, string>;

const COLUMNS = [
  ...(['id', 'at', 'actor', 'role', 'action', 'subject', 'outcome', 'requestId', 'address', 'detail'] as const),
  ...(['writtenIn', 'position', 'hash'] as const),
] satisfies readonly (keyof ExportedEntry)[];

/** An entry a line. JSON lines say everything; CSV (RFC 4180, with a head) is for spreadsheets. */
export async function* exportText(entries: AsyncIterable<ExportedEntry>, format: ExportFormat): AsyncGenerator<string> {
  if (format === 'csv') yield `${COLUMNS.join(',')}\r\n`;
  for await (const entry of entries) yield format === 'csv' ? csvLine(entry) : jsonLine(entry);
}

/** `detail` stays the text that is hashed: a reader that parses and prints it may write numbers another way. */
const jsonLine = (entry: ExportedEntry): string =>
  `${JSON.stringify(Object.fromEntries(COLUMNS.map((column) => [column, entry[column]])))}\n`;

const csvLine = (entry: ExportedEntry): string => `${COLUMNS.map((column) => csvField(entry[column])).join(',')}\r\n`;

/** What a spreadsheet would take for a formula gets a quote before it: refused attempts hold what strangers sent. */
function csvField(value: string | null): string {
  const text = value ?? '';
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
