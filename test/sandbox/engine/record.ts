/** What the keeper is told when it is started (a JSON file). */
export interface KeeperPlan {
  readonly bin: string;
  /** DOCKER_CONFIG with the buildx plugin; undefined: the user's own. */
  readonly config: string | undefined;
  /** A folder for this one life of the engine: sockets, pid files, logs. */
  readonly life: string;
  /** Images, containers, build cache: kept from life to life. */
  readonly data: string;
  /** The registry's blobs; emptied at each start. */
  readonly registryData: string;
  /** A Docker that was there already, as DOCKER_HOST; undefined: start our own. */
  readonly existing: string | undefined;
  /** End after so many ms without a lease. */
  readonly idle: number;
}

/** What the keeper tells who takes a lease. */
export interface EngineRecord {
  readonly dockerHost: string;
  /** `127.0.0.1:<port>` of the distribution registry, plain HTTP. */
  readonly registryHost: string;
  readonly bin: string;
  readonly config: string | undefined;
  readonly life: string;
}
