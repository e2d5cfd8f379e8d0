// check.cjs opens all pages of the site in a browser that has no network, and
// says what is wrong with them.
// Usage: NODE_PATH=… CHROME_PATH=… node check.cjs DIR
// site.sh --check calls it.
"use strict"

const assert = require("node:assert/strict")
const fs = require("node:fs")
const path = require("node:path")
const { pathToFileURL } = require("node:url")
const zlib = require("node:zlib")
const { launch, newPage } = require("../browser.cjs")

const site = path.resolve(process.argv[2])
const repo = path.resolve(__dirname, "../../..")
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8")
const pages = fs.readdirSync(site).filter(name => name.endsWith(".html")).sort()
const lessons = pages.filter(name => /^0\d-/.test(name) && !name.includes("-exercises-"))
const url = name => pathToFileURL(path.join(site, name)).href
const widths = [320, 390, 412, 1400]
const phone = { width: widths[0], height: 740 }
const desk = { width: 1400, height: 900 }

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

// Tabs that are used again: a new one is a new process.
const idle = []

// open opens a page, and fails when it asks for anything that is not there, or
// reports an error.
async function open(name, { size = desk, scheme = "light", script = true } = {}) {
  const page = idle.pop() ?? await newPage(browser, problem => page.problems.push(problem))
  page.problems = []
  await page.setViewport(size)
  await page.setJavaScriptEnabled(script)
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }])
  await page.bringToFront() // what is behind draws nothing
  await page.goto(url(name))
  return page
}

async function close(page) {
  assert.deepEqual(page.problems, [])
  idle.push(page)
}

// look is what a page has that others may link to, and where it is too wide.
const look = () => ({
  text: document.querySelector("article").innerText.length,
  title: document.title,
  heading: document.querySelector("h1")?.innerText,
  ids: [...document.querySelectorAll("[id]")].map(e => e.id),
  links: [...document.querySelectorAll("a[href], img[src], link[href], script[src], object")]
    .map(e => e.href || e.src || e.data),
  said: [...document.querySelectorAll("article p a")].map(e => `${e.textContent} > ${e.getAttribute("href")}`),
  broken: [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src),
  contents: [...document.querySelectorAll("#contents > ul > li > a")].map(e => e.getAttribute("href")),
  next: document.querySelector("a[rel=next]")?.getAttribute("href"),
})

// findings are those of axe, and in the dark of what that changes: the colours.
async function findings(page, scheme) {
  await page.evaluate(axe)
  const options = scheme === "dark" ? { runOnly: ["color-contrast"] } : {}
  // One file of code has all the colours that the others have.
  const { violations } = await page.evaluate(options =>
    axe.run({ exclude: [".file ~ .file code"] }, { preload: false, ...options }), options)
  return violations.filter(v => ["serious", "critical"].includes(v.impact))
    .map(v => `${v.id}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 120)).join(" | ")}`)
}

// fits says what is cut, covered or out of reach on the screen as it is.
const fits = () => {
  const said = []
  for (const box of document.querySelectorAll("article details")) box.open = true
  const wide = document.documentElement.scrollWidth
  if (wide > innerWidth) said.push(`${wide} wide`)
  const texts = [...document.querySelectorAll("pre, #contents, article p, figcaption")].map(e => {
    const range = document.createRange()
    range.selectNodeContents(e)
    return [e, (e.matches("pre") ? e : range).getBoundingClientRect()]
  })
  for (const button of document.querySelectorAll(".copy")) {
    const at = button.getBoundingClientRect()
    if (!at.width) continue // in what is folded
    if (at.left < 0 || at.right > innerWidth) said.push(`a button at ${at.left}`)
    for (const [e, r] of texts) {
      if (at.left < r.right && r.left < at.right && at.top < r.bottom && r.top < at.bottom) {
        said.push("a button on: " + e.textContent.slice(0, 60))
      }
    }
  }
  return said
}

// pale is what cannot be read on paper, which is white: browsers print no backgrounds.
const pale = () => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map(v => ((v / 255 + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  return [...document.querySelectorAll("article, article *")].filter(e => e.checkVisibility() &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) &&
    1.05 / (light(getComputedStyle(e).color) + 0.05) < 4.5).map(e => e.outerHTML.slice(0, 90))
}

// corner is the colour of a picture's upper left corner, as red, green, blue.
async function corner(page, selector) {
  const { x, y } = await page.$eval(selector, e => {
    e.scrollIntoView({ block: "center", behavior: "instant" })
    const { x, y } = e.getBoundingClientRect()
    return { x: x + scrollX, y: y + scrollY }
  })
  const png = Buffer.from(await page.screenshot({ clip: { x: x + 2, y: y + 2, width: 1, height: 1 } }))
  const packed = []
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") packed.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
  }
  return [...zlib.inflateSync(Buffer.concat(packed))].slice(1, 4)
}

