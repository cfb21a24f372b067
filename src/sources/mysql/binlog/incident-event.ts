import { ByteCursor } from '../../../base/byte-cursor.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';

export interface IncidentEvent {
  readonly kind: 'incident';
  /** 1, LOST_EVENTS, is the only one there is: changes are missing from the binlog here. */
  readonly incident: number;
  /** The server's own words. */
  readonly message: string;
}

/**
 * INCIDENT_EVENT: something was executed that is not in the binlog.
 *
 *     incident  u16 LE   never 0
 *     length    u8
 *     message   bytes
 *
 * (MySQL source, libs/mysql/binlog/event/control_events.cpp.)
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeIncidentEvent(body: Buffer): IncidentEvent {
  return decodeFrame('INCIDENT', () => {
    const cursor = new ByteCursor(body);
    const incident = cursor.u16('incident');
    if (incident === 0) throw corrupt('INCIDENT event without an incident', { event: 'INCIDENT', field: 'incident' });
    return { kind: 'incident', incident, message: cursor.text(cursor.u8('length'), 'message') };
  });
}
