import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBench, succeeded, unique, type Bench, type Manifest } from './build-kit.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await openBench({
    Dockerfile: ['FROM sandbox/busybox:1', `RUN echo ${unique()} > /unique`, ''].join('\n'),
    // Without RUN: another platform needs no emulation.
    'files.Dockerfile': [
      'FROM scratch',
      `LABEL unique=${unique()}`,
      'COPY Dockerfile /Dockerfile',
    ].join('\n'),
    // BuildKit's scanner protocol: an in-toto statement is written into the destination it names.
    'scanner/Dockerfile': [
      'FROM sandbox/busybox:1',
      'COPY scan.sh /scan.sh',
      'ENTRYPOINT ["/bin/sh", "/scan.sh"]',
    ].join('\n'),
    'scanner/scan.sh': `test -d "$BUILDKIT_SCAN_SOURCE" && cat > "$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json" <<'END'
{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","predicate":{"spdxVersion":"SPDX-2.3","name":"made by the test"}}
END
`,
  });
});
afterAll(() => bench[Symbol.asyncDispose]());

/** Predicates of the attestations of an index's first image. */
async function predicates(
  repository: string,
  index: Manifest,
): Promise<ReadonlyMap<string, unknown>> {
  const child = index.manifests.find(
    ({ annotations }) => annotations?.['vnd.docker.reference.type'] === 'attestation-manifest',
  );
  const { body } = await bench.manifest(repository, child?.digest ?? 'none');
  const found = new Map<string, unknown>();
  for (const { digest, annotations } of body.layers) {
    const statement = JSON.parse(await bench.blob(repository, digest)) as { predicate: unknown };
    found.set(annotations?.['in-toto.io/predicate-type'] ?? '', statement.predicate);
  }
  return found;
}

describe('multi-platform with everything', () => {
  let index: Manifest;
  let repository = '';
  beforeAll(async () => {
    const scanner = `sandbox/scanner-${unique()}:1`;
    succeeded(await bench.build({ context: 'scanner', load: true, localReferences: [scanner] }));
    repository = `g/multi-${unique()}`;
    const reference = `${bench.registry}/${repository}:run-1`;
    const outcome = succeeded(
      await bench.build({
        references: [reference],
        file: 'files.Dockerfile',
        platforms: ['linux/amd64', 'linux/arm64'],
        provenance: 'mode=max,builder-id=https://github.example/o/r/actions/runs/1',
        attests: [`type=sbom,generator=${scanner}`],
        labels: ['of=test, with "quotes"'],
        annotations: [
          'index:org.opencontainers.image.title=the index',
          'manifest:org.opencontainers.image.title=each image',
          'manifest[linux/arm64]:only=arm',
        ],
      }),
    );
    const pushed = await bench.manifest(repository, 'run-1');
    expect(outcome.digest).toBe(pushed.digest);
    index = pushed.body;
    await bench.engine.docker(['image', 'rm', scanner]);
  });

  it('multi: an index with both platforms', () => {
    const real = index.manifests.filter(({ platform }) => platform.os !== 'unknown');
    expect(real.map(({ platform }) => platform.architecture).sort()).toEqual(['amd64', 'arm64']);
  });

  it('annotations at the right level', async () => {
    expect(index.annotations).toEqual({ 'org.opencontainers.image.title': 'the index' });
    for (const { digest, platform } of index.manifests.filter(
      (one) => one.platform.os !== 'unknown',
    )) {
      const { body } = await bench.manifest(repository, digest);
      expect(body.annotations).toEqual({
        'org.opencontainers.image.title': 'each image',
        ...(platform.architecture === 'arm64' ? { only: 'arm' } : {}),
      });
    }
  });

  it('provenance, sbom by a generator, attests', async () => {
    const found = await predicates(repository, index);
    expect([...found.keys()].sort()).toEqual([
      'https://slsa.dev/provenance/v0.2',
      'https://spdx.dev/Document',
    ]);
    expect(found.get('https://slsa.dev/provenance/v0.2')).toMatchObject({
      builder: { id: 'https://github.example/o/r/actions/runs/1' },
    });
    expect(found.get('https://spdx.dev/Document')).toMatchObject({ name: 'made by the test' });
  });

  it('labels', async () => {
    const { body } = await bench.manifest(repository, index.manifests[0]?.digest ?? '');
    const config = JSON.parse(await bench.blob(repository, body.config.digest)) as {
      config: { Labels: Record<string, string> };
    };
    expect(config.config.Labels).toMatchObject({ of: 'test, with "quotes"' });
  });
});

