// What the pages can do beyond being read: search, copy, be dark. Without this
// script nothing is missing from the texts.
"use strict"

const root = document.body.dataset.root

// Dark or light: as the system says, until somebody chooses.
const theme = document.querySelector(".theme")
const systemDark = matchMedia("(prefers-color-scheme: dark)")
const isDark = () => {
  const chosen = document.documentElement.dataset.theme
  return chosen ? chosen === "dark" : systemDark.matches
}
const showTheme = () => theme.setAttribute("aria-pressed", isDark())
theme.hidden = false
showTheme()
systemDark.addEventListener("change", showTheme)
theme.addEventListener("click", () => {
  const chosen = isDark() ? "light" : "dark"
  document.documentElement.dataset.theme = chosen
  try { localStorage.setItem("theme", chosen) } catch { /* not kept, then */ }
  showTheme()
})

// Copy: of a session at a terminal what is typed, of code all. Nobody copies what is
// printed, or a difference.
for (const figure of document.querySelectorAll("figure.code:not(.text, .diff)")) {
  const button = document.createElement("button")
  button.type = "button"
  button.className = "copy"
  button.textContent = "Copy"
  const typed = [...figure.querySelectorAll("kbd")]
  if (typed.length) button.ariaLabel = "Copy the commands"
  else if (figure.matches(".console")) continue
  button.addEventListener("click", async () => {
    const text = typed.length
      ? typed.map(line => line.textContent).join("\n")
      : figure.querySelector("pre").textContent
    button.textContent = await copy(text) ? "Copied" : "Not allowed"
    button.classList.add("done")
    setTimeout(() => { button.textContent = "Copy"; button.classList.remove("done") }, 2000)
  })
  figure.querySelector("pre").before(button)
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch { // an old browser, or a page from the disk
    const area = document.createElement("textarea")
    area.value = text
    document.body.append(area)
    area.select()
    const done = document.execCommand("copy")
    area.remove()
    return done
  }
}

// Questions: a list of options, and an answer that is folded. It opens once there is a
// choice, which this browser remembers.
for (const answer of document.querySelectorAll("details")) {
  const list = answer.previousElementSibling
  const items = [...(list?.matches("ul") ? list.children : [])]
  const letters = items.map(item => item.querySelector(":scope > strong")?.textContent)
  if (!items.length || !letters.every(letter => /^[a-z]$/.test(letter))) continue
  let heading = list
  while (!/^H\d$/.test(heading.tagName)) heading = heading.previousElementSibling
  const key = `quiz:${location.pathname.split("/").pop()}#${heading.id}`
  const right = answer.querySelector("p strong").textContent

  const form = document.createElement("form")
  form.className = "question"
  const set = document.createElement("fieldset")
  const legend = document.createElement("legend")
  legend.textContent = "Your answer: " + heading.firstChild.textContent.trim()
  set.append(legend, ...items.map((item, i) => {
    const label = document.createElement("label")
    const radio = document.createElement("input")
    Object.assign(radio, { type: "radio", name: heading.id, value: letters[i], required: true })
    label.append(radio, ...item.childNodes)
    return label
  }))
  const button = document.createElement("button")
  button.textContent = "Answer"
  const said = document.createElement("p")
  said.role = "status"
  form.append(set, button, said)
  list.replaceWith(form)
  answer.hidden = true

  const judge = letter => {
    answer.hidden = false
    said.textContent = letter === right ? `Yes: ${right}.` : `You said ${letter}. It is ${right}.`
    said.className = letter === right ? "right" : "wrong"
  }
  form.addEventListener("submit", event => {
    event.preventDefault()
    const letter = new FormData(form).get(heading.id)
    try { localStorage.setItem(key, letter) } catch { /* not kept, then */ }
    judge(letter)
    answer.open = true
  })
  let kept = null
  try { kept = localStorage.getItem(key) } catch { /* nothing is kept */ }
  if (letters.includes(kept)) {
    set.querySelector(`[value=${kept}]`).checked = true
    judge(kept)
  }
}

// What is too wide scrolls, and so the keyboard has to reach it.
function reach() {
  for (const box of document.querySelectorAll("pre, .scroll")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0
    else box.removeAttribute("tabindex")
  }
}
reach()
addEventListener("resize", reach)
document.addEventListener("toggle", reach, true) // details
document.addEventListener("change", reach) // difference, whole file

// On paper nothing can be opened.
let opened = []
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("article details:not([open]):not(.recording *)")]
  for (const box of opened) box.open = true
})
addEventListener("afterprint", () => { for (const box of opened) box.open = false })

// Search, in the index that search.js has brought.
const form = document.querySelector("form[role=search]")
const input = form.querySelector("input")
const panel = form.querySelector("#results")
const list = panel.querySelector("ol")
const status = panel.querySelector("[role=status]")
const index = (window.searchIndex || []).map(entry => ({
  ...entry, title: (entry.p + " " + entry.h).toLowerCase(), text: entry.t.toLowerCase(),
}))
form.hidden = index.length === 0

function search(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  if (!words.length) return { words, found: [] }
  const found = []
  for (const entry of index) {
    let score = 0
    for (const word of words) {
      const inTitle = entry.h.toLowerCase().includes(word) ? 20 : entry.title.includes(word) ? 10 : 0
      const inText = Math.min(5, entry.text.split(word).length - 1)
      if (!inTitle && !inText) { score = 0; break }
      score += inTitle + inText
    }
    if (score) found.push({ entry, score })
  }
  found.sort((a, b) => b.score - a.score)
  return { words, found: found.map(f => f.entry) }
}

// snippet is the text around the first word, with all words marked.
function snippet(entry, words) {
  const at = Math.max(0, Math.min(...words.map(w => entry.text.indexOf(w)).filter(i => i >= 0), 1e9))
  const from = at === 1e9 ? 0 : Math.max(0, at - 50)
  const span = document.createElement("span")
  const text = (from ? "… " : "") + entry.t.slice(from, from + 160) + " …"
  const pattern = new RegExp("(" + words.map(w => w.replace(/[^\w\s]/g, "\\$&")).join("|") + ")", "i")
  for (const part of text.split(pattern)) {
    if (words.includes(part.toLowerCase())) {
      const hit = document.createElement("mark")
      hit.textContent = part
      span.append(hit)
    } else span.append(part)
  }
  return span
}

function show() {
  const { words, found } = search(input.value)
  panel.hidden = !words.length
  status.textContent = found.length === 1 ? "1 place" : found.length + " places"
  list.replaceChildren(...found.slice(0, 20).map(entry => {
    const item = document.createElement("li")
    const link = document.createElement("a")
    link.href = root + entry.u
    link.textContent = entry.h === entry.p ? entry.p : entry.p + " – " + entry.h
    link.addEventListener("click", () => { panel.hidden = true })
    item.append(link, snippet(entry, words))
    return item
  }))
}
input.addEventListener("input", show)
input.addEventListener("focus", show)
form.addEventListener("submit", event => {
  event.preventDefault()
  list.querySelector("a")?.click()
})
form.addEventListener("keydown", event => {
  const links = [...list.querySelectorAll("a")]
  const at = links.indexOf(document.activeElement)
  if (event.key === "Escape") { input.focus(); panel.hidden = true }
  else if (event.key === "ArrowDown") links[Math.min(at + 1, links.length - 1)]?.focus()
  else if (event.key === "ArrowUp") (at > 0 ? links[at - 1] : input).focus()
  else return
  event.preventDefault()
})
addEventListener("click", event => { if (!form.contains(event.target)) panel.hidden = true })
addEventListener("keydown", event => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    event.preventDefault()
    input.focus()
  }
})
