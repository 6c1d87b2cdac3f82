import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LookPorts } from '../../../backups/base/look-at-base';
import { findBasePrograms } from '../../../backups/base/programs';
import { storeBase } from '../../../backups/base/store-base';
import { verifyBase } from '../../../backups/base/verify-base';
import { checkSignature, manifestKeyOf } from '../../../backups/manifest';
import { OF_ANY_AGE } from '../../../storage/port';
import { flipABit, read, type BackupPlace, type MakePlace } from '../backup-places';
import { createBaseWorld, type BaseWorld } from '../base-world';
import { keyRing } from '../keys';
import { eventually } from '../servers';

const { signal } = new AbortController();

/** What holds of base backups wherever they lie. */
export function describeBaseBackups(makePlace: MakePlace): void {
  let world: BaseWorld;
  let place: BackupPlace;
  beforeAll(async () => {
    world = await createBaseWorld(makePlace);
    place = world.postgres.place;
    await world.postgres.query(
      `create table load_of_a_test as
         select n as id, sha512(n::text::bytea) || sha512((-n)::text::bytea) as noise from generate_series(1, 200000) n`,
    );
  }, 60_000);
  afterAll(() => world.close());

  const verify = (ports: LookPorts, key: string) =>
    verifyBase(ports, () => Promise.resolve(ports.programs), key, { signal });
  const scratch = (): string[] => readdirSync(world.ports.scratchParent);
  const expectNothingOf = async (key: string, runId: string): Promise<void> => {
    expect(await place.storage.head(key)).toBeNull();
    expect(await place.storage.sweepParts(OF_ANY_AGE, key)).toBe(0);
    await eventually(async () => {
      expect(await world.leftOf(runId)).toEqual({ sessions: 0, slots: 0 });
    });
  };

  describe('a base backup', () => {
    it('is proven from what storage gives back, and says where in the log it begins and ends', async () => {
      const manifest = await world.take();
      const [row] = await world.postgres.query<{ id: string; lsn: string }>(
        `select system_identifier::text as id, pg_current_wal_lsn()::text as lsn from pg_control_system()`,
      );
      expect(checkSignature(world.ports.keyRing, manifest)).toBe('valid');
      expect(manifest).toMatchObject({
        server: { systemIdentifier: row!.id, timeline: 1, version: expect.stringMatching(/^15\./) },
        startWalFile: expect.stringMatching(/^0000000100000000000000[0-9A-F]{2}$/),
        segmentBytes: 16_777_216,
        superuser: 'derms_admin',
        tools: { pg_basebackup: expect.stringMatching(/^15\./), zstd: expect.stringMatching(/^1\./) },
      });
      expect(parseInt(manifest.stopLsn.slice(2), 16)).toBeGreaterThan(parseInt(manifest.startLsn.slice(2), 16));
      expect((await place.storage.head(manifest.object.key))?.bytes).toBe(manifest.object.bytes);
      expect((await read(place, manifest.object.key)).subarray(0, 8).toString()).toBe('DERMSENC');
      const { verdict, faults } = await verify(world.ports, manifest.object.key);
      expect({ verdict, faults }).toEqual({ verdict: 'passed', faults: [] });
      expect(scratch()).toEqual([]);
    });

    it('is whole although the server, written to meanwhile, would have removed the log that it needs', async () => {
      const { query } = world.postgres;
      await query(`alter system set max_wal_size = '64MB'`);
      await query(`alter system set min_wal_size = '32MB'`);
      await query('select pg_reload_conf()');
      const order = world.order();
      let isWritten: Promise<unknown> | null = null;
      const write = async (): Promise<void> => {
        for (let n = 0; n < 3; n += 1) await world.postgres.switchSegment(); // and it is archived
        await query('checkpoint');
      };
      const held = {
        ...world.ports.storage,
        // The copy goes no further until the server has written and thrown away.
        put: (key: string, content: AsyncIterable<Uint8Array>, options?: object) =>
          world.ports.storage.put(key, slowly(content), options),
      };
      const slowly = async function* (content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
        let bytes = 0;
        for await (const chunk of content) {
          bytes += chunk.byteLength;
          if (bytes > 1_000_000) await (isWritten ??= write()); // the server is at its work
          yield chunk;
        }
        expect(isWritten).not.toBeNull();
      };
      const done = await storeBase({ ...world.ports, storage: held }, order);
      expect((await world.prove(done, order.runId)).faults).toEqual([]);
      expect(await world.leftOf(order.runId)).toEqual({ sessions: 0, slots: 0 });
    }, 120_000);

    it('pitfall: pg_basebackup that is killed leaves no object, no part, no session and no slot', async () => {
      const order = world.order();
      let killed = false;
      const taking = storeBase(world.ports, {
        ...order,
        onProgress: (bytes) => {
          if (bytes < 1_000_000 || killed) return;
          killed = true;
          for (const pid of pidsOf('pg_basebackup', order.runId)) process.kill(pid, 'SIGKILL');
        },
      });
      await expect(taking).rejects.toThrow('pg_basebackup ended with SIGKILL');
      await expectNothingOf(order.key, order.runId);
    });

    it('that is cancelled leaves nothing behind and throws the reason; the next attempt succeeds', async () => {
      const stop = new AbortController();
      const order = world.order({ signal: stop.signal });
      const taking = storeBase(world.ports, {
        ...order,
        onProgress: (bytes) => {
          if (bytes > 1_000_000) stop.abort(new Error('the run was cancelled'));
        },
      });
      await expect(taking).rejects.toThrow('the run was cancelled');
      await expectNothingOf(order.key, order.runId);
      const again = await storeBase(world.ports, { ...order, signal });
      expect((await world.prove(again, order.runId)).verdict).toBe('passed');
    });

    it('without its proof is no backup: nothing lies beside the object', async () => {
      const order = world.order();
      const done = await storeBase(world.ports, order);
      await place.write(order.key, (await read(place, order.key)).subarray(0, 100_000));
      const { verdict, manifest, faults } = await world.prove(done, order.runId);
      expect([verdict, manifest]).toEqual(['failed', null]);
      expect(faults.join()).toContain('the object ends within frame');
      expect(await place.storage.head(manifestKeyOf(order.key))).toBeNull();
      expect(scratch()).toEqual([]);
    });
  });

  describe('a base backup that went bad', () => {
    let key: string;
    let whole: Buffer;
    let manifest: Buffer;
    beforeAll(async () => {
      ({
        object: { key },
      } = await world.take());
      whole = await read(place, key);
      manifest = await read(place, manifestKeyOf(key));
    });
    afterEach(async () => {
      await place.write(key, whole);
      await place.write(manifestKeyOf(key), manifest);
    });

    it.each([
      ['of which a bit has flipped', () => place.write(key, flipABit(whole)), 'was altered after it was written'],
      ['that was cut', () => place.write(key, whole.subarray(0, 200_000)), 'the object ends within frame'],
      [
        'whose manifest somebody changed',
        () => place.write(manifestKeyOf(key), ofAnother(manifest)),
        'the signature of the manifest is false',
      ],
    ])('%s is refused', async (_what, damage, words) => {
      await damage();
      const { verdict, faults } = await verify(world.ports, key);
      expect([verdict, faults.join()]).toEqual(['failed', expect.stringContaining(words)]);
      expect(scratch()).toEqual([]);
    });

    it('that was made with another key is refused', async () => {
      const { faults } = await verify({ ...world.ports, keyRing: keyRing('other') }, key);
      expect(faults[0]).toContain('of an unknown key');
    });

    it('a full disk here is no verdict', async () => {
      const tar = join(world.postgres.folder, 'tar-on-a-full-disk');
      writeFileSync(tar, '#!/bin/sh\ncat > /dev/null\necho "tar: No space left on device" >&2\nexit 2\n', {
        mode: 0o755,
      });
      const full = { ...world.ports, programs: { ...world.ports.programs, tar: { path: tar } } };
      await expect(verify(full, key)).rejects.toThrow('No space left on device');
    });
  });

  it('the programs of another major version are refused by name of the setting', async () => {
    await expect(findBasePrograms(world.ports.programs, 14)).rejects.toThrow(/the cluster is 14: set POSTGRES_BIN_DIR/);
  });
}

const ofAnother = (manifest: Buffer): Buffer =>
  Buffer.from(manifest.toString().replace('"deployment": "development"', '"deployment": "production"'));

/** By their environment, which carries the run. */
function pidsOf(program: string, runId: string): number[] {
  const found = execFileSync('/bin/sh', ['-c', `pgrep -x ${program} || true`], { encoding: 'utf8' });
  return found
    .split('\n')
    .filter((line) => line !== '')
    .map(Number)
    .filter((pid) => readFileSync(`/proc/${String(pid)}/environ`, 'utf8').includes(runId));
}
