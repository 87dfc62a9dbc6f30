import { randomBytes } from 'node:crypto';
import { openWorld, type World, type WorldResult, type WorldRun } from '../sandbox/world.ts';

export { openWorld, type World, type WorldResult, type WorldRun } from '../sandbox/world.ts';

/** Eight characters that no other test has: layers with it in are never cached already. */
export const unique = () => randomBytes(4).toString('hex');

/** A Dockerfile from the sandbox's small base image, with the given lines. */
export function dockerfile(...lines: readonly string[]): string {
  return ['FROM sandbox/busybox:1', ...lines, ''].join('\n');
}

/**
 * A small app that a function can run: Lambda's Runtime API spoken by a shell script. It answers an
 * event with `{"app": <version>, "event": <event>}`, or fails when the event holds `"fail"`.
 */
export function lambdaApp(version: string): Record<string, string> {
  return {
    Dockerfile: dockerfile(
      'COPY bootstrap /bootstrap',
      'RUN chmod +x /bootstrap && echo built',
      'COPY version /version',
      'ENTRYPOINT ["/bootstrap"]',
    ),
    version,
    bootstrap: `#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
echo "app $(cat /version) starts"
while wget -q -S -O /tmp/event "$api/next" 2>/tmp/headers; do
  id=$(sed -n 's/.*[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *//p' /tmp/headers | tr -d '\\r')
  event=$(cat /tmp/event)
  case "$event" in
    *'"fail"'*) wget -q -O /dev/null --post-data '{"errorType":"Failed","errorMessage":"as asked"}' "$api/$id/error" ;;
    *) wget -q -O /dev/null --post-data "{\\"app\\":\\"$(cat /version)\\",\\"event\\":$event}" "$api/$id/response" ;;
  esac
done
`,
  };
}

/** Opens a world for one test and closes it after, whatever happened. */
export async function inWorld(work: (world: World) => Promise<void>): Promise<void> {
  await using world = await openWorld();
  await work(world);
}

/** One run of the action that must succeed; its whole log in the error when it doesn't. */
export async function ship(world: World, request: WorldRun): Promise<WorldResult> {
  const result = await world.run(request);
  if (!result.ok) throw new Error(`The run failed:\n${whole(result)}`);
  return result;
}

/** Both phases' logs, for messages of failed assertions. */
export function whole(result: WorldResult): string {
  return `--- main (${result.main.code ?? result.main.signal})\n${result.main.log}\n--- post (${result.post.code ?? result.post.signal})\n${result.post.log}`;
}
