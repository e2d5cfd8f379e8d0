// typist.js types at a terminal of the machine, and finds the prompts in what
// comes back. The page and the tests in Node use it.
"use strict"
;(() => {

// What stands before the prompt of a shell that has read our bashrc, and how
// any other one looks. That may also be a line that is not yet whole: so
// nothing may follow it for a while. Nor may it after a carriage return: when its
// terminal has a new size, a shell draws the line again, with what has been typed.
const marked = /(^|[^\r])\x1b\]prompt\x07([$#]) $/
const other = /(?:^|\n)(?:> )*(?:\S+ ?)?([$#]) $/
const quiet = 200
const continued = /(?:^|\n)> $/
const escapes = /\x1b\][^\x07]*\x07|\x1b\[[0-9;?]*[a-zA-Z]/g

class Typist {
  // send takes bytes for the terminal.
  constructor(send) {
    this.sendBytes = send
    this.decoder = new TextDecoder()
    this.text = "" // since somebody typed last
    this.prompt = "" // at which the shell waits: $, # or none
    this.screen = null // called with each piece of text
    this.waiting = []
    this.bytes = []
  }

  // take gets a byte from the machine. They come one by one, and in bursts.
  take(byte) {
    if (this.bytes.push(byte) === 1) queueMicrotask(() => this.flush())
  }

  flush() {
    const text = this.decoder.decode(new Uint8Array(this.bytes), { stream: true })
    this.bytes = []
    this.text = (this.text + text).slice(-1e6)
    this.screen?.(text)
    this.look()
  }

  // look finds out if there is a prompt.
  look() {
    clearTimeout(this.later)
    const found = marked.exec(this.text.replace(/\x1b\[\?2004[hl]/g, ""))
    if (found) return this.reach(found[2])
    this.prompt = ""
    const bare = this.text.replace(escapes, "").replace(/\r+\n/g, "\n").replace(/[^\n]*\r/g, "")
    const maybe = other.exec(bare)
    if (maybe) this.later = setTimeout(() => this.reach(maybe[1]), quiet)
    else if (continued.test(bare)) this.later = setTimeout(() => this.reach(">"), quiet)
  }

  reach(prompt) {
    this.prompt = prompt
    for (const done of this.waiting.splice(0)) done(prompt)
  }

  // write types text as it is. A terminal's answer to what was asked of it, such
  // as where its cursor is, nobody has typed: busybox's shell asks at each prompt.
  write(text) {
    if (!/^\x1b\[[\d;?>]*[Rcn]$/.test(text)) {
      this.prompt = ""
      clearTimeout(this.later)
    }
    this.sendBytes(new TextEncoder().encode(text))
  }

  // ready waits for a prompt, and returns it: an empty one if none comes.
  ready(patience = 60000) {
    if (this.prompt) return Promise.resolve(this.prompt)
    return new Promise(resolve => {
      // In Node the clock is the machine's, and slower than what timers go by.
      const end = performance.now() + patience
      let timer
      const done = prompt => { clearTimeout(timer); resolve(prompt) }
      const wait = () => {
        const left = end - performance.now()
        if (left > 0) {
          timer = setTimeout(wait, left)
          return
        }
        this.waiting = this.waiting.filter(w => w !== done)
        resolve("")
      }
      wait()
      this.waiting.push(done)
    })
  }

  // run types a line, waits for the prompt after it, and returns what was
  // printed in between. It waits for a prompt first.
  async run(line, patience) {
    await this.ready(patience)
    this.text = ""
    this.write(line + "\n")
    let prompt = await this.ready(patience)
    // Of a command of several lines, not all have been read.
    while (prompt === ">" && this.text.split("\n").length <= line.split("\n").length) {
      this.prompt = ""
      prompt = await this.ready(patience)
    }
    const end = this.text.lastIndexOf("\x1b]prompt\x07")
    const printed = (end < 0 ? this.text.replace(/[^\n]*$/, "") : this.text.slice(0, end))
      .replace(escapes, "").replace(/\r/g, "")
    if (!prompt) throw new Error(`no prompt after ${line}: ${printed.slice(-500)}`)
    // What was typed comes first, as many lines as it has.
    return printed.split("\n").slice(line.split("\n").length).join("\n").replace(/\n$/, "")
  }

  // ask sends a request by the page's own line, waits for its answer, and returns
  // what comes before that.
  ask(request, patience = 20000) {
    const answer = this.asked = (this.asked || Promise.resolve()).then(() =>
      new Promise((resolve, reject) => {
        const what = request.split(" ")[0]
        const timer = setTimeout(() => reject(new Error("the machine does not answer: " + what)), patience)
        this.text = ""
        this.screen = () => {
          const end = ("\n" + this.text).indexOf(`\n${what}\n`)
          if (end < 0) return
          this.screen = null
          clearTimeout(timer)
          resolve(this.text.slice(0, end))
        }
        this.sendBytes(new TextEncoder().encode(request + "\n"))
      }))
    this.asked = answer.catch(() => {})
    return answer
  }
}

const made = { Typist }
if (typeof module === "object") module.exports = made
else globalThis.machineTypist = made
})()
