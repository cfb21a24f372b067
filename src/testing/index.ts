// Public API of `tidings/testing`: for authors of sources and sinks, and of whatever stands between them.
export {
  sourceConformance,
  type ConformanceCheck,
  type ConformanceWrite,
  type SourceHarness,
} from './source-conformance.ts';
export { FakeSource, type FakeSourceOptions } from './fake-source.ts';
export { FakePosition, FakeStore, type FakeEntry, type FakeTransaction } from './fake-store.ts';
export { ManualClock } from './manual-clock.ts';
export { tableOf, type ColumnSketch } from './tables.ts';
export { sinkConformance, type SinkHarness } from './sink-conformance.ts';
export { MemorySink, type MemorySinkOptions, MemoryStore } from './memory-sink.ts';
