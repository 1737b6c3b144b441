/**
 * What docs/scaling.md computes with. Everything in `measured` was measured, on the machine of
 * docs/performance.md (two cores for database, nodes and load together); each comment says by which part of
 * `bun run bench`, or where it stands. What nobody has measured is in `assumed`.
 */
export const measured = {
  // `costs`: processor time of the database, in s, for a call of the function of a start, and for each start
  // in it.
  startCallSeconds: 0.0015,
  startSeconds: 0.000204,
  // `costs`: the same for a check (wrong code).
  checkCallSeconds: 0.0013,
  checkSeconds: 0.000062,
  // `costs`: processor time of the database for writing that a mail was sent, many at once.
  databaseMailSeconds: 0.000162,
  // docs/performance.md: a start with its mail, in s, over SQLite, with SQLite in it; the higher of 258 and
  // 354 us.
  nodeMailSeconds: 0.000354,
  // docs/performance.md: 252 us for node and database together, of which the database has 4 ms for 64 checks.
  nodeCheckSeconds: 0.00019,
  // docs/performance.md: a commit in the middle, by SQLite on the same disk. One of PostgreSQL was not measured
  // without other load.
  commitSeconds: 0.0005,
  // `costs`: WAL without full-page images, many at once, in bytes.
  startWal: 2_553,
  mailWal: 1_799,
  wrongCheckWal: 492,
  rightCheckWal: 922,
  // `costs`: tables with their indexes, for a verification that was mailed and approved, in bytes.
  verificationBytes: 1_458,
  deliveryBytes: 608,
  tryBytes: 227,
  limitBytes: 604,
  eventBytes: 489,
  // `costs`: what a start sends to the database, and a mail, in bytes.
  startCallBytes: 1_857,
  mailBytes: 2_723,
  // `postgres`: claims of three nodes, a second.
  claimsPerSecond: 27_505,
}

export const assumed = {
  verificationsPerDay: 1e9,
  /** The busiest second, as a multiple of the mean. */
  peak: 3,
  /** Wrong codes for each verification, besides the right one. */
  wrongChecks: 0.1,
  /** How much of the processors is in use at the peak, so that there is room after a loss. */
  load: 0.5,
  /** How long a mail takes on its connection, in s, and its standard deviation divided by that. */
  mailSeconds: 0.1,
  mailVariation: 0.5,
  /** The apps, of which the second has half as many starts as the first, and so on (Zipf). */
  apps: 10_000,
  /** Cores of a database's machine, and of a node's. */
  databaseCores: 16,
  nodeCores: 2,
  /** A commit with a synchronous standby in the same region, in s: its disk and the way there. */
  commitWithStandbySeconds: 0.001,
}
