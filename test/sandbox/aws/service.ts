/** A request to the AWS stand-in, read whole. Header names are lower case. */
export interface ServiceRequest {
  readonly method: string;
  /** Decoded path without query: `/2015-03-31/functions/app/code`. */
  readonly path: string;
  /** As sent, still percent-encoded. */
  readonly rawPath: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface ServiceResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** The work was done but its answer is lost: the connection is cut instead. */
  readonly lost?: boolean;
}

/** One AWS service of the stand-in, mounted on its one HTTP server. */
export interface Service {
  /** Prefix of its IAM actions: `lambda`. */
  readonly name: string;
  handles(request: Pick<ServiceRequest, 'method' | 'path' | 'headers'>): boolean;
  handle(request: ServiceRequest): Promise<ServiceResponse>;
}

/** What a service gets from the stand-in that mounts it. */
export interface AwsHost {
  readonly account: string;
  readonly region: string;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** Host and port of the ECR front, as in image URIs. */
  readonly registryHost: string;
  /**
   * Runs one API call under the stand-in's rules: logs it, then answers with whatever was scripted
   * (`faults.next`, `faults.deny`, expired or missing credentials) or with `work`'s result.
   */
  call(
    call: {
      /** IAM action, which is also the key of faults: `lambda:UpdateFunctionCode`. */
      action: string;
      /** ARN for the text of a denial; `*` where the action has none. */
      resource: string;
      request: ServiceRequest;
      /** The service's own form of an error (JSON or XML). */
      error: ErrorForm;
    },
    work: () => Promise<ServiceResponse> | ServiceResponse,
  ): Promise<ServiceResponse>;
  /** Looks up `host/name:tag` or `host/name@digest` in the ECR stand-in. */
  image(uri: string): Promise<FoundImage | undefined>;
}

export type ErrorForm = (status: number, code: string, message: string) => ServiceResponse;

/** An image as stored. A tag is resolved to its digest. */
export interface FoundImage {
  readonly repository: string;
  readonly digest: string;
  readonly mediaType: string;
  /** Exact bytes as text. */
  readonly manifest: string;
  /** Text of a blob of the same repository (the config). */
  blob(digest: string): Promise<string>;
  /** Where `docker pull` gets it without login: `127.0.0.1:PORT/<prefix>/<name>@<digest>` of the real registry. */
  readonly pullReference: string;
}
