// pack.mjs puts what build.sh has made into a folder of the site, as scripts: a
// page from the disk may load those, and nothing else.
// Usage: NODE_PATH=… node pack.mjs STATE OUT
//   STATE  the directory that build.sh prints
// It prints how many megabytes a page loads. site.sh calls it.
import fs from "node:fs"
import path from "node:path"
import zlib from "node:zlib"

const [from, out] = process.argv.slice(2)
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname)
const modules = process.env.NODE_PATH
fs.mkdirSync(out, { recursive: true })

const partSize = 3 << 20 // a multiple of 3: no part but the last is filled up

// pack writes a file as scripts, and returns what the page has to know of them.
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

const manifest = {
  memory: 256 << 20,
  wasm: pack("wasm", zlib.gzipSync(fs.readFileSync(path.join(modules, "v86/build/v86.wasm")), { level: 9 })),
  state: pack("state", fs.readFileSync(path.join(from, "state.zst"))),
}
fs.writeFileSync(path.join(out, "manifest.js"), `machineManifest = ${JSON.stringify(manifest, null, 1)}\n`)

// Their sources' maps are not here.
const copy = (file, to) => fs.writeFileSync(path.join(out, to),
  fs.readFileSync(path.join(modules, file), "utf8").replace(/\n?\/\/# sourceMappingURL=.*\n?$/, "\n"))
copy("v86/build/libv86.js", "v86.js")
copy("@xterm/xterm/lib/xterm.js", "xterm.js")
copy("@xterm/addon-fit/lib/addon-fit.js", "addon-fit.js")
// One style sheet less to wait for.
fs.writeFileSync(path.join(out, "panel.css"),
  fs.readFileSync(path.join(modules, "@xterm/xterm/css/xterm.css"), "utf8") +
  fs.readFileSync(path.join(here, "panel.css"), "utf8"))
for (const name of ["panel.js", "typist.js"]) fs.copyFileSync(path.join(here, name), path.join(out, name))

const megabytes = fs.readdirSync(out).reduce((sum, name) => sum + fs.statSync(path.join(out, name)).size, 0) / 1e6
console.log(Math.round(megabytes))
