// serve.mjs starts the machine for the tests of the texts: descriptors 3 to 5
// are its terminals, 6 is the page's own line.
// Usage: NODE_PATH=… node serve.mjs STATE
// internal/texts calls it. It ends with its stdin.
import net from "node:net"
import path from "node:path"
import { start } from "./machine.mjs"

const { emulator } = await start({ state: path.join(process.argv[2], "state") })
for (let n = 0; n < 4; n++) {
  const socket = new net.Socket({ fd: 3 + n })
  let bytes = []
  emulator.add_listener(`serial${n}-output-byte`, byte => {
    if (bytes.push(byte) === 1) setImmediate(() => { socket.write(Buffer.from(bytes)); bytes = [] })
  })
  socket.on("data", data => emulator.serial_send_bytes(n, data))
  socket.on("error", () => {})
}
process.stdin.resume().on("end", () => process.exit(0))
