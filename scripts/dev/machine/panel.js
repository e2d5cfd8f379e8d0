// The machine in the page: a panel with its terminals, and buttons that type
// what the text shows. All data comes from scripts beside this one, since a
// page from the disk may not read other files.
"use strict"
;(() => {

const here = document.currentScript.src.replace(/[^/]*$/, "")
const size = document.currentScript.dataset.size
const { Typist } = globalThis.machineTypist
const names = ["first", "second", "third"]
const megabytes = n => Math.round(n / 1e6)
const lesson = /([^/]*?)(\.html)?$/.exec(location.pathname)[1]

// element makes an element with these properties and children.
function element(kind, properties, ...inside) {
  const e = document.createElement(kind)
  for (const [name, value] of Object.entries(properties)) {
    if (name in e) e[name] = value
    else e.setAttribute(name, value)
  }
  e.append(...inside)
  return e
}

// A Failure is a sentence for the learner: what, why, and what to do.
class Failure extends Error {}

/* Loading, at the first click. */

const parts = new Map() // of the data, as the scripts bring them
globalThis.machinePart = (name, text) => parts.set(name, text)

function loadScript(name) {
  return new Promise((resolve, reject) => {
    const script = element("script", { src: here + name })
    script.onload = () => { script.remove(); resolve() }
    script.onerror = () => reject(new Failure(`The file machine/${name} is missing. ` +
      "Copy the whole folder again, or make it again with scripts/dev/site.sh --machine."))
    document.head.append(script)
  })
}

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text) // not in every browser yet
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}

// loadData brings the parts of a file together.
async function loadData(file, progress) {
  const whole = new Uint8Array(file.bytes)
  const scripts = file.parts.map(part => loadScript(part.name))
  Promise.allSettled(scripts) // one failure is enough to say so
  let at = 0
  for (const [i, part] of file.parts.entries()) {
    await scripts[i]
    const text = parts.get(part.name)
    parts.delete(part.name)
    if (text?.length !== part.length) {
      throw new Failure(`The file machine/${part.name} is cut off. ` +
        "Copy the whole folder again, or make it again with scripts/dev/site.sh --machine.")
    }
    const bytes = bytesOf(text)
    whole.set(bytes, at)
    at += bytes.length
    progress(bytes.length)
  }
  return whole
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))
  return new Response(stream).arrayBuffer()
}

// unpacker is what a worker does: it decompresses the state, with v86's own zstd.
function unpacker() {
  onmessage = async ({ data: { module, packed, bytes } }) => {
    const env = {}
    for (const { name, kind } of WebAssembly.Module.imports(module)) {
      env[name] = kind === "table" ? new WebAssembly.Table({ element: "anyfunc", initial: 2048 }) : () => 0
    }
    const { exports: v86 } = await WebAssembly.instantiate(module, { env })
    const context = v86.zstd_create_ctx(packed.length)
    new Uint8Array(v86.memory.buffer, v86.zstd_get_src_ptr(context) >>> 0, packed.length).set(packed)
    const state = new Uint8Array(bytes)
    for (let at = 0; at < bytes; at += 1 << 20) {
      const n = Math.min(1 << 20, bytes - at), from = v86.zstd_read(context, n) >>> 0
      state.set(new Uint8Array(v86.memory.buffer, from, n), at)
      v86.zstd_read_free(from, n)
    }
    postMessage(state.buffer, [state.buffer])
  }
}

// makeUnpacker starts it, where a page may have a worker.
function makeUnpacker() {
  const url = URL.createObjectURL(new Blob([`(${unpacker})()`]))
  try {
    return new Worker(url)
  } catch {
    return null
  } finally {
    URL.revokeObjectURL(url)
  }
}

// unpack returns the state as v86 takes it. The page does not stand still meanwhile.
async function unpack(worker, { manifest, module, state }) {
  if (worker) try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = event => resolve(event.data)
      worker.onerror = reject
      worker.postMessage({ module, packed: state, bytes: manifest.unpacked })
    })
  } catch {}
  return state.slice().buffer // v86 does it itself
}

