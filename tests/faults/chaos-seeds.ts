// The seeds whose runs have failed once: they are always run.
export const failedSeeds: readonly number[] = [];
