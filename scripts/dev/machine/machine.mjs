// machine.mjs starts the machine in Node: to make its state, and to test it.
// The page does the same in panel.js; what both need is in typist.js.
import fs from "node:fs"
import path from "node:path"
import { createRequire } from "node:module"

const require = createRequire(import.meta.url)
export const { Typist } = require("./typist.js")

// The machine's clock stands still while other processes have the processor: what
// gets 20 s in the machine gets them on a busy computer, too.
const wall = performance.now.bind(performance)
const used = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000 }
let clock = 0, waits = 0, before = [wall(), used()]
performance.now = () => {
  // The machine asks all the time, and what was used is not asked for free.
  const passed = wall() - before[0]
  if (passed < 0.1) return clock
  const now = [wall(), used()]
  clock += Math.min(now[0] - before[0], now[1] - before[1] + waits)
  before = now
  waits = 0
  return clock
}

// NODE_PATH has the directory in which npm.sh has installed it.
const package_dir = path.join(process.env.NODE_PATH, "v86", "build")
const { V86 } = await import(path.join(package_dir, "libv86.mjs"))

export const lines = 4 // serial ones: three terminals, and the page's own

// start starts it: from a state, or with the image and the files to boot.
export async function start({ state, kernel, files, bios }) {
  const buffer = name => {
    const bytes = fs.readFileSync(name)
    return { buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) }
  }
  const emulator = new V86({
    wasm_path: path.join(package_dir, "v86.wasm"),
    memory_size: 256 << 20,
    vga_memory_size: 1 << 20,
    net_device: { type: "none" },
    uart1: true, uart2: true, uart3: true,
    disable_speaker: true,
    autostart: true,
    ...state ? { initial_state: buffer(state) } : {
      bios: buffer(bios), bzimage: buffer(kernel), initrd: buffer(files),
      // What is free is zero, and costs nothing to keep.
      cmdline: "console=ttyS0 tsc=reliable init_on_free=1 quiet",
    },
  })
  emulator.add_listener("emulator-ready", () => {
    const rest = emulator.v86.yield
    emulator.v86.yield = function (ms, tick) {
      waits += Math.max(0, ms)
      return rest.call(this, ms, tick)
    }
  })
  const typists = []
  for (let n = 0; n < lines; n++) {
    const typist = new Typist(text => emulator.serial_send_bytes(n, text))
    emulator.add_listener(`serial${n}-output-byte`, byte => typist.take(byte))
    typists.push(typist)
  }
  if (state) await new Promise(done => emulator.add_listener("emulator-loaded", done))
  return { emulator, terminals: typists.slice(0, 3), line: typists[3] }
}
