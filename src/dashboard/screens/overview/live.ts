import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { get } from '../../api.ts'
import { after } from '../../system.ts'
import type { LiveAnswer } from './wire.ts'

export type Live = {
  state: 'live' | 'waiting' | 'paused'
  value: LiveAnswer | null
  /** How many streams have begun: from the second one on there may be more news than this shows. */
  round: number
}

/** The first wait before another stream is asked for, and the longest; each doubles the one before. */
const firstWaitMs = 1_000
const longestWaitMs = 30_000

/** Follows what happens now while the page is visible; a stream that ends is opened again. */
export function useLive(): Live {
  const live = useSignal<Live>({ state: 'waiting', value: null, round: 0 })
  useEffect(() => {
    let source: EventSource | null = null
    let cancelAgain = () => {}
    let waitMs = firstWaitMs

    const take = (told: Partial<LiveAnswer>, round: number) => {
      const value = { ...live.value.value, ...told } as LiveAnswer
      live.value = { state: 'live', value, round }
    }
    const close = (state: Live['state']) => {
      cancelAgain()
      source?.close()
      source = null
      live.value = { ...live.value, state }
    }
    const fail = () => {
      const isRefused = source?.readyState === EventSource.CLOSED
      close('waiting')
      // A refusal may be that of a session that is over, which leads to the sign-in.
      if (isRefused) get('/v1/alarms?limit=1').catch(() => {})
      cancelAgain = after(waitMs, open)
      waitMs = Math.min(waitMs * 2, longestWaitMs)
    }
    const open = () => {
      if (document.visibilityState !== 'visible') return
      source = new EventSource('/v1/live')
      source.addEventListener('snapshot', ({ data }) => {
        waitMs = firstWaitMs
        take(JSON.parse(data), live.value.round + 1)
      })
      source.addEventListener('change', ({ data }) => take(JSON.parse(data), live.value.round))
      // A browser would try again by itself, at the same pace for ever, and not after a refusal.
      source.addEventListener('error', fail)
    }
    const follow = () => {
      if (document.visibilityState === 'hidden') close('paused')
      else if (source === null) {
        cancelAgain()
        open()
      }
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
