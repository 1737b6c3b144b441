import { join } from 'node:path'

/** The system calls that change a name on the disk. */
const calls = 'rename,renameat,renameat2,link,linkat,unlink,unlinkat'
const script = join(import.meta.dir, 'one-step.ts')

/** What strace says of a thread that the kill has ended while strace was about to continue it. */
const endedMeanwhile =
  /^strace: ptrace\(\w+,pid:\d+,[^\n]*\): (Input\/output error|No such process)\n$/

/**
 * Runs a step in a process that is killed just before its nth change of a name; false when the step
 * ended with fewer changes.
 */
export async function killedAt(nth: number, ...step: string[]): Promise<boolean> {
  const trace = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`]
  const inject = ['-e', `inject=${calls}:error=EINTR:signal=SIGKILL:when=${nth}`]
  const command = ['strace', ...trace, ...inject, process.execPath, script, ...step]
  const run = Bun.spawn(command, { stdout: 'ignore', stderr: 'pipe' })
  const said = await new Response(run.stderr).text()
  const code = await run.exited
  if (code !== 0 && said !== '' && !endedMeanwhile.test(said)) throw new Error(said)
  return code !== 0
}
