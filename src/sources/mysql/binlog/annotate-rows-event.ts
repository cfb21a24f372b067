export interface AnnotateRowsEvent {
  readonly kind: 'annotate-rows';
  /** Bytes in the character set of the client that sent it, which is not logged with it. A view into the event. */
  readonly statement: Buffer;
}

/**
 * ANNOTATE_ROWS_EVENT of MariaDB (`binlog_annotate_row_events`): the statement behind the row events that follow. Its body is the
 * statement and nothing else, so nothing about it can be cut or wrong.
 */
export function decodeAnnotateRowsEvent(body: Buffer): AnnotateRowsEvent {
  return { kind: 'annotate-rows', statement: body };
}
