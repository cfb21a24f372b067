import { ByteCursor } from '../../../base/byte-cursor.ts';
import { decodeFrame } from './frame-errors.ts';

export interface StartEncryptionEvent {
  readonly kind: 'start-encryption';
  readonly scheme: number;
  readonly keyVersion: number;
  readonly nonce: Buffer;
}

/**
 * START_ENCRYPTION_EVENT of MariaDB (`encrypt_binlog`): in the file, everything behind it is encrypted. A server decrypts before it
 * sends, so in a dump this event says nothing that a reader would have to act upon.
 *
 *     scheme       u8
 *     key version  u32 LE
 *     nonce        12 bytes
 *
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function decodeStartEncryptionEvent(body: Buffer): StartEncryptionEvent {
  return decodeFrame('START_ENCRYPTION', () => {
    const cursor = new ByteCursor(body);
    const scheme = cursor.u8('scheme');
    const keyVersion = cursor.u32('key version');
    return { kind: 'start-encryption', scheme, keyVersion, nonce: Buffer.from(cursor.bytes(12, 'nonce')) };
  });
}
