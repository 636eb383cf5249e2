// Names of locks and channels, all below the storage's name.

/** Held by the tab that owns the worker of a storage. */
export const leaderLock = (storage: string): string => `neurite:${storage}:leader`;

/** Held by the worker that has the database of a storage open. */
export const databaseLock = (storage: string): string => `neurite:${storage}:database`;

/** Where those who use a storage announce themselves. */
export const announcements = (storage: string): string => `neurite:${storage}`;