let loaded // a promise, of the code and the state

function load(progress) {
  return loaded ||= (async () => {
    if (typeof WebAssembly !== "object") {
      throw new Failure("This browser has no WebAssembly, or it is switched off, so the machine " +
        "cannot run here. Any browser of the last five years can, unless told not to.")
    }
    if (typeof DecompressionStream !== "function") {
      throw new Failure("This browser is too old for the machine: it wants one from 2023 or later.")
    }
    await loadScript("manifest.js")
    const manifest = globalThis.machineManifest
    let done = 0
    const add = n => progress((done += n) / (manifest.wasm.bytes + manifest.state.bytes))
    const [module, state] = await Promise.all([
      loadData(manifest.wasm, add).then(inflate).then(WebAssembly.compile),
      loadData(manifest.state, add),
      loadScript("v86.js")])
    return { manifest, module, state }
  })().catch(error => { loaded = null; throw error })
}

/* The machine. */

class Machine {
  static async start({ manifest, module }, state) {
    // If this fails, v86 does not say so.
    try {
      new WebAssembly.Memory({ initial: (manifest.memory + (64 << 20)) / 65536 })
    } catch {
      throw new Failure(`This browser has no ${megabytes(manifest.memory)} MB of memory left for the machine. ` +
        "Close other tabs, and start it again.")
    }
    const machine = new Machine()
    const emulator = machine.emulator = new globalThis.V86({
      // Before it restores a state, it would clear all of the memory, 160 MB that are
      // zero already, and so the browser would have to provide them.
      wasm_fn: async imports => ({ ...(await WebAssembly.instantiate(module, imports)).exports, zero_memory() {} }),
      memory_size: manifest.memory,
      vga_memory_size: 1 << 20,
      net_device: { type: "none" },
      uart1: true, uart2: true, uart3: true,
      disable_keyboard: true, disable_mouse: true, disable_speaker: true,
      initial_state: { buffer: state },
      autostart: true,
    })
    machine.lines = [0, 1, 2, 3].map(n => {
      const typist = new Typist(bytes => emulator.serial_send_bytes(n, bytes))
      emulator.add_listener(`serial${n}-output-byte`, byte => typist.take(byte))
      return typist
    })
    await new Promise((resolve, reject) => {
      emulator.add_listener("emulator-loaded", resolve)
      const failed = event => reject(event.reason || event.error)
      addEventListener("unhandledrejection", failed, { once: true })
      setTimeout(() => reject(new Failure("The machine does not start. Reload the page, and try again.")), 60000)
    })
    return machine
  }

  // greet tells the machine what has changed while it was a file.
  async greet() {
    const control = this.lines[3]
    const seed = [...crypto.getRandomValues(new Uint8Array(32))].map(b => b.toString(16)).join("")
    control.ask("entropy " + seed).catch(() => {})
    await control.ask("date " + Math.floor(Date.now() / 1000))
  }

  // look asks the lesson's guide: how many steps are done, what it sees, and what
  // it says to whoever is stuck.
  look() {
    return this.looking ||= new Promise(done => {
      this.endLook = done
      this.lines[3].ask("look", 1e9).then(line => {
        const [count, , sight, advice] = line.replace("\n", "").split("\t")
        this.looking = null
        if (machine === this && advice !== undefined) showSteps(Number(count), sight, advice)
        done()
      })
    })
  }

  size(n, rows, columns) { return this.lines[3].ask(`size ${n + 1} ${rows} ${columns}`).catch(() => {}) }

  async pause() { await this.emulator.stop() }

  async go() {
    await this.emulator.run()
    await this.greet()
    lookSoon()
  }

  async end() {
    for (const line of this.lines) {
      line.screen = null
      line.reach("") // so that nobody waits for a prompt any longer
    }
    this.endLook?.()
    await this.emulator.destroy()
  }
}

/* The panel. */

