import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Answer, Invoker } from './index.ts';

/** The docker command line of an engine. Resolves with the exit code, whatever it is. */
export type Docker = (
  args: readonly string[],
) => Promise<{ stdout: string; stderr: string; code: number | null }>;

/**
 * Runs an image as Lambda does: a container whose runtime fetches its event from a Runtime API of
 * ours (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). Every invocation is a cold
 * start. The container shares the host's network, so it reaches the API at 127.0.0.1.
 */
export function runInDocker(docker: Docker): Invoker {
  return async ({ fn, version, pullReference, payload }) => {
    const requestId = randomUUID();
    const container = `lambda-${requestId}`;
    const api = await startRuntimeApi(requestId, payload, fn.arn, fn.timeout);
    const started = Date.now();
    const running = docker([
      'run',
      '--rm',
      '--name',
      container,
      '--network',
      'host',
      '--env',
      `AWS_LAMBDA_RUNTIME_API=${api.address}`,
      '--env',
      `AWS_LAMBDA_FUNCTION_NAME=${fn.name}`,
      pullReference,
    ]);
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<'timeout'>((resolve) => {
      // The clock starts with the event: fetching the image is no part of a function's time.
      void api.fetched.then(() => {
        timer = setTimeout(() => {
          resolve('timeout');
        }, fn.timeout);
      });
    });
    const first = await Promise.race([api.answered, timedOut, running]);
    clearTimeout(timer);
    const stop = async () => {
      // Gone already when the runtime ended by itself.
      await docker(['kill', container]);
      return running;
    };
    const ended = first === 'timeout' || !('code' in first) ? await stop() : first;
    await api.close();

    const output = `${ended.stdout}${ended.stderr}`;
    const log = (text: string) =>
      [
        `START RequestId: ${requestId} Version: ${version}`,
        output.trimEnd(),
        ...(text === '' ? [] : [text]),
        `END RequestId: ${requestId}`,
        `REPORT RequestId: ${requestId}\tDuration: ${Date.now() - started} ms`,
        '',
      ].join('\n');
    const failed = (errorType: string, message: string): Answer => ({
      functionError: 'Unhandled',
      payload: JSON.stringify({
        errorType,
        errorMessage: `RequestId: ${requestId} Error: ${message}`,
      }),
      log: log(`RequestId: ${requestId} Error: ${message}\n${errorType}`),
    });

    if (first === 'timeout') {
      return failed(
        'Sandbox.Timedout',
        `Task timed out after ${(fn.timeout / 1000).toFixed(2)} seconds`,
      );
    }
    if (!('code' in first)) {
      return {
        functionError: first.error ? 'Unhandled' : undefined,
        payload: first.payload,
        log: log(''),
      };
    }
    const format =
      /exec (?<path>\S+): exec format error|exec: "(?<quoted>[^"]+)".*exec format error/s.exec(
        output,
      );
    if (format !== null) {
      const path = format.groups?.['path'] ?? format.groups?.['quoted'] ?? '';
      return failed('Runtime.InvalidEntrypoint', `fork/exec ${path}: exec format error`);
    }
    const status = ended.code === 0 ? '' : `: exit status ${ended.code}`;
    return failed(
      'Runtime.ExitError',
      status === ''
        ? 'Runtime exited without providing a reason'
        : `Runtime exited with error${status}`,
    );
  };
}

async function startRuntimeApi(requestId: string, payload: string, arn: string, timeout: number) {
  const fetched = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<{ payload: string; error: boolean }>();
  let given = false;

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? '').replace('/2018-06-01/runtime/', '');
    if (path === 'invocation/next') {
      // A runtime that asks for the next event waits, as on Lambda.
      if (given) return;
      given = true;
      response.writeHead(200, {
        'content-type': 'application/json',
        'Lambda-Runtime-Aws-Request-Id': requestId,
        'Lambda-Runtime-Deadline-Ms': String(Date.now() + timeout),
        'Lambda-Runtime-Invoked-Function-Arn': arn,
      });
      response.end(payload);
      fetched.resolve();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    response.writeHead(202, { 'content-type': 'application/json' });
    response.end('{"status":"OK"}');
    answered.resolve({
      payload: Buffer.concat(chunks).toString(),
      error: !path.endsWith('/response'),
    });
  };

  const server = createServer((request, response) => {
    handle(request, response).catch(() => {
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    fetched: fetched.promise,
    answered: answered.promise,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
