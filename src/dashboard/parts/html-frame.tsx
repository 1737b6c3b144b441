import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'

/** A frame of an origin of its own: what is in the message can neither run nor load anything. */
export function HtmlFrame({ title, html }: { title: string; html: string }) {
  const ref = useRef<HTMLIFrameElement>(null)
  const isReady = useSignal(false)
  useEffect(() => {
    // The origin of the frame has no name, so the message cannot name its receiver.
    if (isReady.value) ref.current?.contentWindow?.postMessage(html, '*')
  }, [html, isReady.value])
  return (
    <iframe
      ref={ref}
      class="mail-frame"
      title={title}
      sandbox="allow-scripts"
      src="/ui/preview.html"
      onLoad={() => {
        isReady.value = true
      }}
    />
  )
}