const panel = element("aside", { id: "machine", ariaLabel: "A Linux machine", hidden: true })
const says = element("p", { className: "machine-says", role: "status" })
const startButton = element("button", { type: "button", className: "machine-start" }, "Start the machine")
const againButton = element("button", { type: "button", hidden: true }, "Start again")
const thirdButton = element("button", { type: "button", hidden: true, ariaLabel: "Third terminal" }, "Third")
const closeButton = element("button", { type: "button", ariaLabel: "Close the machine's panel" }, "Close")
const aloud = element("input", { type: "checkbox", id: "machine-aloud" })
const aloudLabel = element("label", { htmlFor: "machine-aloud", hidden: true }, aloud, " for screen readers")
const tabs = element("div", { className: "machine-tabs", hidden: true })
const screens = element("div", { className: "machine-screens" })
const about = element("p", { className: "machine-about" })
about.innerHTML = "A real kernel, in this page alone: no network, and what is in it goes with the page. " +
  "Below the text's commands, ○ becomes ✓ when the kernel shows that it has happened. " +
  "<kbd>F6</kbd> goes from terminal to terminal, and back to the text. " +
  "<kbd>Ctrl+Shift+C</kbd> copies. "
about.append(element("a", { href: here + "sources.html" }, "What is in it"))
panel.append(
  element("header", {}, element("h2", {}, "The machine"), startButton, againButton, thirdButton, aloudLabel, closeButton),
  says, tabs, screens, about)

const terminals = [] // of the panel: { screen, fit, section, tab }
let machine = null
let back = null // where in the text the focus was
let active = 0

function makeTerminal(n) {
  if (terminals[n]) return terminals[n]
  const holder = element("div", { className: "machine-screen" })
  const section = element("section", { ariaLabel: `The ${names[n]} terminal` },
    element("h3", {}, names[n]), holder)
  const tab = element("button", { type: "button", ariaPressed: "false" }, names[n])
  tab.addEventListener("click", () => { show(n); terminals[n].screen.focus() })
  const screen = new globalThis.Terminal({
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
    fontSize: innerWidth < 640 ? 11 : 13, cursorBlink: false, scrollback: 2000,
    screenReaderMode: aloud.checked, theme: { background: "#12161b", foreground: "#e9edf2" },
  })
  const fit = new globalThis.FitAddon.FitAddon()
  screen.loadAddon(fit)
  screens.append(section)
  tabs.append(tab)
  screen.open(holder)
  screen.textarea.setAttribute("aria-label", `The ${names[n]} terminal. F6 leaves it.`)
  screen.onData(text => machine?.lines[n].write(text))
  screen.onBinary(text => machine?.lines[n].write(text))
  screen.onResize(({ rows, cols }) => machine?.size(n, rows, cols))
  screen.attachCustomKeyEventHandler(event => {
    if (event.key === "F6") return false // the page handles it, see below
    if (event.ctrlKey && event.shiftKey && event.code === "KeyC") {
      if (event.type === "keydown") {
        event.preventDefault()
        copyText(screen.getSelection())
      }
      return false
    }
    return !(event.ctrlKey && event.shiftKey && event.code === "KeyV") // the browser pastes
  })
  screen.textarea.addEventListener("focus", () => { active = n; mark() })
  return terminals[n] = { screen, fit, section, tab }
}

// makeTerminals makes the first two, once.
async function makeTerminals() {
  if (terminals.length) return
  await Promise.all(["xterm.js", "addon-fit.js"].map(loadScript))
  tabs.hidden = false
  for (const n of [0, 1]) makeTerminal(n)
  mark()
  arrange()
}

async function copyText(text) {
  if (!text) return
  try {
    await navigator.clipboard.writeText(text)
  } catch { // a page from the disk, in some browsers
    const area = element("textarea", { value: text })
    document.body.append(area)
    area.select()
    document.execCommand("copy")
    area.remove()
    terminals[active].screen.focus()
  }
}

