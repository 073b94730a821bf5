package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// try is one line of the output.
type try struct {
	Bench      string  `json:"bench"`
	Fault      string  `json:"fault"`
	Try        int     `json:"try"`
	Controller bool    `json:"controller"`
	Partitions int     `json:"partitions"`
	LeaderMS   float64 `json:"leader_ms"`
	FreshMS    float64 `json:"fresh_ms"`
	AckMS      float64 `json:"ack_ms"`
}

// summary is the last line.
type summary struct {
	Bench  string  `json:"bench"`
	Fault  string  `json:"fault"`
	Tries  int     `json:"tries"`
	P50    float64 `json:"ms_p50"`
	Max    float64 `json:"ms_max"`
	Bound  float64 `json:"bound_ms"`
	Within int     `json:"within"`
	Acked  int     `json:"acked"`
	Errors int     `json:"errors"`
}

// Bounds that the issue sets: kill -9, and SIGSTOP with the default session of 9 s.
const (
	killBound = 2000
	stopBound = 11000
)

const partitions = 6

// The main goroutine keeps the main thread: the kernel ends our brokers when the thread that started them ends.
func init() { runtime.LockOSThread() }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	tries, fault := 20, os.Getenv("FAULT")
	if s := os.Getenv("TRIES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1000 {
			return fmt.Errorf("TRIES=%s: give a number from 1 to 1000", s)
		}
		tries = n
	}
	sig, bound := syscall.SIGKILL, float64(killBound)
	switch fault {
	case "", "kill":
		fault = "kill"
	case "stop":
		sig, bound = syscall.SIGSTOP, stopBound
	default:
		return fmt.Errorf("FAULT=%s: give kill or stop", fault)
	}
	if out, err := exec.Command("go", "build", "-o", "build/broker", "./cmd/broker").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s; run it from the top of the tree", err, out)
	}
	dir, err := os.MkdirTemp("", "seedlog-failover-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(tries)*2*time.Minute)
	defer cancel()
	c, err := startCluster(ctx, dir)
	if c != nil {
		defer c.end()
	}
	if err != nil {
		return err
	}
	return measure(ctx, c, fault, sig, bound, tries)
}

func measure(ctx context.Context, c *cluster, fault string, sig syscall.Signal, bound float64, tries int) error {
	if err := c.create(ctx); err != nil {
		return err
	}
	p, err := c.produce()
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	var acks []float64
	within := 0
	for i := range tries {
		x, err := c.try(ctx, p, sig, i%4 == 3)
		if err != nil {
			return fmt.Errorf("try %d: %w", i+1, err)
		}
		x.Bench, x.Fault, x.Try = "failover", fault, i+1
		if err := out.Encode(x); err != nil {
			return err
		}
		got := x.AckMS
		if sig == syscall.SIGSTOP {
			got = x.FreshMS
		}
		if acks = append(acks, got); got <= bound {
			within++
		}
	}
	acked, refused := p.end()
	slices.Sort(acks)
	err = out.Encode(summary{Bench: "failover", Fault: fault, Tries: tries, P50: acks[len(acks)/2], Max: acks[len(acks)-1], Bound: bound, Within: within, Acked: acked, Errors: refused})
	if within < tries {
		err = errors.Join(err, fmt.Errorf("%d of %d tries took longer than %v ms", tries-within, tries, bound))
	}
	return err
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
