/** A request by which a gateway tells about an endpoint, as it came: its signature covers it. */
export type Callback = { endpointId: string; url: string; headers: Headers; body: Uint8Array }

/**
 * `unsigned`: the signature is missing or wrong, or there is no such endpoint. `later`: not taken now,
 * so that the gateway sends it again.
 */
export type CallbackResult =
  | { outcome: 'taken' }
  | { outcome: 'unsigned' }
  | { outcome: 'later'; at: number }
