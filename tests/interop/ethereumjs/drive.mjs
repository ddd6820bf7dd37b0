// The dialling side: one connection, one mode, one result.

import { DISCONNECT_REASON } from '@ethereumjs/devp2p'

import { CONNECT_TIMEOUT_MS, dial } from './dial.mjs'
import { emit, peerAdd, peerDrop } from './events.mjs'
import { handshakes } from './handshakes.mjs'
import { identity, parseEnode } from './identity.mjs'
import { Gone } from './subprotocol.mjs'

/** Returns the exit code. */
export async function drive(options, stopped) {
  const { mode, protocol } = options
  const job = { mode, protocol, size: Number(options.size), count: Number(options.count) }
  if (mode === 'handshake') {
    // A node has its key from the start, so the keys are made before the measurement.
    const identities = Array.from({ length: job.count }, () => identity())
    return measure(job, () => handshakes(options, identities, Number(options.concurrency)))
  }
  let peer, closed
  try {
    ;({ peer, closed } = await connect(options))
  } catch (error) {
    return measure(job, () => Promise.reject(error))
  }
  const refused = !peer._connected
  const run = (count) => {
    if (refused) throw new Error(`refused with reason ${peer._disconnectReason}`)
    return runMode(peer, closed, stopped, { ...job, count }, Number(options.timeout))
  }
  let code = refused ? 1 : 0
  if (mode === 'hold') {
    await Promise.race([closed, stopped])
  } else {
    if (!refused && Number(options['warm-up']) > 0) await run(Number(options['warm-up']))
    code = await measure(job, async () => {
      try {
        return await run(job.count)
      } catch (error) {
        if (error instanceof Gone) await closed
        throw error
      }
    })
  }
  peer.disconnect(DISCONNECT_REASON.CLIENT_QUITTING)
  await closed
  return mode === 'hold' && peer._disconnectReason !== undefined ? 0 : code
}

/** Runs a mode on the clock, prints its result unless it has none, and returns the exit code. */
async function measure(job, run) {
  const begin = performance.now()
  const cpu = process.cpuUsage()
  let took, error
  try {
    took = await run()
  } catch (failure) {
    error = failure
  }
  const seconds = (performance.now() - begin) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const result = { ok: !error, error: error?.message, ...job, seconds, cpu_seconds: (user + system) / 1e6 }
  if (job.mode !== 'hold') emit({ event: 'result', ...result, ...percentiles(took) })
  return error ? 1 : 0
}

/** What 50, 99 and 99.9 % of the round trips did not exceed, in microseconds. */
function percentiles(took) {
  if (!took?.length) return {}
  const sorted = Float64Array.from(took).sort()
  const at = (part) => sorted[Math.round(part * (sorted.length - 1))] * 1000
  return { p50_us: at(0.5), p99_us: at(0.99), p999_us: at(0.999) }
}

/** Dials and resolves once the peer is up or has ended. */
async function connect(options) {
  const remote = parseEnode(options.enode).publicKey
  let dialled
  try {
    dialled = await dial(options)
  } catch (error) {
    peerDrop(remote, undefined, null, error.message)
    throw error
  }
  const { peer } = dialled
  const connected = dialled.connected.then(() => peerAdd(peer))
  const closed = dialled.closed.then(() => peerDrop(remote, peer._disconnectReason, peer._disconnectWe))
  const timer = setTimeout(() => peer._socket.destroy(), CONNECT_TIMEOUT_MS)
  await Promise.race([connected, closed])
  clearTimeout(timer)
  return { peer, closed }
}

/**
 * Runs a mode until it is done, the connection ends or the time is up; resolves to the milliseconds of each
 * round trip, if there were any.
 */
async function runMode(peer, closed, stopped, { mode, protocol, size, count }, seconds) {
  const driver = peer.getProtocols().find((candidate) => candidate.label === `${protocol}/1`)
  if (driver === undefined) throw new Error(`${protocol}/1 was not matched`)
  let timer
  try {
    return await Promise.race([
      driver.drive(mode, size, count),
      closed.then(() => Promise.reject(new Gone())),
      stopped.then(() => Promise.reject(new Error('interrupted'))),
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not done within ${seconds} s`)), seconds * 1000)
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}
