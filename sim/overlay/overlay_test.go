package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnEditThatMatchesNotOrTwiceIsRefused(t *testing.T) {
	s := source{"x.go", []edit{{"one", "two"}}}
	for _, text := range []string{"", "on e", "one and one"} {
		if got, err := s.apply(text); err == nil || !strings.Contains(err.Error(), "x.go") || !strings.Contains(err.Error(), "edits.go") {
			t.Errorf("%q became %q, error %v; want an error that names the file and where to change the edit", text, got, err)
		}
	}
	if got, err := s.apply("just one match"); err != nil || got != "just two match" {
		t.Errorf("got %q, %v", got, err)
	}
}

func goroot(t *testing.T) string {
	t.Helper()
	b, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestTheInstalledRuntimeTakesEveryEditAndStaysAsItIs(t *testing.T) {
	dir, out := filepath.Join(goroot(t), "src", "runtime"), t.TempDir()
	if err := write(dir, out); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(out, "overlay.json"))
	if err != nil {
		t.Fatal(err)
	}
	var o struct{ Replace map[string]string }
	if err := json.Unmarshal(b, &o); err != nil || len(o.Replace) != len(sources)+1 {
		t.Fatalf("%d files, %v", len(o.Replace), err)
	}
	for from, to := range o.Replace {
		text, err := os.ReadFile(to)
		if err != nil || !strings.Contains(string(text), "seeded") {
			t.Errorf("%s: %v, or no edit in it", to, err)
		}
		if old, err := os.ReadFile(from); err == nil && strings.Contains(string(old), "seeded.") {
			t.Errorf("%s was changed", from)
		}
	}
}

func TestARuntimeOfAnotherTimeEndsTheCommand(t *testing.T) {
	dir := t.TempDir()
	for _, s := range sources {
		if err := os.WriteFile(filepath.Join(dir, s.name), []byte("package runtime\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	if err := write(dir, out); err == nil {
		t.Fatal("no error")
	}
	if _, err := os.Stat(filepath.Join(out, "overlay.json")); err == nil {
		t.Fatal("an overlay was written all the same")
	}
	if err := write(filepath.Join(dir, "none"), out); err == nil {
		t.Fatal("no error for a folder that is not there")
	}
}

func TestAFileThatIsUpToDateIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := keep(path, "a"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	if err := keep(path, "a"); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(path); !after.ModTime().Equal(before.ModTime()) {
		t.Fatal("it was written again")
	}
}
