/**
 * The script in the frame of a preview. The dashboard posts the HTML of a message, and the frame
 * shows it. A parsed document runs no script; the policy of the frame forbids every other too.
 */
addEventListener('message', ({ source, data }: MessageEvent<unknown>) => {
  if (source !== parent || typeof data !== 'string') return
  const shown = new DOMParser().parseFromString(data, 'text/html').documentElement
  // A refresh would lead the frame away; the policy of the dashboard stops it, and nothing is shown.
  for (const meta of shown.querySelectorAll('meta[http-equiv]')) meta.remove()
  document.replaceChild(shown, document.documentElement)
})
