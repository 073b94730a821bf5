package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tested says whether a test of the core, "core/txn TestName", fails with a mutant and passes without it. The test is built as `go test` does.
func tested(test, mutant string) (bool, error) {
	pkg, name, ok := strings.Cut(test, " ")
	if !ok {
		return false, fmt.Errorf("test %q; use a package and a name", test)
	}
	dir, err := os.MkdirTemp("", "sim")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "core.test")
	if out, err := exec.Command("go", "test", "-c", "-tags", "mutants", "-o", bin, "./"+pkg).CombinedOutput(); err != nil {
		return false, fmt.Errorf("go test -c ./%s: %w\n%s", pkg, err, tail(out))
	}
	with, clean := said(bin, pkg, name, mutant), said(bin, pkg, name, "")
	return strings.Contains(with, "--- FAIL: "+name+" ") && strings.Contains(clean, "--- PASS: "+name+" "), nil
}

// said is what one test of a program of tests says. That it fails is told by that alone.
func said(bin, pkg, name, mutant string) string {
	cmd := exec.Command(bin, "-test.v", "-test.run", "^"+name+"$")
	cmd.Dir, cmd.Env = pkg, append(os.Environ(), "MUTANT="+mutant)
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	return string(out)
}
