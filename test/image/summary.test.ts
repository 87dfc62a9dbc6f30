import { describe, expect, test } from 'vitest';
import { summarize, type SummaryFacts } from '../../src/image/summary.ts';

const one = `sha256:${'1'.repeat(64)}`;
const two = `sha256:${'2'.repeat(64)}`;

const facts: SummaryFacts = {
  image: `registry.example/app@${two}`,
  tags: ['0f1e2d', 'run-7'],
  outcome: 'built',
  why: 'No image in registry.example/app has this content.',
  platforms: [
    {
      platform: 'linux/amd64',
      architecture: 'amd64',
      digest: two,
      mediaType: 'm',
      layerMediaTypes: [],
      bytes: 12_345_678,
    },
  ],
  build: {
    steps: { cached: 3, run: 1 },
    slowest: [{ name: 'RUN a | b `c`', ms: 2500, cached: false }],
  },
  cacheBackends: ['gha'],
  pipCache: 'exact',
  order: {
    result: 'moved',
    supersededBy: undefined,
    waitedMs: 12_000,
    tags: [{ tag: 'latest', from: one, to: two }],
  },
  functions: [{ name: 'api:live', from: one, to: two, version: '7', result: 'updated' }],
  phases: [
    { name: 'build: all; now', start: 100, end: 2600, result: 'done' },
    { name: 'account', start: 0, end: 90, result: 'done' },
    { name: 'mounts', start: 5, end: 5, result: 'skipped' },
  ],
  notices: ['The <cache> was slow.'],
  dryRun: false,
  failure: undefined,
};

describe('the job summary', () => {
  test('shows image, tags, sizes, what moved from where to where, functions and times', () => {
    expect(summarize(facts)).toBe(`## Shipped

\`registry.example/app@${two}\`

No image in registry.example/app has this content.

|  |  |
| --- | --- |
| Tags | \`0f1e2d\` \`run-7\` |
| linux/amd64 | \`sha256:222222222222\`, 12.3 MB compressed |
| Build steps | 3 cached, 1 run |
| Layer cache | gha |
| Python environment | exact |

### Moving tags: moved

Waited 12.0 s for earlier runs.

| Tag | Was at | Now at |
| --- | --- | --- |
| \`latest\` | \`sha256:111111111111\` | \`sha256:222222222222\` |

### Lambda

| Function | Was at | Now at | Version | Result |
| --- | --- | --- | --- | --- |
| \`api:live\` | \`sha256:111111111111\` | \`sha256:222222222222\` | 7 | updated |

### Where the time went
\`\`\`mermaid
gantt
  dateFormat x
  axisFormat %M:%S
  account (90 ms) :0, 90
  build  all  now (2.5 s) :100, 2600
\`\`\`

<details><summary>Slowest build steps</summary>

| Step | Time |
| --- | --- |
| \`\` RUN a \\| b \`c\` \`\` | 2.5 s |

</details>

### Notices

- The &lt;cache> was slow.
`);
  });

  test('of a failed run has the whole error in a fence that it cannot close', () => {
    const shown = summarize({ ...facts, failure: 'the log had ``` in it' });
    expect(shown).toContain('## Not shipped');
    expect(shown).toContain('````text\nthe log had ``` in it\n````');
  });

  test('names the newer run of a superseded one', () => {
    const order = { result: 'superseded', supersededBy: 'run 8 (a link)', waitedMs: 0, tags: [] };
    expect(summarize({ ...facts, order })).toContain('Superseded by run 8 (a link).');
  });

  test('of a fork says that nothing was published', () => {
    const fork = { ...facts, outcome: 'build only', image: undefined, order: undefined } as const;
    expect(summarize(fork)).toContain('## Built, not published');
  });

  test('of a dry run speaks of what would be', () => {
    expect(summarize({ ...facts, dryRun: true })).toContain('Would be at');
  });
});
