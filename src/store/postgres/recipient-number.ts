/** The number of the recipient in a verification's own row. */
export const firstNumber = "coalesce((route::jsonb -> 0 ->> 'recipient')::bigint, 0)"