function mark() {
  terminals.forEach((t, n) => {
    t.section.classList.toggle("active", n === active)
    t.tab.ariaPressed = String(n === active)
  })
}

// show brings a terminal to the front, where there is room for only one.
function show(n) {
  makeTerminal(n)
  active = n
  mark()
  arrange()
}

function arrange() {
  for (const t of terminals) if (t.section.checkVisibility()) t.fit.fit()
}
new ResizeObserver(() => requestAnimationFrame(arrange)).observe(screens)

function connect(n) {
  const { screen } = makeTerminal(n)
  screen.reset()
  machine.lines[n].screen = text => { screen.write(text); lookSoon() }
  machine.size(n, screen.rows, screen.cols)
  machine.lines[n].write("\x0c") // the shell draws its prompt
}

function fail(error) {
  says.textContent = error instanceof Failure ? error.message
    : `The machine has failed: ${error?.message || error}. Reload the page, and try again.`
  says.classList.add("failed")
  startButton.hidden = false
  startButton.disabled = false
}

let starting = null // a promise, while it starts

function start() {
  return starting ||= (async () => {
    const begin = performance.now()
    open()
    startButton.disabled = againButton.disabled = true
    says.classList.remove("failed")
    says.textContent = "Loading …"
    const worker = makeUnpacker()
    try {
      const all = await load(part => { says.textContent = `Loading … ${Math.round(100 * part)} %` })
      says.textContent = "Starting …"
      const old = machine
      machine = null
      await old?.end()
      const [state] = await Promise.all([unpack(worker, all), makeTerminals()])
      const count = terminals.length
      machine = await Machine.start(all, state)
      for (let n = 0; n < count; n++) connect(n)
      machine.greet().catch(() => {})
      await machine.lines[0].ready(20000)
      startButton.hidden = true
      againButton.hidden = thirdButton.hidden = aloudLabel.hidden = false
      thirdButton.hidden = count > 2
      says.textContent = `Ready, after ${((performance.now() - begin) / 1000).toFixed(1)} s. ` +
        "You are guest, and may sudo."
      panel.dataset.ready = String(Math.round(performance.now() - begin))
      document.body.classList.add("machine-runs")
      beginSteps(all.manifest.steps[lesson] || [])
      if (document.hidden) await machine.pause()
    } catch (error) {
      fail(error)
    } finally {
      worker?.terminate()
      startButton.disabled = againButton.disabled = false
      starting = null
    }
    return machine
  })()
}

function open() {
  panel.hidden = false
  document.body.classList.add("with-machine")
}

startButton.addEventListener("click", async () => { if (await start()) terminals[0].screen.focus() })
againButton.addEventListener("click", () => { delete panel.dataset.ready; start() })
thirdButton.addEventListener("click", () => {
  show(2)
  connect(2)
  thirdButton.hidden = true
  terminals[2].screen.focus()
})
closeButton.addEventListener("click", () => {
  panel.hidden = true
  document.body.classList.remove("with-machine")
  document.querySelector(".machine-open")?.focus()
})
aloud.addEventListener("change", () => {
  for (const t of terminals) t.screen.options.screenReaderMode = aloud.checked
})
// F6: from the text to the terminal, to the next one, and back.
addEventListener("keydown", event => {
  if (event.key !== "F6" || panel.hidden || !machine || event.altKey || event.ctrlKey) return
  event.preventDefault()
  const at = terminals.findIndex(t => t.section.contains(document.activeElement))
  const next = event.shiftKey ? at - 1 : at + 1
  if (at < 0) {
    back = document.activeElement
    show(active)
    terminals[active].screen.focus()
  } else if (terminals[next]) {
    show(next)
    terminals[next].screen.focus()
  } else {
    const to = back?.isConnected && back !== document.body ? back : document.getElementById("text")
    to.focus({ preventScroll: to.id === "text" })
  }
})
document.addEventListener("visibilitychange", () => {
  if (machine && !starting) document.hidden ? machine.pause() : machine.go()
})

/* The guide looks when a terminal has been quiet for a while. */

