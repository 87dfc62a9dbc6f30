import { expect, test } from 'vitest';
import { planAttestations } from '../../src/image/attestations.ts';
import type { Builder } from '../../src/image/plan.ts';
import { sampleContext } from '../inputs/kit.ts';
import { containerBuilder, dockerBuilder, plainDockerBuilder } from './sample.ts';

const none = { provenance: undefined, sbom: undefined, attests: [], load: false, outputs: [] };
const id = 'builder-id=https://github.com/octo/Shop/actions/runs/7001/attempts/1';
const open = sampleContext();
const closed = sampleContext({ privateRepository: true });

test.each([
  ['unset, public', undefined, open, `mode=max,${id}`],
  ['unset, private', undefined, closed, `mode=min,inline-only=true,${id}`],
  ['true, public', 'true', open, `mode=max,${id}`],
  ['true, private', 'true', closed, `mode=min,${id}`],
  ['false', 'false', open, 'false'],
  ['attributes', 'mode=max,version=v1', closed, `mode=max,version=v1,${id}`],
  ['a builder of their own', 'mode=min,builder-id=x', open, 'mode=min,builder-id=x'],
])('provenance %s', (_, provenance, context, wanted) => {
  expect(planAttestations({ ...none, provenance }, context, dockerBuilder).provenance).toBe(wanted);
});

test('attests stand for themselves, and name the run too', () => {
  const attests = ['type=provenance,mode=max', 'type=sbom'];
  expect(planAttestations({ ...none, attests }, open, dockerBuilder)).toEqual({
    provenance: undefined,
    sbom: undefined,
    attests: [`type=provenance,mode=max,${id}`, 'type=sbom'],
  });
});

test.each<[string, Builder, { load?: boolean; outputs?: readonly string[] }]>([
  ['the docker driver without the store', plainDockerBuilder, {}],
  ['a container that loads', containerBuilder, { load: true }],
  ["a container with docker's exporter", containerBuilder, { outputs: ['type=docker,dest=a.tar'] }],
])('%s: none by itself, an error when asked for', (_, builder, changes) => {
  const plan = (more: object) => planAttestations({ ...none, ...changes, ...more }, open, builder);
  expect(plan({}).provenance).toBe('false');
  expect(plan({ provenance: 'false', sbom: 'false' }).sbom).toBe('false');
  expect(() => plan({ provenance: 'true' })).toThrow('provenance: true was asked for, but ');
  expect(() => plan({ sbom: 'true' })).toThrow('sbom: true was asked for, but ');
  expect(() => plan({ attests: ['type=sbom'] })).toThrow('attests: type=sbom was asked for, but ');
  expect(() => plan({ attests: ['type=sbom,disabled=true'] })).not.toThrow();
});
