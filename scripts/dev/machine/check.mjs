// check.mjs uses the machine in Node as a learner would: the tour, the checks of
// all lessons, a breakage, what the demonstrations need.
// Usage: NODE_PATH=… node check.mjs STATE REPOSITORY
// site.sh --machine --check calls it. Two machines run beside each other.
import assert from "node:assert/strict"
import fs from "node:fs"
import path from "node:path"
import { start } from "./machine.mjs"

const [state, repo] = process.argv.slice(2)
const lessons = fs.readdirSync(repo).filter(name => /^0\d-/.test(name)).sort()
// Alone it takes seconds; beside all other tests some minutes.
const patience = 300000
let passed = 0, failed = 0

// ask starts a machine, and runs commands in it until it has run all of them.
async function machine(name, tests) {
  const { emulator, terminals: [first, second, third], line } = await start({ state: path.join(state, "state") })
  for (const terminal of [first, second, third]) terminal.write("\x0c")
  for (const [what, test] of Object.entries(tests)) {
    const begin = Date.now()
    try {
      await test(command => first.run(command, patience), { first, second, third, line })
      passed++
      console.log(`ok    ${what}, ${((Date.now() - begin) / 1000).toFixed(1)} s`)
    } catch (error) {
      failed++
      console.log(`FAIL  ${what}: ${error.message}`)
      first.write("\x03") // what it has left running
      await first.ready(10000)
    }
  }
  await emulator.destroy()
}

// The launcher as the text has it: root's up to lesson 05.
const launcher = lesson => (lesson < "06" ? "sudo " : "") + "bin/" + lesson

const checks = {}
for (const lesson of lessons) {
  checks["check.sh " + lesson] = async run => {
    const said = await run(`scripts/check.sh ${lesson.slice(0, 2)} -- ${launcher(lesson)}`)
    const [, hold, all] = said.match(/: (\d+) of (\d+) points hold/) ?? []
    assert.ok(Number(all) > 15, said.slice(-800))
    assert.doesNotMatch(said, /^not ok/m)
    assert.ok(hold === all || /not tried$/m.test(said), said.slice(-800))
  }
}

await Promise.all([
  machine("checks", checks),
  machine("tour", {
    "tour.sh": async run => {
      const said = await run("scripts/tour.sh")
      assert.equal(said.match(/^0\d-\S+ .* ok$/mg)?.length, lessons.length, said.slice(-1500))
    },
    "the user, the host and its namespaces": async run => {
      assert.equal(await run("id -un; hostname; uname -s; ps -o args= 1; cat /proc/1/comm"),
        "guest\nhotel\nLinux\n/sbin/init\nbash".replace("bash", "dash"))
      assert.equal(await run("readlink /proc/self/ns/{uts,pid,user,ipc}"),
        "uts:[4026531838]\npid:[4026531836]\nuser:[4026531837]\nipc:[4026531839]")
      assert.match(await run("findmnt -no PROPAGATION /"), /^shared/)
      assert.equal(await run("sudo id -un"), "root")
    },
    "Ctrl+C, Tab and a full-screen program": async (run, { first }) => {
      first.write("sleep 1000\n")
      await new Promise(done => setTimeout(done, 1000))
      first.write("\x03")
      assert.ok(await first.ready(10000), "Ctrl+C does not end sleep")
      assert.equal(await run("ec\tho $((6 * 7))"), "42")
      first.text = ""
      first.write("less README.md\n")
      while (!first.text.includes("README.md\x1b[")) await new Promise(done => setTimeout(done, 50))
      first.write("q")
      assert.ok(await first.ready(10000), "less does not end")
    },
    "three terminals, one kernel": async (run, { second, third }) => {
      const names = [await run("tty"), await second.run("tty"), await third.run("tty")]
      assert.deepEqual(names, ["/dev/ttyS0", "/dev/ttyS1", "/dev/ttyS2"])
      await run("echo from the first >/tmp/note")
      assert.equal(await third.run("cat /tmp/note"), "from the first")
    },
    "the page's own line": async (run, { line }) => {
      await line.ask("size 1 33 101")
      assert.equal(await run("stty size"), "33 101")
      await line.ask("date 1900000000")
      assert.match(await run("date -u +%Y-%m-%d"), /^2030-03-17$/)
    },
    "break.sh without Go": async run => {
      const said = await run("scripts/break.sh 03 1")
      assert.match(said, /as predicted: the check fails$/)
      const needs = await run("scripts/break.sh 01 1 >/dev/null && scripts/start.sh 01 && scripts/check.sh 01")
      assert.match(needs, /there is no go on this machine\n.*go\.dev/)
    },
    "all breakages are there": async run => {
      const patches = lessons.flatMap(lesson => fs.readdirSync(path.join(repo, lesson, "breaks"))
        .filter(name => name.endsWith(".patch")).map(name => `${lesson}-${name.split("-")[0]}`)).sort()
      assert.deepEqual((await run("ls -1 bin/prebuilt")).split("\n"), patches)
    },
    "the demonstration of lesson 04": async run => {
      const said = await run("scripts/04-ipc.sh </dev/null; echo status $?")
      assert.match(said, /status 0$/, said.slice(-800))
    },
    "a fork bomb and a memory hog inside leave the machine usable": async run => {
      assert.match(await run("bin/08-cgroups -net=lo -pids 20 sh -c 'while sleep 9 & do :; done'; echo status $?"), /temporarily unavailable[^]*status/)
      assert.match(await run("bin/08-cgroups -net=lo -memory 32M tail /dev/zero; echo status $?"), /status 137$/)
    },
  }),
])
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed || !passed ? 1 : 0)
