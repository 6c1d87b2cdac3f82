import { isIP } from 'node:net';
import type { Request } from 'express';

/**
 * Where a request comes from. Behind proxies named in `TRUST_PROXY` the last address of `X-Forwarded-For` that is not one
 * of theirs; otherwise who holds the connection, whatever the header says. What is no address is not believed.
 */
export function clientAddress(request: Request): string {
  const said = plain(request.ip ?? '');
  return isIP(said) === 0 ? plain(request.socket.remoteAddress ?? 'unknown') : said;
}

/** Of IPv6 the network: whoever has one address of it has all 2⁶⁴. */
export function addressRange(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right].map((group) => group.replace(/^0+(?=.)/, ''));
  return `${groups.slice(0, 4).join(':').toLowerCase()}::/64`;
}

/** An IPv4 address as it is usually written, also on a socket that takes both. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
