// pack.mjs puts what build.sh made into a folder of the site, as scripts: a page from the
// disk may load nothing else.
// Usage: NODE_PATH=… node pack.mjs STATE OUT
//   STATE  the directory that build.sh prints
// It prints how many megabytes a page loads. site.sh calls it.
import fs from "node:fs"
import { execFileSync } from "node:child_process"
import path from "node:path"
import zlib from "node:zlib"

const [from, out] = process.argv.slice(2)
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname)
const modules = process.env.NODE_PATH
fs.mkdirSync(out, { recursive: true })

const partSize = 3 << 20 // a multiple of 3, so that only the last part is padded

// pack writes a file as scripts, and returns what the page has to know about them.
function pack(name, bytes) {
  const parts = []
  for (let at = 0; at < bytes.length; at += partSize) {
    const part = `${name}-${parts.length}.js`
    const text = bytes.subarray(at, at + partSize).toString("base64")
    fs.writeFileSync(path.join(out, part), `machinePart("${part}","${text}")\n`)
    parts.push({ name: part, length: text.length })
  }
  return { bytes: bytes.length, parts }
}

// The steps of each lesson's guide: number, terminal, command, what becomes true.
const repo = path.join(here, "../../..")
const steps = Object.fromEntries(fs.readdirSync(repo).filter(name => fs.existsSync(path.join(repo, name, "steps.sh")))
  .map(name => [name, execFileSync(path.join(repo, "scripts/follow.sh"), ["--steps", name], { encoding: "utf8" })
    .trim().split("\n").map(line => line.split("\t"))]))

const manifest = {
  steps,
  memory: 256 << 20,
  wasm: pack("wasm", zlib.gzipSync(fs.readFileSync(path.join(modules, "v86/build/v86.wasm")), { level: 9 })),
  unpacked: fs.statSync(path.join(from, "state")).size,
  state: pack("state", fs.readFileSync(path.join(from, "state.zst"))),
}
fs.writeFileSync(path.join(out, "manifest.js"), `machineManifest = ${JSON.stringify(manifest, null, 1)}\n`)

// The source maps of the scripts are not here.
const copy = (file, to) => fs.writeFileSync(path.join(out, to),
  fs.readFileSync(path.join(modules, file), "utf8").replace(/\n?\/\/# sourceMappingURL=.*\n?$/, "\n"))
copy("v86/build/libv86.js", "v86.js")
copy("@xterm/xterm/lib/xterm.js", "xterm.js")
copy("@xterm/addon-fit/lib/addon-fit.js", "addon-fit.js")
// The page has to wait for one style sheet less.
fs.writeFileSync(path.join(out, "panel.css"),
  fs.readFileSync(path.join(modules, "@xterm/xterm/css/xterm.css"), "utf8") +
  fs.readFileSync(path.join(here, "panel.css"), "utf8"))
for (const name of ["panel.js", "typist.js"]) fs.copyFileSync(path.join(here, name), path.join(out, name))

fs.copyFileSync(path.join(from, "about.tar.gz"), path.join(out, "licences.tar.gz"))

const version = name => JSON.parse(fs.readFileSync(path.join(modules, name, "package.json"), "utf8")).version
const rows = fs.readFileSync(path.join(from, "packages.tsv"), "utf8").trim().split("\n").map(line => line.split("\t"))
for (const [name, note] of [["v86", "the emulator, BSD-2-Clause"], ["@xterm/xterm", "the terminals, MIT"],
  ["@xterm/addon-fit", "their size, MIT"]]) rows.push([name, version(name), "npm: " + name, note])
fs.writeFileSync(path.join(out, "sources.html"), `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What is in the machine</title>
<link rel="stylesheet" href="../style.css">
<body><main>
<h1>What is in the machine</h1>
<p>A kernel, programs of Debian, the lessons, and an emulator to run them. Most of it is under the
GNU General Public License, and so this folder may be passed on to others together with the sources,
or with an offer of them. <code>scripts/dev/site.sh --sources DIR</code> collects them, in these
versions. <a href="licences.tar.gz">licences.tar.gz</a> has the texts of all licences, the kernel's
configuration, and the scripts that build the machine.</p>
<div class="scroll"><table>
<thead><tr><th>package</th><th>version</th><th>source</th><th>its version</th></tr></thead>
<tbody>
${rows.map(row => `<tr>${row.map(cell => `<td>${cell.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</td>`).join("")}</tr>`).join("\n")}
</tbody></table></div>
<p><a href="../index.html">Back to the course</a></p>
</main></body>
</html>
`)
fs.writeFileSync(path.join(out, "README.txt"), `This folder has a small Linux that runs in a web page. The pages beside it
load it; nothing here is opened by hand but sources.html, which says what is in it.

To publish it, on a server or on sticks, is to distribute programs under the GNU
General Public License: pass on their sources, too, or offer them. In the course's
repository, scripts/dev/site.sh --sources DIR collects them.
`)

const megabytes = fs.readdirSync(out).reduce((sum, name) => sum + fs.statSync(path.join(out, name)).size, 0) / 1e6
console.log(Math.round(megabytes))
