package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"

	"github.com/seedlog/seedlog/sim/fault"
)

// mostLine bounds a line of a file of lines.
const mostLine = 64 << 20

// showCoverage adds up the runs whose lines stand in files, as run writes them; other lines are passed over. It writes text for people, since
// the summary of run has the same for machines.
func showCoverage(files []string) int {
	if len(files) == 0 {
		return fail(fmt.Errorf("coverage takes files of the lines that sim run writes"))
	}
	e := reached()
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return fail(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(b))
		for lines.Buffer(nil, mostLine); lines.Scan(); {
			if l, ok := decodeLine(lines.Bytes()); ok && l.Coverage != nil {
				e.Add(l.Coverage)
			}
		}
		if err := lines.Err(); err != nil {
			return fail(fmt.Errorf("%s: %w", name, err))
		}
	}
	var classes []string
	for c := fault.None + 1; c < fault.Count; c++ {
		classes = append(classes, c.String())
	}
	w := bufio.NewWriter(os.Stdout)
	e.Summary().Full(w, classes)
	if err := w.Flush(); err != nil {
		return fail(err)
	}
	return exitPass
}
