module namespaces/scripts/dev/site

go 1.22

require (
	github.com/alecthomas/chroma/v2 v2.20.0
	github.com/pmezard/go-difflib v1.0.0
	github.com/yuin/goldmark v1.8.7
)

require github.com/dlclark/regexp2 v1.11.5 // indirect