let guided = [] // the steps of the lesson: { box, text }
let watched = new Set() // their commands
let stepsDone = 0, stepSince = 0, lookTimer

// The same status is not announced twice.
function atStep(i, mark, more = "") {
  const text = `${mark} ${i + 1}. ${guided[i].text}${more}`
  if (guided[i].box.textContent !== text) guided[i].box.textContent = text
}

// beginSteps puts each step below the block with the last of its commands.
function beginSteps(rows) {
  for (const { box } of guided) box.remove()
  guided = []
  watched = new Set(rows.map(row => row[2]))
  const blocks = [...document.querySelectorAll("figure.console")]
  rows.forEach(([number, terminal, command, text]) => {
    const at = blocks.findIndex(block => names[(block.dataset.terminal || 1) - 1] === terminal &&
      [...block.querySelectorAll("kbd")].some(typed => typed.textContent === command))
    if (at < 0) return
    blocks.splice(0, at)
    const step = guided[number - 1] ||= { text, box: element("p", { className: "machine-step", role: "status" }) }
    blocks[0].append(step.box)
  })
  stepsDone = 0
  stepSince = Date.now()
  guided.forEach((_, i) => atStep(i, "○"))
  if (!guided.length) return
  machine.lines[3].ask("follow " + lesson).catch(() => {})
  lookSoon()
}

function lookSoon(wait = 400) {
  clearTimeout(lookTimer)
  if (guided.length) lookTimer = setTimeout(() => { if (!document.hidden) machine?.look() }, wait)
}

function showSteps(done, sight, advice) {
  if (done !== stepsDone) stepSince = Date.now()
  stepsDone = done
  const left = stepSince + 60000 - Date.now() // whoever is stuck for a minute gets a hint
  guided.forEach((_, i) => atStep(i, i < done ? "✓" : "○",
    i === done && left <= 0 ? `. Seen: ${sight}. ${advice}` : ""))
  if (done < guided.length && left > 0) lookSoon(left)
}

/* The blocks of the text. */

// stepsOf cuts a block into what is typed and what the text promises.
function stepsOf(figure) {
  const steps = []
  for (const node of figure.querySelector("code").childNodes) {
    if (node.nodeName === "SPAN" && node.className === "prompt") {
      const prompt = node.textContent.trim()
      if (prompt !== ">") steps.push({ prompt, typed: [], promised: "" })
    } else if (node.nodeName === "KBD") steps.at(-1).typed.push(node.textContent)
    else if (steps.length) steps.at(-1).promised += node.textContent
  }
  for (const step of steps) step.promised = step.promised.replace(/^\n+/, "").replace(/\n+$/, "")
  return steps
}

// typeBlock types a block line by line, and returns the output.
async function typeBlock(figure, note) {
  const n = Number(figure.dataset.terminal || 1) - 1
  if (!machine && !await start()) return null
  open()
  const fresh = !terminals[n]
  show(n)
  if (fresh) { connect(n); thirdButton.hidden = true }
  const line = machine.lines[n], runs = machine, came = []
  for (const step of stepsOf(figure)) {
    note(`Typing into the ${names[n]} terminal … Ctrl+C there ends what runs.`)
    const prompt = await line.ready(60000)
    if (machine !== runs) return null // started again meanwhile
    if (!prompt) throw new Failure(`The ${names[n]} terminal is busy: there is no prompt. Ctrl+C there ends what runs.`)
    if (prompt !== step.prompt) {
      throw new Failure(`The ${names[n]} terminal is at ${prompt}, and the text at ${step.prompt}: ` +
        (prompt === ">" ? "Ctrl+C there ends the line that was begun."
          : "type the blocks before this one first, or exit."))
    }
    const said = await line.run(step.typed.join("\n"), 600000).catch(() => null)
    if (machine !== runs) return null
    if (said === null) throw new Failure(`There is no prompt after ${step.typed[0]}. Ctrl+C in the terminal ends it.`)
    // The next command may undo a step.
    if (step.typed.some(command => watched.has(command))) {
      await machine.looking
      await machine.look()
      if (machine !== runs) return null
    }
    // A shell says at some prompt that a job has ended.
    came.push(said.replace(/^\[\d+\][+-]?  +(Done|Terminated|Killed)\b.*\n?/gm, ""))
  }
  return came
}

