//go:build mutants

package group

import (
	"testing"

	"github.com/seedlog/seedlog/core/plant"
)

// P6: a group answered before its record is below the high watermark.
func TestTheOracleSeesMutantP6(t *testing.T) {
	for _, line := range []string{"C: commit offsets=t1-0:7", "F: fetch offsets=t1-0"} {
		run := func() []string {
			w := newWorld()
			if line[0] == 'F' {
				w.send("C", ClientInfo{}, w.request("commit", args{"offsets": "t1-0:7"}))
			}
			w.run(t, line)
			return w.early
		}
		if early := run(); len(early) > 0 {
			t.Fatalf("%s: without the mutant: %v", line, early)
		}
		plant.Active, plant.Hits = plant.P6, 0
		early := run()
		plant.Active = plant.None
		if len(early) == 0 || plant.Hits == 0 {
			t.Fatalf("%s: the mutant was not seen; its site was reached %d times", line, plant.Hits)
		}
	}
}
