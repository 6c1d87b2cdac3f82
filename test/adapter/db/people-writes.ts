import type { Actor } from '../../../db/audit';

export const ANNA: Actor = { user: 'anna', role: 'admin', requestId: 'request-1', address: '127.0.0.1' };