describe('one image to several places', () => {
  it('multi-output, load-and-push, digest: all hold the same image', async () => {
    const repository = `g/places-${unique()}`;
    const references = [`${bench.registry}/${repository}:a`, `${bench.registry}/${repository}:b`];
    const built = await bench.build({
      references,
      load: true,
      provenance: 'false',
      outputs: ['type=local,dest=files', 'type=oci,dest=image.tar'],
    });
    const outcome = succeeded(built);
    const a = await bench.manifest(repository, 'a');
    expect(a.body.mediaType).toBe('application/vnd.docker.distribution.manifest.v2+json');
    expect((await bench.manifest(repository, 'b')).digest).toBe(a.digest);
    expect(outcome.digest).toBe(a.digest);
    expect(outcome.imageId).toBe(a.body.config.digest);
    expect(outcome.callResult).toBeUndefined();
    const id = await bench.engine.must([
      'image',
      'inspect',
      '--format',
      '{{.Id}}',
      references[0] ?? '',
    ]);
    expect(id.trim()).toBe(a.digest);
    await bench.engine.docker(['image', 'rm', ...references]);
    expect(await readFile(join(bench.workspace, 'files/unique'), 'utf8')).toMatch(/^\w{8}\n$/);
    expect((await readFile(join(bench.workspace, 'image.tar'))).length).toBeGreaterThan(10_000);
  });

  it('nothing is pushed without references: a fork only builds', async () => {
    const outcome = succeeded(await bench.build({}));
    expect(outcome.digest).toBeUndefined();
    expect(JSON.parse(outcome.metadata)).toHaveProperty(['buildx.build.ref']);
    expect(outcome.notices).toEqual([]);
  });
});

describe('checks and call', () => {
  const dockerfile = ['FROM scratch AS Stage', 'MAINTAINER nobody', 'COPY Dockerfile /x', ''].join(
    '\n',
  );

  it('checks: warnings of a build are annotations at their file and line', async () => {
    await bench.write({ 'sub/my.Dockerfile': dockerfile });
    const built = await bench.build({ file: 'sub/my.Dockerfile' });
    succeeded(built);
    expect(built.annotations).toEqual([
      {
        level: 'warning',
        title: 'Dockerfile check: StageNameCasing',
        message: expect.stringMatching(
          /^Stage name 'Stage' should be lowercase\n.*\nhttps:/s,
        ) as string,
        file: 'sub/my.Dockerfile',
        startLine: 1,
        endLine: 1,
      },
      expect.objectContaining({
        title: 'Dockerfile check: MaintainerDeprecated',
        file: 'sub/my.Dockerfile',
        startLine: 2,
      }),
    ]);
  });

  it('call: check fails with the result printed and the same annotations', async () => {
    await bench.write({ 'sub/Dockerfile': dockerfile });
    const built = await bench.build({ context: 'sub', call: 'check' });
    expect(built.error?.message).toBe('call: check found 2 warnings.');
    expect(built.log).toContain('Check complete, 2 warnings have been found!');
    expect(built.annotations.map(({ file, startLine }) => ({ file, startLine }))).toEqual([
      { file: 'sub/Dockerfile', startLine: 1 },
      { file: 'sub/Dockerfile', startLine: 2 },
    ]);
  });

  it('call: check of a good Dockerfile, outline and targets end well with their result', async () => {
    const check = succeeded(
      await bench.build({ call: 'check', references: ['unused.example/a:1'] }),
    );
    expect(check.callResult).toContain('no warnings found');
    expect(check.digest).toBeUndefined();
    const targets = succeeded(await bench.build({ context: 'sub', call: 'targets' }));
    expect(targets.callResult).toContain('stage (default)');
    const outline = succeeded(
      await bench.build({ context: 'scanner', call: 'outline,format=json' }),
    );
    expect(JSON.parse(outline.callResult ?? '')).toHaveProperty('sources');
  });

  it('call: check of a Dockerfile that can’t be read names the line', async () => {
    await bench.write({ 'broken.Dockerfile': 'FROM scratch\nRUNN x\n' });
    const built = await bench.build({ file: 'broken.Dockerfile', call: 'check' });
    expect(built.error?.message).toContain('unknown instruction: RUNN');
    expect(built.annotations).toContainEqual(
      expect.objectContaining({ file: 'broken.Dockerfile', startLine: 2 }),
    );
  });
});
