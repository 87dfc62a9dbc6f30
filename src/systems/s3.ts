import { randomUUID } from 'node:crypto';
import process from 'node:process';
import type * as S3Sdk from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { ActionError } from '../errors.ts';
import { retry, type Clock } from '../wait.ts';
import { clientConfig, type AwsCredentialsProvider } from './aws-clients.ts';
import { attemptsOf, explainAws, isAwsError, statusOf } from './aws-errors.ts';

/** S3 with compare-and-set, for the order's register. `etag` is passed back as it came. */
export interface ObjectStore {
  get(key: string): Promise<{ body: string; etag: string } | undefined>;
  /**
   * Writes when the object is as expected: `etag` undefined: it must not exist yet.
   * @returns 'written', or 'changed' when somebody else was first (412, or 409 to be tried again).
   */
  put(key: string, body: string, etag: string | undefined): Promise<'written' | 'changed'>;
  delete(key: string): Promise<void>;
}

/** An object store that can be asked whether its compare-and-set is one. */
export interface ProbedObjectStore extends ObjectStore {
  /**
   * Finds out whether the store minds `If-None-Match` and `If-Match`: compatible stores may ignore
   * them and answer 200, and then two runs both believe that they were first.
   * Leaves a small object `<prefix>compare-and-set-probe` behind; two or three requests.
   *
   * @throws ActionError for a store that ignores a condition.
   */
  probe(): Promise<void>;
}

export interface ObjectStoreOptions {
  readonly region: string;
  readonly credentials: AwsCredentialsProvider;
  readonly bucket: string;
  /** Put before every key; ends with `/` or is empty. */
  readonly prefix: string;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
}

type Sdk = typeof S3Sdk;

/** Connects to S3, or what AWS_ENDPOINT_URL_S3 points to. Loaded and connected at the first use. */
export function connectObjectStore(options: ObjectStoreOptions): ProbedObjectStore {
  const { bucket, prefix, region, clock } = options;
  const control = options.signal === undefined ? {} : { abortSignal: options.signal };
  const custom = process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL'];
  let connected: Promise<{ client: S3Client; sdk: Sdk }> | undefined;
  const connect = () =>
    (connected ??= import('@aws-sdk/client-s3').then((sdk) => ({
      sdk,
      client: new sdk.S3Client({
        ...clientConfig(options),
        // Other stores than Amazon's rarely have a host name for each bucket, nor trailing checksums.
        forcePathStyle: custom !== undefined,
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
      }),
    })));

  const failed = (error: unknown, doing: string, key: string, action: string): Error => {
    if (isAwsError(error, 'NoSuchBucket')) {
      return new ActionError(`There is no S3 bucket "${bucket}" (Region ${region}).`, {
        cause: error,
        hint: 'Check `order-bucket`, and that the bucket is in the Region of `aws-region`.',
      });
    }
    const attempt = { doing: `${doing} s3://${bucket}/${key}`, action: `s3:${action}`, region };
    return explainAws(error, { ...attempt, resource: `arn:aws:s3:::${bucket}/${key}` });
  };

  const get: ObjectStore['get'] = async (name) => {
    const Key = prefix + name;
    const { client, sdk } = await connect();
    try {
      const found = await client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key }), control);
      const body = (await found.Body?.transformToString()) ?? '';
      return { body, etag: found.ETag ?? '' };
    } catch (error) {
      if (isAwsError(error, 'NoSuchKey')) return undefined;
      const explained = failed(error, 'Reading', Key, 'GetObject');
      if (!isAwsError(error, 'AccessDenied') || /s3:GetObject/.test(String(error))) throw explained;
      // Without s3:ListBucket, S3 answers 403 where an object is not there.
      throw new ActionError(explained.message, {
        cause: error,
        hint: `s3:GetObject on arn:aws:s3:::${bucket}/${prefix}* and s3:ListBucket on arn:aws:s3:::${bucket} are needed: without the second, S3 says 403 for an object that is not there yet.`,
      });
    }
  };

  const write = async (
    Key: string,
    body: string,
    condition: { IfMatch: string } | { IfNoneMatch: '*' },
  ): Promise<'written' | 'changed'> => {
    const { client, sdk } = await connect();
    const put = new sdk.PutObjectCommand({
      Bucket: bucket,
      Key,
      Body: body,
      ContentType: 'application/json',
      ...condition,
    });
    try {
      // 409: a write to the same key is under way. What it will end in is not known yet.
      await retry(() => client.send(put, control), {
        tries: 4,
        firstDelay: 100,
        retryable: (error) => statusOf(error) === 409,
        signal: options.signal,
        clock,
      });
      return 'written';
    } catch (error) {
      const lost =
        statusOf(error) === 412 || statusOf(error) === 409 || isAwsError(error, 'NoSuchKey');
      if (!lost) throw failed(error, 'Writing', Key, 'PutObject');
      // The SDK sent it more than once: an earlier one may have been written, its answer lost.
      if (attemptsOf(error) > 1 && (await get(Key.slice(prefix.length)))?.body === body)
        return 'written';
      return 'changed';
    }
  };

  return {
    get,
    put: (name, body, etag) =>
      write(prefix + name, body, etag === undefined ? { IfNoneMatch: '*' } : { IfMatch: etag }),
    delete: async (name) => {
      const Key = prefix + name;
      const { client, sdk } = await connect();
      await client
        .send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key }), control)
        .catch((error: unknown) => {
          throw failed(error, 'Removing', Key, 'DeleteObject');
        });
    },
    probe: async () => {
      const Key = `${prefix}compare-and-set-probe`;
      // New text each time: a refused write must not look like one of ours that was retried.
      const text = () => `probe ${randomUUID()}`;
      const create = () => write(Key, text(), { IfNoneMatch: '*' });
      const ignored = (header: string) =>
        new ActionError(
          `The store of bucket "${bucket}" ignores ${header}: two runs could both believe that they were first, so the order can't be kept there.`,
          {
            hint: 'Use Amazon S3, or a store with conditional writes (MinIO, SeaweedFS and others in recent versions), or `order-state: github`.',
          },
        );
      if ((await create()) === 'written' && (await create()) === 'written') {
        throw ignored('If-None-Match');
      }
      const wrong = '"00000000000000000000000000000000"';
      if ((await write(Key, text(), { IfMatch: wrong })) === 'written') throw ignored('If-Match');
    },
  };
}
