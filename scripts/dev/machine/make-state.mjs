// make-state.mjs boots the machine, lets it use what a learner will, and saves
// its memory.
// Usage: NODE_PATH=… node make-state.mjs BIOS KERNEL FILES STATE
// build.sh calls it.
import fs from "node:fs"
import { start } from "./machine.mjs"

const [bios, kernel, files, state] = process.argv.slice(2)
const { emulator, terminals: [first, second, third], line } = await start({ bios, kernel, files })
let log = ""
first.screen = text => { log += text }
const limit = setInterval(() => {
  if (performance.now() < 300000) return // by the machine's clock
  console.error(`the machine has not started; its terminal says\n${log}`)
  process.exit(1)
}, 1000)

const begin = Date.now()
const note = what => console.error(`  ${((Date.now() - begin) / 1000).toFixed(1)} s: ${what}`)
await first.ready(120000)
note("it has started")

// must runs a command, and wants it to succeed.
const must = async command => {
  const said = await first.run(`${command}; echo "status $?"`)
  if (!said.endsWith("status 0")) throw new Error(`${command}\n${said}`)
}
// Each lesson once, so that what it needs is in memory, and translated by the
// page as little as possible. None may fail.
for (const command of ["sudo bin/01-pid true", "sudo bin/02-mount ps ax", "sudo bin/03-uts hostname",
  "sudo bin/04-ipc ipcs", "sudo bin/05-net ip -brief address", "bin/06-user id",
  "bin/07-pivot-root -net=lo ls /", "bin/08-cgroups -net=lo true", "lsns >/dev/null"]) await must(command)
note("all lessons have run")
// What is free is written full of zeros, which cost nothing to keep. The pages
// of files that were read belong to the files: there is nothing else to drop.
await must("rm -rf ~/.cache work; sudo sh -c 'echo 3 >/proc/sys/vm/drop_caches'")
await must("sudo sh -c 'mount -t tmpfs -o size=100% zeros /mnt; dd if=/dev/zero of=/mnt/zeros bs=1M " +
  "count=$(($(awk \"/MemFree/ { print \\$2 }\" /proc/meminfo) / 1024 - 8)) 2>/dev/null; " +
  "umount /mnt'")
await must("sudo sh -c 'echo 3 >/proc/sys/vm/drop_caches'")
note("its free memory is zeros")
// A shell that has just begun, at each terminal.
for (const terminal of [first, second, third]) {
  await terminal.ready()
  terminal.text = ""
  terminal.write("exit\n")
  await terminal.ready()
}
await line.ask("size 1 24 80")
await new Promise(done => setTimeout(done, 500)) // all of them wait now
await emulator.stop()
fs.writeFileSync(state, Buffer.from(await emulator.save_state()))
note("its memory is saved")
clearInterval(limit)
process.exit(0)
