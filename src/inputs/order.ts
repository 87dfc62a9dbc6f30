import type { OrderInputs } from './inputs.ts';
import { readBucket } from './cache.ts';
import type { InputName } from './names.ts';
import { show, type Reader } from './reader.ts';

export function readOrder(reader: Reader): OrderInputs {
  const mode = reader.choice('order', ['in-turn', 'newest', 'off']);
  const states: readonly OrderInputs['state'][] = ['github', 'registry', 's3'];
  const asked = reader.text('order-state') !== '';
  const preset = mode === 'in-turn' ? 'github' : 'registry';
  const state = asked ? reader.choice('order-state', states) : preset;
  if (mode === 'newest' && asked && state === 'github') {
    reader.problem(
      'order-state',
      'github is for order: in-turn; order: newest keeps the newest run in the registry or in S3',
      'Example: order-state: registry',
    );
  }
  const bucket = readBucket(
    reader,
    'order-bucket',
    state === 's3' && mode !== 'off' ? 'order-state: s3' : undefined,
  );
  if (bucket !== '' && state !== 's3') {
    reader.warn('order-bucket has no effect without order-state: s3.');
  }
  return {
    mode,
    state,
    job: readLine(reader, 'order-job', 'ship'),
    lane: readLine(reader, 'order-lane', 'production'),
    bucket,
    timeout: reader.duration('order-timeout', { min: '10s', max: '72h' }),
    interval: reader.duration('order-interval', { min: '1s', max: '10m' }),
  };
}

function readLine(reader: Reader, name: InputName, example: string): string {
  const found = reader.text(name);
  if (found.length > 200 || /[\r\n]/.test(found)) {
    reader.problem(
      name,
      `${show(found)} is more than one short line`,
      `Example: ${name}: ${example}`,
    );
  }
  return found;
}
