/** A sentence for the admin. */
export function newerSchema(stored: number, known: number): string {
  return `The database has schema ${stored}, this executable knows ${known}: use a newer otpmint`
}
