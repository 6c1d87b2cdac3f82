import { createReadPlaces, type ReadPlaceLimits } from '../../../api/read-places';

const placesOf = (given: Partial<ReadPlaceLimits> = {}) =>
  createReadPlaces({ perCaller: 2, inAll: 3, mostWaiting: 2, waitMs: 1_000, ...given });

/** Who is inside, in the order they came in, and what lets each of them out. */
function watch(places: ReturnType<typeof placesOf>) {
  const inside: string[] = [];
  const leave = new Map<string, () => void>();
  return {
    inside,
    leave: async (name: string): Promise<void> => {
      leave.get(name)?.();
      await settled();
    },
    enter: async (caller: string, name: string): Promise<void> => {
      void places.enter(caller).then(
        (out) => {
          inside.push(name);
          leave.set(name, out);
        },
        () => undefined, // those that still wait when the test is over
      );
      await settled();
    },
  };
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('places to read', () => {
  it('are few for one caller, who waits for themselves', async () => {
    const { inside, enter, leave } = watch(placesOf());
    await enter('a', 'a1');
    await enter('a', 'a2');
    await enter('a', 'a3');
    await enter('b', 'b1');
    expect(inside).toEqual(['a1', 'a2', 'b1']);
    await leave('a1');
    expect(inside).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  it('go round the callers, however many requests one of them has waiting', async () => {
    const { inside, enter, leave } = watch(placesOf({ perCaller: 3, mostWaiting: 9 }));
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6']) await enter('a', name);
    await enter('b', 'b1');
    await enter('c', 'c1');
    expect(inside).toEqual(['a1', 'a2', 'a3']);
    await leave('a1');
    await leave('a2');
    await leave('a3');
    expect(inside.slice(3).sort()).toEqual(['a4', 'b1', 'c1']);
  });

  it('are refused to a caller whose line is full, and to nobody else', async () => {
    const places = placesOf();
    const { enter } = watch(places);
    for (const name of ['a1', 'a2', 'a3', 'a4']) await enter('a', name);
    await expect(places.enter('a')).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    await expect(places.enter('b')).resolves.toBeInstanceOf(Function);
  });

  it('are waited for so long and no longer; who gave up takes none later', async () => {
    const places = placesOf({ perCaller: 1, waitMs: 20 });
    const { inside, enter, leave } = watch(places);
    await enter('a', 'a1');
    await expect(places.enter('a')).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    await leave('a1');
    await enter('a', 'a2');
    expect(inside).toEqual(['a1', 'a2']);
  });

  it('are given back once, whatever is called twice', async () => {
    const { inside, enter, leave } = watch(placesOf({ perCaller: 1 }));
    for (const name of ['a1', 'a2', 'a3']) await enter('a', name);
    await leave('a1');
    await leave('a1');
    expect(inside).toEqual(['a1', 'a2']);
  });
});
