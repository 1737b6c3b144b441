/** The version that `otpmint version`, the API docs and the log name. */
export const version = '0.1.0'
