/**
 * The table that holds the checkpoints of all sinks into a database. Every transaction of a sink changes a row of it before any other: that is the mark of where its
 * rows came from. A source never hands over the table's own rows.
 */
export const CHECKPOINT_TABLE = '_tidings_checkpoint';
