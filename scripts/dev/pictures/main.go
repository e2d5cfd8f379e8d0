/*
Pictures makes the pictures of the texts, docs/pictures/*.svg: one for each
lesson, from scripts/lessons.tsv, and some about what a lesson is about.

Usage, in the directory of the repository:

	go run ./scripts/dev/pictures

They are seen on slides, and as an <img> on a code host, 800 pixels wide, in
light and dark, on paper in black and white, and by screen readers. So each has
a background, a title and a description, text in large letters, and marks what
is new by more than a colour.
*/
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"namespaces/internal/lessons"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("pictures: ")
	if err := write("."); err != nil {
		log.Fatal(err)
	}
}

// write makes all pictures of a repository.
func write(repo string) error {
	all, err := pictures(repo)
	if err != nil {
		return fmt.Errorf("%w\n  run it in the directory of the repository", err)
	}
	for _, p := range all {
		file := filepath.Join(repo, "docs", "pictures", p.name+".svg")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(p.svg()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pictures draws all pictures.
func pictures(repo string) ([]*picture, error) {
	rows, err := lessons.Read(repo)
	if err != nil {
		return nil, err
	}
	var all []*picture
	for i := range rows {
		all = append(all, drawLesson(rows[:i+1]))
	}
	return append(all, drawHotel(), drawPropagation(), drawNetwork(), drawUIDMaps(),
		drawPivotRoot(), drawCgroups(), drawContainer()), nil
}
