/** The number of the recipient in a verification's own row. */
export const firstNumber = "coalesce(route ->> '$[0].recipient', 0)"
