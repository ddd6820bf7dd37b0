// One connection to a node.

import { once } from 'node:events'
import net from 'node:net'

import { Peer } from '@ethereumjs/devp2p'

import { log } from './events.mjs'
import { capabilities, CLIENT, identity, parseEnode } from './identity.mjs'

export const CONNECT_TIMEOUT_MS = 10_000

/**
 * Opens a socket to a node and starts the handshake on it. `connected` and `closed` are promises of the
 * peer's coming up and of the socket's end. It makes the package's Peer itself, since its RLPx tells nothing
 * of a connection that the remote refuses.
 */
export async function dial(options, own = identity(options.key)) {
  const target = parseEnode(options.enode)
  const { privateKey, publicKey } = own
  const socket = net.connect(target.port, target.host)
  await once(socket, 'connect')
  // See serve.mjs: header and body are written separately.
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
  const connected = new Promise((resolve) => peer.events.once('connect', resolve))
  return { peer, connected, closed: once(socket, 'close') }
}
