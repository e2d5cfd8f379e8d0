// check.cjs looks at each slide in a browser that has no network, and says
// what is wrong: what is cut, small or missing, in light and dark.
// Usage: NODE_PATH=… CHROME_PATH=… node check.cjs ALL.html ALL.pdf ALL.md
// slides.sh --check calls it. With SHOTS=DIR it leaves pictures there.
"use strict"

const assert = require("node:assert/strict")
const fs = require("node:fs")
const path = require("node:path")
const { pathToFileURL } = require("node:url")
const zlib = require("node:zlib")
const { launch, newPage } = require("../browser.cjs")

const [html, pdf, deck] = process.argv.slice(2)
const size = { width: 1280, height: 720 }
const problems = []

// look runs in the browser, on the slide that is shown.
function look() {
  const said = []
  const slide = [...document.querySelectorAll("section")].find(s =>
    s.closest("svg").classList.contains("bespoke-marp-active"))
  const edge = slide.getBoundingClientRect()
  if (slide.scrollHeight > slide.clientHeight || slide.scrollWidth > slide.clientWidth) {
    said.push(`cut: ${slide.scrollWidth}x${slide.scrollHeight}`)
  }
  // Colours as CSS gives them are rgb(r, g, b) or rgba(r, g, b, a).
  const light = colour => {
    const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map(v => {
      v /= 255
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = e => {
    while (/, 0\)$|transparent/.test(getComputedStyle(e).backgroundColor)) e = e.parentElement
    return getComputedStyle(e).backgroundColor
  }
  for (const e of slide.querySelectorAll("*")) {
    const box = e.getBoundingClientRect()
    if (box.left < edge.left || box.right > edge.right + 1 ||
      box.top < edge.top || box.bottom > edge.bottom + 1) said.push(`outside: ${e.outerHTML.slice(0, 90)}`)
    if (e.tagName === "PRE" && e.scrollWidth > e.clientWidth) said.push(`cut: ${e.textContent.slice(0, 90)}`)
    if (e.tagName === "IMG" && !(e.complete && e.naturalWidth)) said.push("no picture: " + e.alt)
    if (e.tagName === "IMG" && box.height < 720) said.push(`a picture ${box.height} high: ` + e.alt)
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue
    const style = getComputedStyle(e)
    if (parseFloat(style.fontSize) < 24) said.push(`${style.fontSize}: ${e.textContent.slice(0, 60)}`)
    const [a, b] = [light(style.color), light(behind(e))]
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (contrast < 4.5) said.push(`contrast ${contrast.toFixed(1)}: ${e.textContent.slice(0, 60)}`)
  }
  if (!slide.innerText.trim() && !slide.querySelector("img")) said.push("empty")
  return said
}

// sheets counts the pages of a PDF, which are mostly listed in packed objects.
function sheets(file) {
  const text = file.toString("latin1")
  let all = text
  for (const { index, 0: start } of text.matchAll(/\/FlateDecode[^]*?stream\r?\n/g)) {
    try {
      all += zlib.inflateSync(file.subarray(index + start.length)).toString("latin1")
    } catch { /* packed in a different way: no text */ }
  }
  return (all.match(/\/Type\s*\/Page\b/g) || []).length
}

async function main() {
  // The settings before the first slide are between the same lines.
  const slides = fs.readFileSync(deck, "utf8").split(/^---$/m).slice(2)
  const all = slides.length
  slides.forEach((slide, i) => {
    if (!/^<!--\n[^]+?\n-->$/m.test(slide)) problems.push(`slide ${i + 1} has no notes`)
  })

  const browser = await launch()
  const page = await newPage(browser, problem => problems.push(problem))
  await page.setViewport(size)
  const url = pathToFileURL(path.resolve(html)).href
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }])
    await page.goto("about:blank")
    await page.goto(url + "#1")
    await page.addStyleTag({ content: ".bespoke-marp-osc { display: none }" })
    const count = await page.$$eval("section", s => s.length)
    assert.equal(count, all, "slides in the file")
    for (let i = 1; i <= count; i++) {
      const at = await page.evaluate(() => location.hash)
      if (at !== "#" + i) problems.push(`the arrow led to ${at}, not #${i}`)
      for (const what of await page.evaluate(look)) problems.push(`${scheme}, slide ${i}: ${what}`)
      if (process.env.SHOTS) {
        await page.screenshot({ path: `${process.env.SHOTS}/${scheme}-${String(i).padStart(2, "0")}.png` })
      }
      await page.keyboard.press("ArrowRight")
    }
  }

  // The presenter's view is a window of its own, with the notes.
  const opened = new Promise(resolve => browser.once("targetcreated", resolve))
  await page.goto("about:blank")
  await page.goto(url + "#1")
  await page.keyboard.press("p")
  const presenter = await (await opened).page()
  await presenter.waitForSelector(".bespoke-marp-note", { timeout: 20000 })
  const notes = await presenter.$$eval(".bespoke-marp-note", all => all.map(e => e.textContent.trim()))
  assert.equal(notes.filter(n => n.length > 0).length, all, "notes in the presenter's view")

  assert.equal(sheets(fs.readFileSync(pdf)), all, "pages of the PDF")
  await browser.close()
  for (const what of problems) console.log("FAIL  " + what)
  console.log(`${problems.length ? "FAIL" : "ok"}    ${all} slides, light and dark, ${problems.length} problems`)
  process.exit(problems.length ? 1 : 0)
}

main().catch(error => {
  for (const what of problems) console.log("FAIL  " + what)
  console.log("FAIL  " + error.stack)
  process.exit(1)
})
