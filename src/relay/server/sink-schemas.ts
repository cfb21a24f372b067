import { count, type JsonSchema, object, ref, text, textOrNull, time, timeOrNull } from './json-schema.ts';

const ROW: JsonSchema = {
  type: ['object', 'null'],
  additionalProperties: true,
  description: 'Columns and their values, as in the JSON of changes.',
};

/** The schemas of sinks and dead letters, by name. */
export const SINK_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Sink: object({
    name: text('Its name.'),
    type: text('The kind of sink.'),
    stream: text('The stream that it follows.'),
    order: { type: 'string', enum: ['key', 'transaction'], description: 'What its order is kept by.' },
    promise: {
      type: ['string', 'null'],
      enum: ['transactional', 'versioned', 'at-least-once', null],
      description: 'What holds after a crash; null until it was opened.',
    },
    state: {
      type: 'string',
      enum: ['starting', 'running', 'waiting', 'paused', 'failed', 'stopped'],
      description: 'waiting: for the store or the relay; failed: for a person.',
    },
    error: { anyOf: [ref('SinkFailure'), { type: 'null' }], description: 'Why it waits or has failed.' },
    rows: count('Rows that were written since the process started.'),
    batches: count('Batches of them.'),
    pending: count('Rows that are on their way to the store.'),
    lagSeconds: { type: 'number', minimum: 0, description: 'How long ago the oldest of them was committed.' },
    written: timeOrNull('Commit time of the last row that was written.'),
    deadLetters: count('Changes that are set aside.'),
    blockedKeys: count('Keys that they block.'),
  }),
  SinkFailure: object({
    code: text('One of docs/reference/errors.md.'),
    message: text('What happened.'),
    hint: text('What can be done about it.'),
    since: time('Since when.'),
  }),
  DeadLetter: object({
    id: count('Its number.'),
    target: textOrNull('Where its row was to go; null: no row could be made of it.'),
    reason: {
      anyOf: [ref('DeadLetterReason'), { type: 'null' }],
      description: 'Why it was refused; null: it was not, an earlier change of its key was.',
    },
    attempts: count('How often it was tried.'),
    parked: time('When it was set aside.'),
    tried: timeOrNull('When it was last redriven.'),
    edited: { type: 'boolean', description: 'It was changed by hand.' },
    change: {
      type: 'object',
      additionalProperties: true,
      description: 'The change: docs/formats/change-event.md.',
    },
  }),
  DeadLetterReason: object({
    code: text('One of docs/reference/errors.md.'),
    message: text('What happened.'),
    hint: text('What can be done about it.'),
  }),
  DeadLetterEdit: object({ before: ROW, after: ROW }, ['before', 'after']),
  RedriveRequest: object(
    {
      id: {
        type: 'integer',
        minimum: 1,
        description: 'Only the changes of the same key as this one. Without it: all.',
      },
    },
    ['id'],
  ),
  Redriven: object({
    written: count('Changes that were written.'),
    left: count('Changes that are still set aside, of the keys that were asked for.'),
    refused: {
      type: 'array',
      items: { type: 'integer' },
      description: 'The first change of each key that was refused again.',
    },
  }),
};
