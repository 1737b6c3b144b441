import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { get } from '../../api.ts'
import { after } from '../../system.ts'
import type { LiveAnswer } from './wire.ts'

export type Live = { state: 'live' | 'waiting' | 'paused'; value: LiveAnswer | null }

/** The wait before another stream is asked for, where the server refused one. */
const againMs = 10_000

/** Follows what happens now while the page is visible; a stream that ends is opened again. */
export function useLive(): Live {
  const live = useSignal<Live>({ state: 'waiting', value: null })
  useEffect(() => {
    let source: EventSource | null = null
    let cancelAgain = () => {}

    const take = ({ data }: MessageEvent<string>) => {
      const told: Partial<LiveAnswer> = JSON.parse(data)
      const value = { ...live.value.value, ...told } as LiveAnswer
      live.value = { state: 'live', value }
    }
    const close = (state: Live['state']) => {
      cancelAgain()
      source?.close()
      source = null
      live.value = { ...live.value, state }
    }
    const open = () => {
      if (document.visibilityState !== 'visible') return
      source = new EventSource('/v1/live')
      source.addEventListener('snapshot', take)
      source.addEventListener('change', take)
      source.addEventListener('error', () => {
        live.value = { ...live.value, state: 'waiting' }
        // A browser tries again by itself, but not after a refusal; that of a session that is over
        // leads to the sign-in.
        if (source?.readyState !== EventSource.CLOSED) return
        close('waiting')
        get('/v1/alarms?limit=1').catch(() => {})
        cancelAgain = after(againMs, open)
      })
    }
    const follow = () => {
      if (document.visibilityState === 'hidden') close('paused')
      else if (source === null) open()
    }
    open()
    document.addEventListener('visibilitychange', follow)
    return () => {
      document.removeEventListener('visibilitychange', follow)
      close('waiting')
    }
  }, [live])
  return live.value
}
