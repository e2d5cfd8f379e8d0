// browser.cjs: a browser that has no network, for what looks at pages.
"use strict"

const puppeteer = require("puppeteer-core")

exports.launch = () => puppeteer.launch({
  executablePath: process.env.CHROME_PATH,
  args: ["--host-resolver-rules=MAP * ~NOTFOUND", "--disable-gpu", "--disable-dev-shm-usage",
    ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
})

// newPage opens a tab. note gets what its pages report, and what they ask the network for.
exports.newPage = async (browser, note) => {
  const page = await browser.newPage()
  page.on("console", message => {
    if (["error", "warn"].includes(message.type())) note(message.text())
  })
  page.on("pageerror", error => note(error.message))
  page.on("requestfailed", request => note("failed: " + request.url().slice(0, 100)))
  page.on("request", request => {
    if (!/^(file|data|blob):/.test(request.url())) note("request: " + request.url())
  })
  return page
}
