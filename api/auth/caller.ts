import type { Role } from '../../config/auth-users';

/** Who a token speaks for. */
export type Caller = Person | Machine;

export interface Person {
  readonly kind: 'person';
  readonly user: string;
  readonly role: Role;
}

export interface Machine {
  readonly kind: 'machine';
  /** `machine:` and its name: no user can be called that. */
  readonly user: `machine:${string}`;
  readonly tokenId: string;
  readonly scopes: readonly string[];
}
