/** What names an XA transaction, by X/Open. */
export interface XaId {
  readonly formatId: number;
  /** 1 to 64 bytes: the global transaction. */
  readonly gtrid: Buffer;
  /** 0 to 64 bytes: its branch. */
  readonly bqual: Buffer;
}

export const XA_PART_LENGTH_MAX = 64;

/** As the servers write it in the statement of an XA COMMIT or XA ROLLBACK: `X'6761',X'',1`. Equal ids have equal texts. */
export function formatXaId({ formatId, gtrid, bqual }: XaId): string {
  return `X'${gtrid.toString('hex')}',X'${bqual.toString('hex')}',${formatId}`;
}
