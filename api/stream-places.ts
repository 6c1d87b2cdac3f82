import { DermsError } from '../domain/errors';

/** Open streams cost a query a second each: they are counted, and bounded per user and in all. */
export interface StreamPlaces {
  /** @returns what gives the place back. @throws {DermsError} TOO_MANY_REQUESTS */
  take(user: string): () => void;
}

export function createStreamPlaces({ perUser, inAll }: { perUser: number; inAll: number }): StreamPlaces {
  const open = new Map<string, number>();
  let all = 0;
  return {
    take: (user) => {
      const own = open.get(user) ?? 0;
      if (own >= perUser || all >= inAll) {
        const whose = own >= perUser ? `${user} has ${String(own)}` : `there are ${String(all)}`;
        throw new DermsError('TOO_MANY_REQUESTS', `No more event streams: ${whose} open.`);
      }
      open.set(user, own + 1);
      all += 1;
      let given = false;
      return () => {
        if (given) return;
        given = true;
        all -= 1;
        const left = (open.get(user) ?? 1) - 1;
        if (left > 0) open.set(user, left);
        else open.delete(user);
      };
    },
  };
}
