import { z } from 'zod';

/** What a bucket policy forbids everybody, as far as a backup cares. */
export interface PolicyFindings {
  /** Every request without TLS. */
  readonly tlsOnly: boolean;
  /** Storing without encryption by the server. */
  readonly unencryptedPutDenied: boolean;
  /** Removing objects and their versions, to all but the roles it names. */
  readonly deleteRestricted: boolean;
}

const oneOrMore = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
const statementSchema = z.object({
  Effect: z.enum(['Allow', 'Deny']),
  Principal: z.unknown(),
  Action: oneOrMore.optional(),
  Resource: oneOrMore.optional(),
  Condition: z.record(z.string(), z.record(z.string(), oneOrMore)).optional(),
});
const policySchema = z.object({ Statement: z.union([statementSchema, z.array(statementSchema)]) });

type Statement = z.output<typeof statementSchema>;

/**
 * Reads a policy as S3 would: a rule counts when a `Deny` for everybody covers all objects of the bucket, every action
 * in question, and has no condition but the one that belongs to the rule.
 *
 * @throws {Error} when it is no policy.
 */
export function readBucketPolicy(json: string, bucket: string): PolicyFindings {
  const denials = [policySchema.parse(JSON.parse(json)).Statement]
    .flat()
    .filter(
      (statement) => statement.Effect === 'Deny' && isForEverybody(statement) && coversObjects(statement, bucket),
    );
  const forbids = (actions: readonly string[], condition: (found: Conditions) => boolean): boolean =>
    actions.every((action) =>
      denials.some((statement) => coversAction(statement, action) && condition(conditionsOf(statement))),
    );
  return {
    tlsOnly: forbids(['s3:GetObject', 's3:PutObject', 's3:DeleteObject'], isNoTls),
    unencryptedPutDenied: forbids(['s3:PutObject'], isNoServerEncryption),
    deleteRestricted: forbids(['s3:DeleteObject', 's3:DeleteObjectVersion'], isOtherPrincipal),
  };
}

/** Operator, key and values of the one condition; undefined for several, null for none. */
type Conditions =
  { readonly operator: string; readonly key: string; readonly values: readonly string[] } | null | undefined;

function conditionsOf({ Condition = {} }: Statement): Conditions {
  const all = Object.entries(Condition).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => ({ operator: operator.toLowerCase(), key: key.toLowerCase(), values })),
  );
  return all.length > 1 ? undefined : (all[0] ?? null);
}

const isNoTls = (found: Conditions): boolean =>
  found?.operator === 'bool' && found.key === 'aws:securetransport' && found.values.join() === 'false';

const isNoServerEncryption = (found: Conditions): boolean =>
  found?.key === 's3:x-amz-server-side-encryption' &&
  (found.operator === 'stringnotequals' || (found.operator === 'null' && found.values.join() === 'true'));

/** Without any condition nobody may, which is stricter still. */
const isOtherPrincipal = (found: Conditions): boolean =>
  found === null || (found?.key === 'aws:principalarn' && /^(arn|string)not(equals|like)/.test(found.operator));

function isForEverybody({ Principal }: Statement): boolean {
  if (Principal === '*') return true;
  const aws = z.object({ AWS: oneOrMore }).safeParse(Principal);
  return aws.success && aws.data.AWS.includes('*');
}

const coversObjects = ({ Resource = [] }: Statement, bucket: string): boolean =>
  Resource.some((resource) => ['*', `arn:aws:s3:::${bucket}/*`, `arn:aws:s3:::${bucket}*`].includes(resource));

const coversAction = ({ Action = [] }: Statement, action: string): boolean =>
  Action.some((pattern) => new RegExp(`^${escaped(pattern).replaceAll('\\*', '.*')}$`, 'i').test(action));

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
