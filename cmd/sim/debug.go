package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/seedlog/seedlog/sim/debug"
	"github.com/seedlog/seedlog/sim/plan"
)

// debugSeed is a session of sim/debug over a seed or a plan: commands on standard input, what they give on standard output. Each of its
// runs has a process of its own, of which it is the first and only one.
func debugSeed(o *options, args []string) int {
	switch {
	case len(args) == 1 && o.plan == "":
		o.seed = args[0]
	case len(args) > 0:
		return fail(fmt.Errorf("debug takes one seed, or -plan"))
	case o.seed == "" && o.plan == "":
		return fail(fmt.Errorf("debug takes a seed, or -plan FILE"))
	}
	p, err := o.given()
	if err != nil {
		return fail(err)
	}
	if o.mutant == "" {
		o.mutant = p.Mutant
	}
	if o.serve {
		return serve(o, p)
	}
	dir, err := os.MkdirTemp("", "sim")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "plan.json")
	q := p.Clone()
	q.Mutant = ""
	if err := os.WriteFile(file, q.Encode(), 0o644); err != nil {
		return fail(err)
	}
	info, err := os.Stdin.Stat()
	typed := err == nil && info.Mode()&os.ModeCharDevice != 0
	if typed {
		fmt.Printf("seed %d, %d nodes, flush=%s; help lists the commands\n", p.Seed, p.Nodes, p.Flush)
	}
	s := debug.Session{Open: func() (debug.World, error) { return o.world(file) }, Out: os.Stdout, Prompt: typed}
	ok, err := s.Run(os.Stdin)
	switch {
	case err != nil:
		return fail(err)
	case !ok && !typed:
		return exitHarness
	}
	return exitPass
}

// request is what a session asks of the process of a run: to go somewhere, or to show something.
type request struct {
	Go      *debug.Target `json:",omitempty"`
	Command string        `json:",omitempty"`
	Args    []string      `json:",omitempty"`
}

// reply answers a request. Error is the user's mistake.
type reply struct {
	Stop  *debug.Stop `json:",omitempty"`
	Text  string      `json:",omitempty"`
	Error string      `json:",omitempty"`
}

// serve holds a run, and answers requests on standard input, one JSON line each, until it ends.
func serve(o *options, p *plan.Plan) int {
	if err := settle(o, p); err != nil {
		return fail(err)
	}
	s, err := systems[o.system].prepare(p, o.mutant)
	if err != nil {
		return fail(err)
	}
	if o.logs {
		s.opt.Log = logLine
	}
	if s.observe != nil {
		s.observe()
	}
	w := debug.NewLocal(p, s.opt, s.run)
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var q request
		if err := in.Decode(&q); err == io.EOF {
			return exitPass
		} else if err != nil {
			return fail(err)
		}
		if err := out.Encode(answer(w, &q)); err != nil {
			return fail(err)
		}
	}
}

func answer(w debug.World, q *request) (r reply) {
	var err error
	if q.Go != nil {
		r.Stop, err = w.Go(*q.Go)
	} else {
		r.Text, err = w.Show(q.Command, q.Args)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// remote is a run in another process.
type remote struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	ask  *json.Encoder
	hear *json.Decoder
	errs bytes.Buffer // what it says on standard error, if that is not shown
}

var _ debug.World = (*remote)(nil)

// world starts a process that holds a run of a plan's file.
func (o *options) world(file string) (debug.World, error) {
	r := &remote{cmd: exec.Command(os.Args[0], "debug", "-serve", "-plan", file, "-mutant", o.mutant, "-system", o.system, "-flush", "", "-seed", "")}
	r.cmd.Env = append(os.Environ(), "PLAN=", "SEED=", "REPORT=", "GOMAXPROCS=1")
	r.cmd.Stderr = &r.errs
	if o.logs {
		r.cmd.Args, r.cmd.Stderr = append(r.cmd.Args, "-logs"), io.MultiWriter(os.Stderr, &r.errs)
	}
	in, err := r.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.in, r.ask, r.hear = in, json.NewEncoder(in), json.NewDecoder(bufio.NewReader(out))
	return r, r.cmd.Start()
}

// Go implements debug.World.
func (r *remote) Go(t debug.Target) (*debug.Stop, error) {
	a, err := r.call(request{Go: &t})
	return a.Stop, err
}

// Show implements debug.World.
func (r *remote) Show(command string, args []string) (string, error) {
	a, err := r.call(request{Command: command, Args: args})
	return a.Text, err
}

func (r *remote) call(q request) (a reply, err error) {
	if err = r.ask.Encode(q); err == nil {
		err = r.hear.Decode(&a)
	}
	if err != nil {
		r.Close()
		return a, &debug.Gone{Why: fmt.Sprintf("the process of the run has ended: %s", bytes.TrimSpace(tail(r.errs.Bytes())))}
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s", a.Error)
	}
	return a, nil
}

// Close implements debug.World. The process ends with its input.
func (r *remote) Close() {
	r.in.Close()
	if err := r.cmd.Wait(); err != nil && r.errs.Len() == 0 {
		fmt.Fprintln(&r.errs, err)
	}
}
