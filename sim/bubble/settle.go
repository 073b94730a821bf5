package bubble

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// asyncPreemptOff keeps signals from stopping a goroutine anywhere.
const asyncPreemptOff = "asyncpreemptoff=1"

// Settle makes this process one in which a plan repeats: GOMAXPROCS=1 and no preemption by signals from its first instruction on. If it is
// not, the program is executed again in its place, with the same arguments. Call it first; in a build without the overlay it does nothing.
func Settle() error {
	debug := os.Getenv("GODEBUG")
	if !Exact || os.Getenv("GOMAXPROCS") == "1" && strings.Contains(debug, asyncPreemptOff) {
		return nil
	}
	if debug != "" {
		debug += ","
	}
	env := append(os.Environ(), "GOMAXPROCS=1", "GODEBUG="+debug+asyncPreemptOff)
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	runtime.LockOSThread()
	return fmt.Errorf("execute %s: %w", path, syscall.Exec(path, os.Args, unique(env)))
}

// unique keeps the last value of each variable.
func unique(env []string) []string {
	last := map[string]int{}
	for i, e := range env {
		name, _, _ := strings.Cut(e, "=")
		last[name] = i
	}
	var out []string
	for i, e := range env {
		if name, _, _ := strings.Cut(e, "="); last[name] == i {
			out = append(out, e)
		}
	}
	return out
}