const background = page => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
const isShown = (page, selector) => page.$eval(selector, e => e.checkVisibility())

async function main() {
  assert.ok(pages.length > 10, "too few pages in " + site)
  browser = await launch()

  const seen = {}
  for (const name of pages) {
    await test(name, async () => {
      await Promise.all([[desk, "light"], [phone, "dark"]].map(async ([size, scheme]) => {
        const page = await open(name, { size, scheme })
        const got = seen[name] = await page.evaluate(look)
        assert.ok(got.heading && got.text > 200, "no text")
        assert.deepEqual(got.broken, [], "pictures")
        // An exercise's page has nothing but what a lesson's has, too.
        if (scheme === "light" || !name.includes("-exercises-"))
          assert.deepEqual(await findings(page, scheme), [], "axe, " + scheme)
        if (scheme === "dark") {
          for (const width of widths) {
            await page.setViewport({ ...phone, width })
            assert.deepEqual(await page.evaluate(fits), [], `on a screen of ${width}`)
          }
          await page.evaluate(() => { document.documentElement.dataset.theme = "dark" })
          await page.emulateMediaType("print")
          assert.deepEqual(await page.evaluate(pale), [], "on paper")
          await page.emulateMediaType("screen")
        }
        await close(page)
      }))
    })
  }

  await test("links and anchors", () => {
    let count = 0
    for (const [name, { links }] of Object.entries(seen)) {
      for (const link of links.filter(l => l.startsWith("file:"))) {
        count++
        const to = new URL(link)
        const file = decodeURIComponent(to.pathname)
        assert.ok(file.startsWith(site + "/"), `${name}: ${link} leads out of the site`)
        assert.ok(fs.existsSync(file) && fs.statSync(file).isFile(), `${name}: no ${link}`)
        const id = decodeURIComponent(to.hash.slice(1))
        const target = seen[path.basename(file)]
        if (id) assert.ok(target?.ids.includes(id), `${name}: no anchor ${link}`)
      }
    }
    assert.ok(count > 100)
    return `${count} followed`
  })

  await test("previous and next reach every text", () => {
    const way = []
    for (let name = "index.html"; name; name = seen[name].next) way.push(name)
    const listed = seen["index.html"].contents
    assert.deepEqual(way, listed, "as the contents say")
    // The rest are exercises, with their solutions, and source files: a link leads there.
    for (const name of pages) {
      assert.deepEqual(seen[name].contents, listed, name)
      assert.equal(listed.includes(name), !/-exercises-|\.go\.html$/.test(name), name)
      assert.ok(Object.values(seen).some(({ links }) => links.includes(url(name))), name + ": no link to it")
    }
    assert.deepEqual(way.slice(1, 1 + lessons.length), lessons, "the lessons in order")
    for (const [i, name] of lessons.entries()) {
      const { said } = seen[name]
      assert.ok(said.includes("Words to know > glossary.html"), name)
      if (i + 1 < lessons.length) {
        assert.ok(said.some(s => /^lesson 0\d, /.test(s) && s.endsWith(" > " + lessons[i + 1])), name + ": no Next")
      }
    }
  })

  for (const script of [true, false]) {
    await test(`the switch ${script ? "with" : "without"} JavaScript`, async () => {
      let files = 0
      for (const lesson of lessons) {
        const page = await open(lesson, { script })
        const sections = await page.$$("section.file")
        assert.ok(sections.length > 0, lesson)
        for (const section of sections) {
          files++
          const name = await section.evaluate(s => s.getAttribute("aria-label"))
          const source = fs.readFileSync(path.join(repo, name), "utf8")
          const whole = await section.$eval(".whole code", e => e.textContent)
          assert.equal(whole, source, name)
          const sides = await section.$$("label")
          if (!sides.length) continue
          const shown = () => section.evaluate(s => ["diff", "whole"].filter(
            c => s.querySelector("figure." + c).checkVisibility()))
          assert.deepEqual(await shown(), ["diff"], name)
          const plus = await section.$$eval(".diff ins", all => all.map(e => e.textContent))
          const marked = await section.$$eval(".whole ins", all => all.map(e => "+" + e.textContent))
          const minus = await section.$$(".diff del") // 06 takes something out
          assert.ok(plus.length + minus.length > 0 && plus.every(l => l.startsWith("+")), name)
          assert.deepEqual(marked, plus, name)
          await sides[1].click()
          assert.deepEqual(await shown(), ["whole"], name)
          await page.keyboard.press("ArrowLeft")
          assert.deepEqual(await shown(), ["diff"], name + ", by keyboard")
        }
        await close(page)
      }
      return `${files} files`
    })
  }

  await test("without JavaScript nothing is shown that does nothing", async () => {
    const page = await open("03-uts.html", { script: false })
    for (const selector of ["form[role=search]", ".theme"]) {
      assert.ok(!await isShown(page, selector), selector)
    }
    assert.equal(await page.$(".copy"), null)
    assert.ok(await isShown(page, "#contents"))
    await close(page)
  })

  await test("search", async () => {
    const page = await open("index.html")
    await page.keyboard.press("/")
    await page.keyboard.type("sethostname nodename")
    assert.match(await page.$eval("[role=status]", e => e.textContent), /^[1-9]\d* places?$/)
    assert.match(await page.$eval("#results", e => e.innerHTML), /03-uts\.html#/)
    const first = await page.$eval("#results a", e => e.href)
    assert.ok(await page.$("#results mark"), "no word is marked")
    assert.deepEqual(await findings(page), [])
    await page.keyboard.press("ArrowDown")
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")])
    assert.equal(page.url(), first)
    await page.keyboard.press("/")
    await page.keyboard.type("zyx(.*[")
    assert.equal(await page.$eval("[role=status]", e => e.textContent), "0 places")
    await page.keyboard.press("Escape")
    assert.ok(!await isShown(page, "#results"))
    // What a lesson adds is found, too.
    for (const width of widths) {
      await page.setViewport({ ...phone, width })
      await page.keyboard.type("x")
      const at = await page.$eval("#results", e => e.getBoundingClientRect().toJSON())
      assert.ok(at.left >= 0 && at.right <= width && at.width > 250, `${width}: from ${at.left} to ${at.right}`)
    }
    await page.$eval("input", e => { e.value = "" })
    await page.type("input", "CLONE_NEWCGROUP attr")
    assert.match(await page.$eval("#results", e => e.innerHTML), /08-cgroups\.html#added/)
    await close(page)
  })

  await test("copy", async () => {
    const page = await open("03-uts.html")
    await page.evaluate(() => {
      Object.defineProperty(navigator, "clipboard",
        { value: { writeText: async text => { window.copied = text } } })
    })
    const copied = async selector => {
      await page.click(selector)
      return page.evaluate(() => window.copied)
    }
    const typed = await copied("figure.console:not(details *) .copy")
    assert.deepEqual(typed.split("\n").slice(0, 3),
      ["hostname", "sudo bin/03-uts -hostname room-3", "hostname"])
    assert.equal(await copied("#file-uts .copy"),
      fs.readFileSync(path.join(repo, "03-uts/uts.go"), "utf8"))
    const without = await page.$$eval("figure.code:not(:has(.copy))", all => all.map(e => e.className))
    assert.ok(without.every(name => /diff|text|console/.test(name)), without.join())
    await close(page)
  })

  await test("questions", async () => {
    let count = 0
    for (const lesson of lessons) {
      const quiz = fs.readFileSync(path.join(repo, lesson.replace(".html", ""), "quiz.md"), "utf8")
      const keys = [...quiz.matchAll(/^The answer is \*\*(.)\*\*/gm)].map(match => match[1])
      const page = await open(lesson)
      assert.equal((await page.$$("form.question")).length, keys.length, lesson)
      const answers = await page.$$("form.question + details")
      // Two in three wrong, all by keyboard.
      for (const [i, key] of keys.entries()) {
        assert.ok(!await answers[i].isVisible(), lesson + ": an answer before the choice")
        const want = i % 3 ? (key === "a" ? "b" : "a") : key
        const radios = await (await page.$$("form.question"))[i].$$("input")
        await radios[0].focus()
        await page.keyboard.press("Space")
        for (let at = "a"; at < want; at = String.fromCharCode(at.charCodeAt(0) + 1)) {
          await page.keyboard.press("ArrowDown")
        }
        assert.ok(!await answers[i].isVisible(), lesson + ": an answer before Enter")
        await page.keyboard.press("Enter")
        assert.ok(await answers[i].isVisible() && await answers[i].evaluate(e => e.open), lesson)
        const said = await answers[i].evaluate(e => e.previousElementSibling.querySelector("[role=status]").textContent)
        assert.equal(said, want === key ? `Yes: ${key}.` : `You said ${want}. It is ${key}.`)
        count++
      }
      if (count === keys.length) assert.deepEqual(await findings(page), [])
      const before = await page.$$eval("form.question", all => all.map(e => [e.innerText, new FormData(e).values().next().value]))
      await page.reload()
      const after = await page.$$eval("form.question", all => all.map(e => [e.innerText, new FormData(e).values().next().value]))
      assert.deepEqual(after, before, lesson + " forgets")
      await page.evaluate(() => localStorage.clear())
      await close(page)
    }
    const page = await open("01-pid.html", { script: false })
    assert.equal(await page.$("form.question"), null)
    assert.equal(await page.$$eval("summary", all => all.filter(e => e.textContent === "Answer" && e.checkVisibility()).length), 4)
    await close(page)
    return `${count} answered`
  })

  await test("dark mode", async () => {
    const page = await open("03-uts.html")
    const light = await background(page)
    await page.click(".theme")
    const dark = await background(page)
    assert.notEqual(dark, light)
    assert.equal(await page.$eval(".theme", e => e.ariaPressed), "true")
    assert.equal(await page.$eval(".theme", e => getComputedStyle(e).color), dark, "the button does not show it")
    assert.ok(Math.max(...await corner(page, ".picture img")) < 80, "a light picture")
    await page.goto(url("04-ipc.html"))
    assert.equal(await background(page), dark, "another page forgets it")
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }])
    await page.click(".theme")
    assert.equal(await background(page), light, "light on a dark system")
    await page.evaluate(() => localStorage.clear())
    await close(page)
  })

  await test("print", async () => {
    const page = await open("03-uts.html", { scheme: "dark" })
    await page.evaluate(() => { document.documentElement.dataset.theme = "dark" })
    await page.emulateMediaType("print")
    assert.equal(await background(page), "rgb(255, 255, 255)")
    assert.deepEqual(await corner(page, ".picture img"), [255, 255, 255], "a dark picture")
    for (const selector of ["header", "#contents", ".turn", ".copy"]) {
      assert.ok(!await isShown(page, selector), selector)
    }
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")))
    assert.equal(await page.$("details:not([open]):not(.recording *)"), null)
    await page.goto(url("cheatsheet.html"))
    const margin = { top: "0.5in", bottom: "0.5in", left: "0.5in", right: "0.5in" }
    for (const format of ["A4", "Letter"]) {
      const pdf = Buffer.from(await page.pdf({ format, margin })).toString("latin1")
      assert.equal(pdf.match(/\/Type\s*\/Page\b/g)?.length, 1, "sheets of the cheat sheet, " + format)
    }
    await page.emulateMediaType("screen")
    await close(page)
  })

  await test("a recording pauses on a click", async () => {
    const page = await open("03-uts.html", { size: phone })
    await page.$eval(".recording details", e => { e.open = true })
    const recording = await (await page.waitForSelector(".recording object")).contentFrame()
    await recording.waitForFunction(() => document.getAnimations().length === 3)
    const states = () => recording.evaluate(() => [...new Set(document.getAnimations().map(a => a.playState))])
    assert.deepEqual(await states(), ["running"])
    await page.click(".recording object")
    assert.deepEqual(await states(), ["paused"])
    await page.keyboard.press("Space")
    assert.deepEqual(await states(), ["running"])
    await close(page)
  })

  await test("keyboard", async () => {
    const page = await open("03-uts.html", { size: phone })
    await page.keyboard.press("Tab")
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip")
    await page.keyboard.press("Enter")
    assert.equal(await page.evaluate(() => document.activeElement.id), "text")
    const hidden = await page.$$eval("pre", all =>
      all.filter(e => e.scrollWidth > e.clientWidth && e.tabIndex !== 0 &&
        !e.closest("details:not([open])")).map(e => e.outerHTML.slice(0, 200)))
    assert.deepEqual(hidden, [], "boxes that scroll, and the keyboard does not reach")
    await close(page)
  })

  await browser.close()
  if (failed) process.exitCode = 1
}

main().catch(async error => {
  console.log("FAIL  " + error.stack)
  await browser?.close()
  process.exitCode = 1
})
