package report

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// browserFound is what testdata/browser.mjs says.
type browserFound struct {
	Errors, Requests, Unnamed, Contrast, Said []string
	Overflow                                  []int
	Axis                                      struct {
		All, Plus, Right, Minus, Button, Violation, Link [2]float64
		Wanted                                           float64
	}
	WithoutScript string
	Scheme        struct {
		Light, Dark, Print, Turned [3]int // of a place without anything on the time axis
		Folded                     int    // sections that paper would not show
		Paper                      string
	}
}

// The page in a real browser: SEEDLOG_PLAYWRIGHT is a directory with node_modules/playwright-core (npm install playwright-core), and chromium is
// Debian's. SEEDLOG_REPORT is another page to open, SEEDLOG_SHOTS a directory for screenshots.
func TestThePageWorksInABrowser(t *testing.T) {
	dir := os.Getenv("SEEDLOG_PLAYWRIGHT")
	node, noNode := exec.LookPath("node")
	chromium, noChromium := exec.LookPath("chromium")
	if dir == "" || noNode != nil || noChromium != nil {
		t.Skip("no browser: apt-get install chromium nodejs; npm install playwright-core in a directory, and name it in SEEDLOG_PLAYWRIGHT")
	}
	page := os.Getenv("SEEDLOG_REPORT")
	if page == "" {
		page = filepath.Join(t.TempDir(), "page.html")
		require.NoError(t, os.WriteFile(page, []byte(written(t, broken(), nil)), 0o644))
	}
	dir, err := filepath.Abs(dir)
	require.NoError(t, err)
	cmd := exec.Command(node, "testdata/browser.mjs", dir, chromium, page, os.Getenv("SEEDLOG_SHOTS"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var f browserFound
	require.NoError(t, json.Unmarshal(out, &f), string(out))
	require.Empty(t, f.Errors, "the console")
	require.Empty(t, f.Requests, "the page asks for nothing from outside")
	require.Empty(t, f.Overflow, "widths at which the page is wider than the window")
	require.Empty(t, f.Unnamed, "tables without headers")
	require.Empty(t, f.Contrast, "text that is hard to read")
	require.Contains(t, f.WithoutScript, "What went wrong")
	width := func(x [2]float64) float64 { return x[1] - x[0] }
	a := &f.Axis
	require.Zero(t, a.All[0])
	require.InDelta(t, width(a.All)/2, width(a.Plus), 2)
	require.Greater(t, a.Right[0], a.Plus[0])
	require.Greater(t, width(a.Minus), width(a.Right))
	require.Less(t, width(a.Button), width(a.Minus))
	require.Less(t, width(a.Violation), width(a.All))
	require.Less(t, a.Link[0], a.Wanted)
	require.Greater(t, a.Link[1], a.Wanted)
	s := &f.Scheme
	require.Equal(t, [3]int{255, 255, 255}, s.Light)
	require.Less(t, s.Dark[0], 60, "the canvas is as dark as the page")
	require.Equal(t, s.Light, s.Print, "paper is light")
	require.Equal(t, s.Light, s.Turned, "and so is a page that turns")
	require.Equal(t, "rgb(255, 255, 255)", s.Paper)
	require.Zero(t, s.Folded)
	require.Greater(t, len(f.Said), 6, "what lies under the pointer: %v", f.Said)
}
