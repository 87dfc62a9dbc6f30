import { describe, expect, it } from 'vitest';
import { deniedAction, describeFailure, failureHint } from '../../src/steps/build-errors.ts';

describe('deniedAction', () => {
  it.each([
    ['HEAD', 'manifests/1', 'ecr:BatchGetImage'],
    ['PUT', 'manifests/1', 'ecr:PutImage'],
    ['HEAD', 'blobs/sha256:1', 'ecr:BatchCheckLayerAvailability'],
    ['POST', 'blobs/uploads/', 'ecr:InitiateLayerUpload'],
    ['PATCH', 'blobs/uploads/1', 'ecr:UploadLayerPart'],
    ['PUT', 'blobs/uploads/1?digest=sha256:1', 'ecr:CompleteLayerUpload'],
    ['GET', 'blobs/sha256:1', 'ecr:GetDownloadUrlForLayer'],
  ])('%s %s needs %s', (method, path, action) => {
    const url = `https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/v2/team/app/${path}`;
    const text = `failed to push x: unexpected status from ${method} request to ${url}: 403 Forbidden`;
    expect(deniedAction(text)).toBe(action);
    const hint = failureHint({ kind: 'push', reason: 'denied', text });
    expect(hint).toContain(`"${action}"`);
    expect(hint).toContain('arn:aws:ecr:eu-west-1:123456789012:repository/team/app');
  });

  it('without a request, all that a push needs', () => {
    const hint = failureHint({ kind: 'push', reason: 'denied', text: 'no basic auth credentials' });
    expect(hint).toContain('ecr:PutImage');
    expect(hint).toContain('ecr:InitiateLayerUpload');
  });

  it('IAM’s own words name who, what and where', () => {
    const text =
      'denied: User: arn:aws:sts::123456789012:assumed-role/ship/x is not authorized to perform: ecr:InitiateLayerUpload on resource: arn:aws:ecr:eu-west-1:123456789012:repository/app because no identity-based policy allows the ecr:InitiateLayerUpload action';
    const hint = failureHint({ kind: 'push', reason: 'denied', text });
    expect(hint).toContain('"ecr:InitiateLayerUpload"');
    expect(hint).toContain('arn:aws:ecr:eu-west-1:123456789012:repository/app');
  });
});

describe('what to do', () => {
  it.each([
    [
      { kind: 'step', name: '[2/2] RUN x', exitCode: 137, text: 'exit code: 137' } as const,
      'memory',
    ],
    [
      { kind: 'step', name: 'x', exitCode: 1, text: 'exec /bin/sh: exec format error' } as const,
      'emulation',
    ],
    [
      { kind: 'base', name: 'x', transient: true, text: 'toomanyrequests' } as const,
      'public.ecr.aws',
    ],
    [
      { kind: 'base', name: 'x', transient: false, text: 'pull access denied' } as const,
      'private image',
    ],
    [
      { kind: 'not-started', text: "docker: 'buildx' is not a docker command." } as const,
      'buildx-version',
    ],
    [{ kind: 'builder-lost', text: 'EOF' } as const, 'memory'],
    [{ kind: 'other', text: 'failed to read dockerfile: open x: no such file' } as const, '`file`'],
    [{ kind: 'push', reason: 'no-repository', text: 'x' } as const, 'create-repository'],
  ])('%j', (failure, words) => {
    expect(failureHint(failure)).toContain(words);
    expect(describeFailure(failure)).not.toMatch(/undefined|\.$/);
  });
});
