// The dialling side: one connection, one mode, one result.

import { once } from 'node:events'
import net from 'node:net'

import { DISCONNECT_REASON, Peer } from '@ethereumjs/devp2p'

import { emit, log, peerAdd, peerDrop } from './events.mjs'
import { capabilities, CLIENT, identity, parseEnode } from './identity.mjs'
import { Gone } from './subprotocol.mjs'

const CONNECT_TIMEOUT_MS = 10_000

/** Returns the exit code. */
export async function drive(options, stopped) {
  const { mode, protocol } = options
  const job = { mode, protocol, size: Number(options.size), count: Number(options.count) }
  let peer, closed
  try {
    ;({ peer, closed } = await connect(options))
  } catch (error) {
    return report(job, error, performance.now())
  }
  const refused = !peer._connected
  if (mode === 'hold') {
    await Promise.race([closed, stopped])
  }
  const begin = performance.now()
  let error
  if (refused) error = new Error(`refused with reason ${peer._disconnectReason}`)
  else if (mode !== 'hold') error = await runMode(peer, closed, stopped, job, Number(options.timeout))
  if (error instanceof Gone) await closed
  const code = report(job, error, begin)
  peer.disconnect(DISCONNECT_REASON.CLIENT_QUITTING)
  await closed
  return mode === 'hold' && peer._disconnectReason !== undefined ? 0 : code
}

/** Prints the result, if the mode has one, and returns the exit code. */
function report(job, error, begin) {
  const seconds = (performance.now() - begin) / 1000
  if (job.mode !== 'hold') emit({ event: 'result', ok: !error, error: error?.message, ...job, seconds })
  return error ? 1 : 0
}

/**
 * Dials and resolves once the peer is up or has ended. It makes the package's Peer itself, since its RLPx
 * tells nothing of a connection that the remote refuses.
 */
async function connect(options) {
  const target = parseEnode(options.enode)
  const { privateKey, publicKey } = identity(options.key)
  const socket = net.connect(target.port, target.host)
  try {
    await once(socket, 'connect')
  } catch (error) {
    peerDrop(target.publicKey, undefined, null, error.message)
    throw error
  }
  // See serve.mjs: header and body go out apart.
  socket.setNoDelay(true)
  const peer = new Peer({
    socket,
    privateKey,
    id: publicKey,
    remoteId: target.publicKey,
    clientId: CLIENT,
    capabilities: capabilities(options.caps),
    port: null,
    timeout: CONNECT_TIMEOUT_MS,
  })
  peer.events.on('error', (error) => log(`peer: ${error.message}`))
  const connected = new Promise((resolve) => {
    peer.events.once('connect', () => {
      peerAdd(peer)
      resolve()
    })
  })
  const closed = once(socket, 'close').then(() => peerDrop(target.publicKey, peer._disconnectReason, peer._disconnectWe))
  const timer = setTimeout(() => socket.destroy(), CONNECT_TIMEOUT_MS)
  await Promise.race([connected, closed])
  clearTimeout(timer)
  return { peer, closed }
}

/** Runs a mode until it is done, the connection ends or the time is up; resolves to the error, if any. */
async function runMode(peer, closed, stopped, { mode, protocol, size, count }, seconds) {
  const driver = peer.getProtocols().find((candidate) => candidate.label === `${protocol}/1`)
  if (driver === undefined) return new Error(`${protocol}/1 was not matched`)
  let timer
  try {
    await Promise.race([
      driver.drive(mode, size, count),
      closed.then(() => Promise.reject(new Gone())),
      stopped.then(() => Promise.reject(new Error('interrupted'))),
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not done within ${seconds} s`)), seconds * 1000)
      }),
    ])
  } catch (error) {
    return error
  } finally {
    clearTimeout(timer)
  }
}
