export function measureLongLogStart(): Promise<string> {
  return Promise.resolve('');
}
