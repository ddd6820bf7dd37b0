// A devp2p node on @ethereumjs/devp2p. It serves and drives bench/1 and echo/1 for peermux's
// interop tests; ../README.md describes its command line and output.

import { parseArgs } from 'node:util'

import { drive } from './drive.mjs'
import { log } from './events.mjs'
import { packets } from './packets.mjs'
import { serve } from './serve.mjs'

const USAGE = `usage: main.mjs serve [--max-peers N] [--caps LIST] [--key HEX]
       main.mjs drive --enode URL --mode sink|source|echo|hold|handshake [--size N] [--count N]
                      [--warm-up N] [--concurrency N] [--protocol bench|echo] [--caps LIST]
                      [--key HEX] [--timeout SECONDS]
       main.mjs packets`

const shared = { caps: { type: 'string', default: 'bench/1,echo/1' }, key: { type: 'string' } }
const OPTIONS = {
  packets: {},
  serve: { ...shared, 'max-peers': { type: 'string', default: '50' } },
  drive: {
    ...shared,
    enode: { type: 'string' },
    mode: { type: 'string', default: 'echo' },
    protocol: { type: 'string', default: 'bench' },
    size: { type: 'string', default: '1024' },
    count: { type: 'string', default: '100' },
    'warm-up': { type: 'string', default: '0' },
    concurrency: { type: 'string', default: '1' },
    timeout: { type: 'string', default: '60' },
  },
}

const [command, ...args] = process.argv.slice(2)
if (!Object.hasOwn(OPTIONS, command ?? '')) {
  log(USAGE)
  process.exit(2)
}
const { values } = parseArgs({ args, options: OPTIONS[command] })
const stopped = new Promise((resolve) => {
  process.once('SIGTERM', resolve)
  process.once('SIGINT', resolve)
  if (values.mode === 'hold') process.stdin.resume().once('end', resolve)
})
const commands = { serve, drive, packets }
process.exit(await commands[command](values, stopped))
