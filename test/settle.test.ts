import { expect, test } from 'vitest';
import { Problems } from '../src/errors.ts';
import { later, settle } from '../src/settle.ts';

const abort = () => new DOMException('cancelled', 'AbortError');

test('gives the values in their order', async () => {
  expect(await settle([Promise.resolve(1), 'two', Promise.resolve(3)])).toEqual([1, 'two', 3]);
});

test('fails only when all have ended', async () => {
  let ended = false;
  const slow = new Promise<void>((resolve) => {
    setTimeout(() => {
      ended = true;
      resolve();
    }, 20);
  });
  await expect(settle([Promise.reject(new Error('no')), slow])).rejects.toThrow('no');
  expect(ended).toBe(true);
});

test('tells several failures together, one that reached two works once', async () => {
  const error = new Error('one');
  await expect(settle([Promise.reject(error), Promise.reject(error)])).rejects.toBe(error);
  const both = settle([Promise.reject(error), Promise.reject(new Error('two'))]);
  await expect(both).rejects.toBeInstanceOf(Problems);
});

test('an abort is told only when nothing else failed', async () => {
  const works = () => [Promise.reject(abort()), Promise.reject(new Error('the reason'))];
  await expect(settle(works())).rejects.toThrow('the reason');
  await expect(settle([Promise.reject(abort())])).rejects.toThrow('cancelled');
});

test('a promise kept for later is handled when it is awaited', async () => {
  const promise = later(Promise.reject(new Error('late')));
  await new Promise((resolve) => {
    setTimeout(resolve, 5);
  });
  await expect(promise).rejects.toThrow('late');
});
