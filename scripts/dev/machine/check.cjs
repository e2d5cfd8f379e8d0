// check.cjs uses the machine in a page, in a browser that has no network.
// Usage: NODE_PATH=… CHROME_PATH=… node check.cjs SITE [PICTURES]
//   PICTURES  a directory for pictures of the page
// site.sh --machine --check calls it.
"use strict"

const assert = require("node:assert/strict")
const fs = require("node:fs")
const os = require("node:os")
const path = require("node:path")
const { pathToFileURL } = require("node:url")
const puppeteer = require("puppeteer-core")

const site = path.resolve(process.argv[2])
const pictures = process.argv[3]
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8")
const mega = 1e6
const sizes = [[1400, 900], [820, 1180], [390, 844]]

let browser, failed = 0

async function test(name, run) {
  const start = Date.now()
  try {
    const said = await run()
    console.log(`ok    ${name}${said ? ": " + said : ""}, ${((Date.now() - start) / 1000).toFixed(1)} s`)
  } catch (error) {
    failed++
    console.log(`FAIL  ${name}: ${error.message}`)
  }
}

async function open(name, { dir = site, before } = {}) {
  const page = await browser.newPage()
  page.problems = []
  page.on("pageerror", error => page.problems.push(error.message))
  page.on("request", request => {
    if (!/^(file|data|blob):/.test(request.url())) page.problems.push("request: " + request.url())
  })
  await page.setViewport({ width: 1400, height: 900 })
  if (before) await page.evaluateOnNewDocument(before)
  await page.goto(pathToFileURL(path.join(dir, name)).href)
  return page
}

const picture = (page, name) => pictures && page.screenshot({ path: path.join(pictures, `machine-${name}.png`) })

const says = page => page.$eval(".machine-says", e => e.textContent)

async function started(page) {
  await page.waitForSelector("#machine[data-ready], .machine-says.failed", { timeout: 120000 })
  assert.match(await says(page), /^Ready/)
  return Number(await page.$eval("#machine", e => e.dataset.ready))
}

// typed waits until the block is typed, and returns the text of its note.
async function typed(page, figure) {
  await figure.$eval(".machine-type", e => e.click())
  await page.waitForFunction(e => !e.querySelector(".machine-type").disabled, { timeout: 600000 }, figure)
  return figure.$eval("p.machine-note", e => e.textContent)
}

// run presses keys in the terminal that has the focus: text, or the name of a key.
// It returns what the machine says up to the next prompt.
async function run(page, n, ...keys) {
  await page.evaluate(n => {
    const typist = machineInPage.machine.lines[n]
    return typist.ready().then(() => { typist.text = "" })
  }, n)
  for (const key of keys) {
    if (/^[A-Z][a-z]+$/.test(key)) await page.keyboard.press(key)
    else await page.keyboard.type(key)
  }
  await page.keyboard.press("Enter")
  return page.evaluate(async n => {
    const typist = machineInPage.machine.lines[n]
    while (!typist.text.includes("\n")) await new Promise(done => setTimeout(done, 20))
    await typist.ready()
    return typist.text.replace(/\x1b\][^\x07]*\x07|\x1b\[[0-9;?]*[a-zA-Z]/g, "").replace(/\r/g, "")
      .split("\n").slice(1, -1).join("\n")
  }, n)
}

// printed waits until a terminal has printed something.
const printed = (page, n, text) => page.waitForFunction((n, text) =>
  machineInPage.machine.lines[n].text.includes(text), { timeout: 60000 }, n, text)

// renderer returns what the process of the page has and has used.
function renderer() {
  const all = fs.readdirSync("/proc").filter(pid => /^\d+$/.test(pid)).map(pid => {
    try {
      if (!fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--type=renderer")) return null
      const status = fs.readFileSync(`/proc/${pid}/status`, "utf8")
      const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /, "").split(" ")
      const field = name => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)[1]) * 1024 / mega
      return { all: field("VmRSS"), own: field("RssAnon") + field("RssShmem"), cpu: (Number(stat[11]) + Number(stat[12])) / 100 }
    } catch { return null }
  }).filter(Boolean)
  return all.sort((a, b) => b.own - a.own)[0]
}

const focusOn = (page, n) => page.evaluate(n =>
  document.querySelectorAll("#machine .machine-screens section")[n].contains(document.activeElement), n)

