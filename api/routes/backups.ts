import { z } from 'zod';
import { BACKUP_KINDS, BACKUP_STATES } from '../../db/backups';
import { DermsError } from '../../domain/errors';
import { exactTime, pageOfRows, readCursor } from '../cursor';
import { answer, defineRoute, type Route } from '../route';
import { cursorField, pageLimit, pageOf, timestampSchema, uuidSchema } from '../schemas/fields';

const backupCursor = z.tuple([exactTime, z.uuid()]);
const verdict = z.enum(['passed', 'failed']);

const backupSchema = z
  .strictObject({
    backupId: z.uuid(),
    kind: z.enum(BACKUP_KINDS),
    key: z.string().describe('Where it lies in storage.'),
    runId: z.uuid().describe('The run that made it.'),
    takenAt: timestampSchema.describe('What it holds is as of then.'),
    storedAt: timestampSchema,
    storedBytes: z.number().int().min(0),
    state: z.enum(BACKUP_STATES),
    verifiedAt: timestampSchema.nullable(),
    restoredAt: timestampSchema.nullable(),
    checkedAt: timestampSchema.nullable().describe('The last look at it.'),
    lastVerdict: verdict.nullable(),
    proofCheckId: z.number().int().nullable().describe('The check that proves it; null while none does.'),
    deletedAt: timestampSchema.nullable(),
    deletedProof: z
      .record(z.string(), z.unknown())
      .nullable()
      .describe('The newer backup and its check that let it go; after a restore, that it was not in storage any more.'),
  })
  .meta({ id: 'Backup' });

const backupStorySchema = backupSchema
  .extend({
    manifest: z.record(z.string(), z.unknown()).describe('As it lies beside the backup, signed.'),
    checks: z.array(
      z.strictObject({
        checkId: z.number().int(),
        at: timestampSchema,
        kind: z.string(),
        runId: z.uuid(),
        verdict,
        details: z.record(z.string(), z.unknown()),
      }),
    ),
  })
  .meta({ id: 'BackupStory' });

/** What lies in storage, and how far it is proven. */
export const backupRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/backups',
    operationId: 'listBackups',
    tag: 'Backups',
    summary: 'Backups, newest first; deleted ones too',
    query: z.strictObject({
      kind: z.enum(BACKUP_KINDS).optional(),
      state: z.enum(BACKUP_STATES).optional(),
      limit: pageLimit(200, 50),
      cursor: cursorField,
    }),
    answers: { 200: { description: 'A page of backups.', schema: pageOf(backupSchema) } },
    errors: [],
    handle: async ({ query: { kind, state, limit, cursor } }, { backups }) => {
      const before = readCursor(backupCursor, cursor);
      const rows = await backups.list({ kind: kind ?? null, state: state ?? null, before, limit: limit + 1 });
      return answer(
        200,
        pageOfRows(rows, limit, ({ takenAt, backupId }) => [takenAt, backupId]),
      );
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/backups/{backupId}',
    operationId: 'readBackup',
    tag: 'Backups',
    summary: 'One backup with its manifest and its checks',
    params: z.strictObject({ backupId: uuidSchema }),
    answers: { 200: { description: 'The backup.', schema: backupStorySchema } },
    errors: ['BACKUP_NOT_FOUND'],
    handle: async ({ params: { backupId } }, { backups }) => {
      const found = await backups.read(backupId);
      if (found === null) throw new DermsError('BACKUP_NOT_FOUND', `there is no backup ${backupId}`);
      const { backup, manifest, checks } = found;
      return answer(200, { ...backup, manifest, checks });
    },
  }),
];
