import type { z } from 'zod';
import type { Actor } from '../db/audit';
import type { ErrorCode } from '../domain/errors';
import { ACCESS, type Access, type OperationId } from './access';
import type { EventStream } from './event-stream';
import type { AppPorts } from './ports';

/**
 * A route, declared once: from this come what Express mounts, who may call it, what is validated, what is audited, and
 * the OpenAPI page.
 */
export interface Route extends Access {
  readonly method: Method;
  /** As OpenAPI writes it: `/api/feeders/{feederId}`. */
  readonly path: `/api/${string}`;
  /** Who may call it stands in `access.ts` under this name. */
  readonly operationId: OperationId;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Reads the body in place of the schema, where faults are found only by looking at the whole. Throws `DermsError`. */
  readonly readBody?: (value: unknown) => unknown;
  /** Default 256 kB. */
  readonly bodyLimitBytes?: number;
  /** By status; what is not listed here is not answered. */
  readonly answers: Answers;
  /** Failures of its own; those that every route has are added to the page. */
  readonly errors: readonly ErrorCode[];
  /** Longest that it waits on the caller's behalf, on top of what every request may take, ms. */
  readonly waitsMs?: (input: RouteInput) => number;
  /** What needs a workflow to act is refused before anything is written when Temporal is known to be away. */
  readonly needsTemporal?: boolean | ((input: RouteInput) => boolean);
  /** Never refused because the caller has asked too often: to stop is always allowed. */
  readonly neverLimited?: true;
  /** What needs PostgreSQL is refused at once while that is known to be away, unless it says this. */
  readonly worksWithoutDatabase?: true;
  /** What does not only read is refused while the database is quarantined, unless it says this. */
  readonly worksWhileQuarantined?: boolean;
  /** Attempts that are refused leave a row; those that succeed write their own, in their transaction. */
  readonly audit?: RouteAudit<RouteInput>;
  readonly handle: (input: RouteInput, ports: AppPorts) => Promise<Answer>;
}

export interface RouteAudit<Input> {
  /** Verb and thing: `feeder.put`. */
  readonly action: string;
  readonly subject: (input: Input, ports: AppPorts) => string;
  /** Anybody may send any number of these: those that are refused are summed. */
  readonly inSums?: true;
}

/** What only reads works on a quarantined database too. */
export const refusedWhileQuarantined = ({ method, worksWhileQuarantined = false }: Route): boolean =>
  method !== 'get' && !worksWhileQuarantined;

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
export type Tag =
  | 'Feeders'
  | 'Control loop'
  | 'Devices'
  | 'Dispatches'
  | 'Jobs'
  | 'Schedules'
  | 'Registry'
  | 'Backups'
  | 'Emergency stop'
  | 'Quarantine'
  | 'Audit'
  | 'Login'
  | 'Tokens'
  | 'Health';

export type Answers = Readonly<Record<number, AnswerDeclaration>>;
export interface AnswerDeclaration {
  readonly description: string;
  readonly schema: z.ZodType;
  /** `text/event-stream`: the body is an `EventStream`, and the schema is that of one event's data. */
  readonly stream?: true;
  /** Another kind of content than JSON: the body is an iterable of text in one of these types, named in `Content-Type`. */
  readonly text?: readonly `${string}/${string}`[];
  /** Names of headers that this answer carries, each with its meaning. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The same for headers that it carries in some cases only. */
  readonly sometimes?: Readonly<Record<string, string>>;
}

/** What a handler gets once types no longer matter. */
export interface RouteInput {
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  /** Who calls; `anyone` on open routes. */
  readonly actor: Actor;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

type Parsed<Schema, Otherwise> = Schema extends z.ZodType ? z.output<Schema> : Otherwise;
type None = Readonly<Record<string, never>>;

interface TypedInput<Params, Query, Headers, Body> {
  readonly params: Parsed<Params, None>;
  readonly query: Parsed<Query, None>;
  readonly headers: Parsed<Headers, None>;
  readonly body: Parsed<Body, undefined>;
  readonly actor: Actor;
}

type TypedAnswer<A extends Answers> = {
  [Status in keyof A & number]: {
    readonly status: Status;
    readonly body: A[Status] extends { readonly stream: true }
      ? EventStream
      : A[Status] extends { readonly text: readonly string[] }
        ? AsyncIterable<string>
        : z.input<A[Status]['schema']>;
    readonly headers?: Readonly<Record<string, string>>;
  };
}[keyof A & number];

interface TypedRoute<Params, Query, Headers, Body, A extends Answers> extends Omit<
  Route,
  keyof Access | 'params' | 'query' | 'headers' | 'body' | 'answers' | 'waitsMs' | 'needsTemporal' | 'audit' | 'handle'
> {
  readonly params?: Params;
  readonly query?: Query;
  readonly headers?: Headers;
  readonly body?: Body;
  readonly answers: A;
  readonly waitsMs?: (input: TypedInput<Params, Query, Headers, Body>) => number;
  readonly needsTemporal?: boolean | ((input: TypedInput<Params, Query, Headers, Body>) => boolean);
  readonly audit?: RouteAudit<TypedInput<Params, Query, Headers, Body>>;
  readonly handle: (input: TypedInput<Params, Query, Headers, Body>, ports: AppPorts) => Promise<TypedAnswer<A>>;
}

/**
 * Declares a route: its handler sees what its schemas give, and may answer only what `answers` lists.
 */
export const defineRoute = <
  A extends Answers,
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodObject | undefined = undefined,
  Headers extends z.ZodObject | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(
  route: TypedRoute<Params, Query, Headers, Body, A>,
): Route => ({ ...(route as unknown as Route), ...ACCESS[route.operationId] }); // `readInput` makes the input by these schemas

/** What a handler gives back; keeps the status a literal, so that it is held against `answers`. */
export const answer = <Status extends number, Body>(
  status: Status,
  body: Body,
  headers: Readonly<Record<string, string>> = {},
): { readonly status: Status; readonly body: Body; readonly headers: Readonly<Record<string, string>> } => ({
  status,
  body,
  headers,
});