// without makes a copy of the site in which files of the machine differ.
function without(change) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "nsl.page-"))
  for (const name of fs.readdirSync(site)) if (name !== "machine") fs.symlinkSync(path.join(site, name), path.join(dir, name))
  // A page that is a link is where the link leads.
  fs.rmSync(path.join(dir, "03-uts.html"))
  fs.copyFileSync(path.join(site, "03-uts.html"), path.join(dir, "03-uts.html"))
  fs.mkdirSync(path.join(dir, "machine"))
  for (const name of fs.readdirSync(path.join(site, "machine"))) {
    const from = path.join(site, "machine", name), to = path.join(dir, "machine", name)
    const text = change(name, () => fs.readFileSync(from, "utf8"))
    if (text === undefined) fs.copyFileSync(from, to)
    else if (text !== null) fs.writeFileSync(to, text)
  }
  return dir
}

async function refuses(what, sentence, { before, change = () => undefined }) {
  await test(what, async () => {
    const dir = without(change)
    try {
      const page = await open("03-uts.html", { dir, before })
      await page.click(".machine-open")
      await page.waitForSelector(".machine-says.failed", { timeout: 60000 })
      assert.match(await says(page), sentence)
      assert.ok(await page.$eval("article", e => e.innerText.length) > 2000, "the text is gone")
      assert.equal(await page.$eval(".machine-start", e => e.hidden || e.disabled), false)
      await page.close()
    } finally {
      fs.rmSync(dir, { recursive: true })
    }
  })
}

