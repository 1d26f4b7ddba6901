// The seeds whose runs have failed once: they are always run.
export const failedSeeds: readonly number[] = [];

/** Those of the cluster chaos. */
export const failedClusterSeeds: readonly number[] = [];