// plain returns a line without what differs from run to run: numbers, the space that they
// take, and the kind of terminal.
const plain = text => text.replace(/\bttyS/g, "pts/").replace(/\b(0x)?[0-9a-f]*\d[0-9a-f]*\b/g, "0").replace(/\s+/g, " ").trim()

// compare shows what the text promises beside the output.
function compare(steps, came) {
  const box = element("div", { className: "machine-compare" })
  let differ = 0
  steps.forEach((step, i) => {
    if (came[i] === undefined) return
    const promised = step.promised.split("\n"), got = came[i].split("\n")
    const fits = promised.includes("…") ||
      promised.length === got.length && promised.every((text, k) => plain(text) === plain(got[k]))
    if (!fits) differ++
    if (!step.promised && !came[i]) return
    const side = (title, lines, others) => element("div", {}, element("h4", {}, title),
      element("pre", { tabIndex: 0 }, ...lines.flatMap(text => {
        const known = fits || others.some(other => plain(other) === plain(text))
        return [known ? text : element("mark", {}, text || " "), "\n"]
      })))
    box.append(element("section", { ariaLabel: step.typed[0] },
      element("p", {}, element("code", {}, step.typed.join("\n"))),
      side("the text", promised, got), side("your machine", got, promised)))
  })
  box.prepend(element("p", {}, differ
    ? `${differ} of ${steps.length} commands said something else, marked below. Numbers are not compared.`
    : "All came as the text says. Numbers are not compared."))
  return box
}

for (const figure of document.querySelectorAll("figure.console")) {
  if (figure.dataset.notRun) {
    figure.append(element("p", { className: "machine-note" }, "Not for the machine in the page: " + figure.dataset.notRun + "."))
    continue
  }
  const steps = stepsOf(figure)
  if (!steps.length) continue
  const n = Number(figure.dataset.terminal || 1)
  const note = element("p", { className: "machine-note", role: "status" })
  const type = element("button", { type: "button", className: "machine-type", ariaLabel: `Type it into the ${names[n - 1]} terminal` },
    n === 1 ? "Type it" : `Type it into the ${names[n - 1]}`)
  const beside = element("button", { type: "button", className: "machine-beside", hidden: true, ariaExpanded: "false" }, "Compare")
  let box = null
  type.addEventListener("click", async () => {
    type.disabled = true
    box?.remove()
    box = null
    beside.hidden = true
    beside.ariaExpanded = "false"
    let came = null
    try {
      came = await typeBlock(figure, text => { note.textContent = text })
      note.textContent = ""
      if (came) figure.dataset.typed = "yes"
      else note.textContent = says.classList.contains("failed") ? says.textContent : ""
    } catch (error) {
      note.textContent = error.message
    }
    type.disabled = false
    if (!came) return
    beside.hidden = false
    beside.onclick = () => {
      if (box) { box.remove(); box = null }
      else figure.append(box = compare(steps, came))
      beside.ariaExpanded = String(!!box)
    }
  })
  figure.append(element("div", { className: "machine-buttons" }, type, beside), note)
}

const opener = element("button", { type: "button", className: "machine-open" },
  `Start the machine (${size} MB)`)
opener.addEventListener("click", async () => { if (await start()) terminals[0].screen.focus() })
const place = document.querySelector(".machine-place")
if (place) place.append(opener)
else document.querySelector("article h1").after(element("p", { className: "machine-place" }, opener,
  " A Linux in this page, to type all of this into: nothing is installed."))
startButton.textContent = opener.textContent
document.querySelector(".columns").append(panel)
globalThis.machineInPage = { get machine() { return machine }, start }
})()
