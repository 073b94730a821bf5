//go:build mutants

package quorum

import (
	"os"
	"testing"

	"github.com/seedlog/seedlog/core/plant"
)

// TestMain plants the mutant that MUTANT names: then a test of this package must fail.
func TestMain(m *testing.M) {
	for id, name := range plant.Names {
		if name != "" && name == os.Getenv("MUTANT") {
			plant.Active = plant.ID(id)
		}
	}
	os.Exit(m.Run())
}