async function main() {
  browser = await puppeteer.launch({
    executablePath: process.env.CHROME_PATH,
    protocolTimeout: 600000,
    args: ["--host-resolver-rules=MAP * ~NOTFOUND", "--disable-gpu", "--disable-dev-shm-usage",
      ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
  })

  await test("sizes", () => {
    const size = name => fs.statSync(path.join(site, "machine", name)).size
    const all = fs.readdirSync(path.join(site, "machine")).filter(name => fs.statSync(path.join(site, "machine", name)).isFile())
    const sum = all.reduce((n, name) => n + size(name), 0)
    const state = all.filter(name => name.startsWith("state-")).reduce((n, name) => n + size(name), 0)
    assert.ok(state > 5 * mega, "there is no state")
    assert.ok(sum < 20 * mega, `the folder has ${sum / mega} MB`)
    assert.ok(state * 3 / 4 < 12 * mega, `the state has ${state * 3 / 4 / mega} MB`)
    return `folder ${(sum / mega).toFixed(1)} MB, state ${(state * 3 / 4 / mega).toFixed(1)} MB`
  })

  const page = await open("03-uts.html")
  await test("from the click to a prompt", async () => {
    assert.equal(await page.$("#machine:not([hidden])"), null, "the panel is open before anybody asks")
    const before = renderer().cpu
    await page.click(".machine-open")
    const ms = await started(page), cpu = renderer().cpu - before
    assert.ok(await focusOn(page, 0), "the first terminal has no focus")
    return `${ms} ms, ${cpu.toFixed(1)} s of CPU`
  })

  await test("lesson 03, all that the text types, at both terminals", async () => {
    // Blocks that the tests in Node leave out are left out here, too.
    const table = fs.readFileSync(path.join(__dirname, "differs.tsv"), "utf8").split("\n").map(line => line.split("\t"))
    const left = table.filter(row => row[0] === "03-uts/README.md").map(row => row[1])
    const figures = []
    for (const figure of await page.$$("article figure.console:not([data-not-run])")) {
      if (!left.includes(await figure.$eval("kbd", e => e.textContent))) figures.push(figure)
    }
    assert.ok(figures.length > 5)
    const second = await page.$$("figure.console[data-terminal='2']")
    assert.ok(second.length > 0)
    const ticks = (of = page) => of.$$eval(".machine-step", all => all.map(e => e.textContent[0]).join(""))
    assert.equal(await ticks(), "○○○")
    let without = 0
    for (const figure of figures) {
      assert.match(await ticks(figure), /^○*$/, "ticked too early")
      const note = await typed(page, figure)
      assert.match(await ticks(figure), /^✓*$/)
      assert.equal(note, "", await figure.$eval("code", e => e.innerText.slice(0, 80)))
      await figure.$eval(".machine-beside", e => e.click())
      const verdict = await figure.$eval(".machine-compare > p", e => e.textContent)
      if (/^All came/.test(verdict)) continue
      without++
      console.log("      " + await figure.$eval(".machine-compare", e => e.textContent.replace(/\n+/g, " | ").slice(0, 2500)))
    }
    assert.equal(without, 0, `${without} blocks came otherwise`)
    assert.equal(await ticks(), "✓✓✓")
    return `${figures.length} blocks`
  })

  await test("lsns at both terminals, by keyboard", async () => {
    await page.focus("#machine section:nth-of-type(1) textarea")
    await run(page, 0, "sudo bin/03-uts")
    const inside = await run(page, 0, "lsns -n -o TYPE,NS -p $$ | sort")
    await page.keyboard.press("F6")
    assert.ok(await focusOn(page, 1), "F6 does not lead to the second terminal")
    const outside = await run(page, 1, "lsns -n -o TYPE,NS -p $$ | sort")
    const rows = text => new Map(text.trim().split("\n").map(line => line.trim().split(/\s+/)))
    const a = rows(inside), b = rows(outside)
    assert.equal(a.size, 8, inside)
    assert.deepEqual([...a.keys()], [...b.keys()])
    assert.deepEqual([...a.keys()].filter(type => a.get(type) !== b.get(type)).sort(), ["mnt", "pid", "uts"])
    await page.keyboard.press("F6")
    assert.ok(await page.evaluate(() => !document.querySelector("#machine").contains(document.activeElement)),
      "F6 does not lead back to the text")
    await page.focus("#machine section:nth-of-type(1) textarea")
    await run(page, 0, "exit")
  })

  await test("keys, paste, a full-screen program, another size", async () => {
    await page.focus("#machine section:nth-of-type(1) textarea")
    assert.equal(await run(page, 0, "hostna", "Tab"), "hotel")
    await page.evaluate(() => {
      const clipboardData = new DataTransfer()
      clipboardData.setData("text/plain", "echo pasted")
      document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }))
    })
    await page.keyboard.press("Enter")
    await printed(page, 0, "\rpasted")
    const typist = line => page.evaluate(line => machineInPage.machine.lines[0].run(line, 20000), line)
    assert.equal(await typist("echo one \\\n  two"), "one two")
    await typist("sudo chroot rootfs sh") // asks the terminal where its cursor is
    await typist("exit")
    await page.keyboard.type("less README.md\n")
    await printed(page, 0, "Linux")
    await page.keyboard.type("q")
    await page.evaluate(() => machineInPage.machine.lines[0].ready())
    // Until the shell has brought it to the foreground, Ctrl-C does not reach it.
    await page.keyboard.type("sh -c 'echo sleeping; sleep 1000'\n")
    await printed(page, 0, "sleeping\r\n")
    await page.keyboard.down("Control")
    await page.keyboard.press("c")
    await page.keyboard.up("Control")
    const [rows, columns] = (await run(page, 0, "stty size")).split(" ")
    assert.ok(rows > 10 && columns > 60, `${rows} rows, ${columns} columns`)
    await page.setViewport({ width: 1200, height: 700 })
    let fewer = rows, narrower
    for (let i = 0; i < 100 && fewer === rows; i++) {
      await page.evaluate(() => new Promise(done => setTimeout(done, 300)))
      ;[fewer, narrower] = (await run(page, 0, "stty size")).split(" ")
    }
    assert.ok(Number(fewer) < Number(rows) && Number(narrower) < Number(columns), `${fewer} ${narrower}`)
    await page.setViewport({ width: 1400, height: 900 })
  })

  await test("a block out of turn says what to do", async () => {
    const figure = (await page.$$("article figure.console")).at(-1)
    await page.evaluate(() => machineInPage.machine.lines[0].run("sudo bash --norc"))
    const first = await page.$("article figure.console")
    assert.match(await typed(page, first), /type the blocks before this one first|exit/)
    await page.evaluate(() => machineInPage.machine.lines[0].run("exit"))
    assert.ok(figure)
  })

  await test("warm, idle, in memory", async () => {
    await page.focus("#machine section:nth-of-type(1) textarea")
    const times = []
    for (let i = 0; i < 5; i++) {
      const begin = Date.now()
      await page.evaluate(() => machineInPage.machine.lines[0].run("sudo bin/03-uts true"))
      times.push(Date.now() - begin)
    }
    await page.evaluate(() => new Promise(done => setTimeout(done, 1000)))
    await page.evaluate(() => machineInPage.machine.looking)
    const before = renderer()
    await new Promise(done => setTimeout(done, 5000))
    const after = renderer(), idle = (after.cpu - before.cpu) * 20
    assert.ok(after.own < 500, `the page has ${after.own} MB of its own`)
    assert.ok(idle < 25, `idle, it takes ${idle} % of a core`)
    return `sudo bin/03-uts true ${Math.min(...times)} ms, renderer ${Math.round(after.own)} MB of its own, ` +
      `${Math.round(after.all)} MB with what it shares, idle ${idle.toFixed(0)} %`
  })

  for (const [width, height] of sizes) {
    await test(`on a screen of ${width}`, async () => {
      await page.setViewport({ width, height })
      await page.evaluate(() => new Promise(done => setTimeout(done, 800)))
      await page.$eval("article figure.console", e => e.scrollIntoView({ block: "end" }))
      const got = await page.evaluate(() => {
        const box = document.querySelector("#machine section.active .machine-screen").getBoundingClientRect()
        const text = document.querySelector("article figure.console").getBoundingClientRect()
        const copy = document.querySelector("article figure.console .copy").getBoundingClientRect()
        return { wide: document.documentElement.scrollWidth, height: box.height, width: box.width,
          right: box.right, bottom: box.bottom, over: Math.max(text.right, copy.right), panel: document.querySelector("#machine").getBoundingClientRect().left }
      })
      assert.ok(got.wide <= width, `${got.wide} wide`)
      assert.ok(got.height > 120 && got.width > 300, JSON.stringify(got))
      assert.ok(got.right <= width && got.bottom <= height, JSON.stringify(got))
      if (width > 1119) assert.ok(got.over <= got.panel, "the panel covers the text")
      await picture(page, width)
      const { violations } = await page.evaluate(axe).then(() => page.evaluate(() =>
        axe.run({ include: ["#machine"], exclude: [".xterm"] }, { preload: false })))
      assert.deepEqual(violations.filter(v => ["serious", "critical"].includes(v.impact))
        .map(v => `${v.id}: ${v.nodes[0].html.slice(0, 150)}`), [])
    })
  }
  await page.setViewport({ width: 1400, height: 900 })

  await test("a third terminal", async () => {
    await page.evaluate(() => [...document.querySelectorAll("#machine button")].find(b => /third/i.test(b.textContent)).click())
    assert.ok(await focusOn(page, 2))
    assert.equal(await run(page, 2, "tty"), "/dev/ttyS2")
  })

  await test("it pauses when its tab is hidden", async () => {
    const hide = hidden => page.evaluate(async hidden => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true })
      document.dispatchEvent(new Event("visibilitychange"))
      for (let i = 0; i < 100 && machineInPage.machine.emulator.is_running() === hidden; i++) {
        await new Promise(done => setTimeout(done, 50))
      }
      return machineInPage.machine.emulator.is_running()
    }, hidden)
    assert.equal(await hide(true), false)
    assert.equal(await hide(false), true)
    assert.match(await page.evaluate(() => machineInPage.machine.lines[0].run("date -u +%F")),
      new RegExp(new Date().toISOString().slice(0, 10)), "the date after the pause")
  })

  await test("start again, after all that can be done to it", async () => {
    await page.evaluate(() => machineInPage.machine.lines[0].run("touch mine"))
    await page.evaluate(() => machineInPage.machine.lines[1].write("f() { f | f & }; f\n"))
    await page.evaluate(() => machineInPage.machine.lines[0].write("sudo tail /dev/zero\n"))
    await new Promise(done => setTimeout(done, 3000))
    assert.equal(await page.evaluate(() => 6 * 7), 42, "the page is stuck")
    await page.evaluate(() => [...document.querySelectorAll("#machine button")].find(b => /again/i.test(b.textContent)).click())
    const ms = await started(page)
    assert.equal(await page.evaluate(() => machineInPage.machine.lines[0].run("ls mine 2>/dev/null | wc -l")), "0")
    return `${ms} ms`
  })
  await test("no request, no error", async () => {
    assert.deepEqual(page.problems, [])
    await page.close()
  })

  await test("the first page offers it", async () => {
    const page = await open("index.html")
    const figure = await page.$(".try figure.console")
    assert.equal(await typed(page, figure), "")
    assert.match(await page.evaluate(() => machineInPage.machine.lines[0].prompt), /\$/)
    await picture(page, "first-page")
    assert.deepEqual(page.problems, [])
    await page.close()
  })

  await test("from the click to a prompt, on a processor a quarter as fast", async () => {
    const page = await open("03-uts.html")
    await page.emulateCPUThrottling(4)
    await page.click(".machine-open")
    const ms = await started(page)
    assert.ok(ms < 30000, `${ms} ms`) // whatever else this computer does
    await page.close()
    return `${ms} ms`
  })

  await test("without a worker", async () => {
    const page = await open("03-uts.html", { before: "delete globalThis.Worker" })
    await page.click(".machine-open")
    await started(page)
    await page.close()
  })

  await refuses("without WebAssembly", /no WebAssembly/, { before: "delete globalThis.WebAssembly" })
  await refuses("without memory", /no 268 MB of memory left/, {
    before: "WebAssembly.Memory = class { constructor() { throw new RangeError('out of memory') } }",
  })
  await refuses("a part is missing", /machine\/state-1\.js is missing/, { change: name => name === "state-1.js" ? null : undefined })
  await refuses("a part is cut off", /machine\/state-1\.js is cut off/, {
    change: (name, text) => name === "state-1.js" ? text().slice(0, 100000) : undefined,
  })

  await browser.close()
  if (failed) process.exitCode = 1
}

main().catch(async error => {
  console.log("FAIL  " + error.stack)
  await browser?.close()
  process.exitCode = 1
})
