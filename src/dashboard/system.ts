/** The browser's clock and timers: the only file of the dashboard that asks for them. */

export function now(): number {
  return Date.now()
}

/** Calls back after a while; the returned function prevents it. */
export function after(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms)
  return () => clearTimeout(timer)
}

/** Calls back again and again while the page is visible; the returned function ends it. */
export function every(ms: number, call: () => void): () => void {
  const timer = setInterval(() => {
    if (document.visibilityState === 'visible') call()
  }, ms)
  return () => clearInterval(timer)
}
