/** Freezes a value and all that it holds, because callers share it. */
export function freeze<Value extends object>(value: Value): Value {
  for (const inner of Object.values(value)) {
    // Bytes cannot be frozen.
    if (typeof inner === 'object' && inner !== null && !ArrayBuffer.isView(inner)) freeze(inner)
  }
  return Object.freeze(value)
}
