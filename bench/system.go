package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// system is one broker under measurement.
type system struct {
	name, flush string
	settings    []string                             // of our brokers, beside those that all have
	start       func(context.Context, *system) error // sets what follows
	stop        func() error
	kill        func() error                // ends the process alone
	again       func(context.Context) error // starts it once more with its data, after it was killed; nil: only ours can
	scrap       bool                        // stop removes its data
	addr        string
	pid         int
	admin       string  // URL of its figures, "" if it has none
	readyMS     float64 // from exec until it serves
	warmGB      float64
	topics      int       // made so far: each load has a topic of its own
	producers   int64     // ids given out
	dir         string    // of the bare disk, which is no broker
	data        string    // the directory of one broker
	nodes       []*system // of a cluster; addr and pid are the first one's
}

func (b *bench) begin(ctx context.Context, s *system) error {
	if err := s.start(ctx, s); err != nil {
		return fmt.Errorf("starting %s: %w", s.name, err)
	}
	b.running = append(b.running, s)
	return nil
}

func (b *bench) end(s *system) {
	for i, r := range b.running {
		if r == s {
			b.running = append(b.running[:i], b.running[i+1:]...)
			break
		}
	}
	if err := s.stop(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: stopping %s: %v\n", s.name, err)
	}
}

// stopBut ends every system but one.
func (b *bench) stopBut(keep *system) {
	for _, s := range append([]*system(nil), b.running...) {
		if s != keep {
			b.end(s)
		}
	}
}

func (b *bench) stopAll() { b.stopBut(nil) }

// startBroker starts a build of our own broker on an empty directory, and waits for its ready line.
func (b *bench) startBroker(ctx context.Context, s *system, path string) error {
	b.brokers++
	data := filepath.Join(b.dir, strconv.Itoa(b.brokers))
	s.topics, s.scrap, s.data = 0, false, data
	s.again = func(ctx context.Context) error { return s.startOn(ctx, path, data) }
	return s.again(ctx)
}

func (s *system) startOn(ctx context.Context, path, data string) error {
	began := time.Now()
	cmd, err := launch(path, data, append([]string{"listeners=PLAINTEXT://127.0.0.1:0", "flush.policy=" + s.flush}, s.settings...)...)
	if err != nil {
		return err
	}
	s.pid = cmd.Process.Pid
	// The data stay until the end of bench: some file systems (ext4 without a journal) create files many times slower while many were deleted just before.
	s.kill = func() error { return end(cmd.Cmd) }
	s.stop = func() error {
		err := s.kill()
		if s.scrap {
			err = errors.Join(err, os.RemoveAll(data))
		}
		return err
	}
	line, err := readyLine(ctx, cmd.out)
	s.readyMS = ms(time.Since(began))
	if err != nil {
		log, _ := os.ReadFile(data + ".log")
		return errors.Join(err, s.stop(), fmt.Errorf("its log: %s", log))
	}
	_, rest, _ := strings.Cut(line, "listeners=PLAINTEXT://")
	s.addr, _, _ = strings.Cut(rest, " ")
	s.admin = adminOf(line)
	return nil
}

// adminOf is where a broker that has written this line shows its figures.
func adminOf(ready string) string {
	_, rest, _ := strings.Cut(ready, " admin=")
	at, _, _ := strings.Cut(rest, " ")
	return at
}

// process is a broker of ours that runs.
type process struct {
	*exec.Cmd
	out io.Reader
}

// launch starts a build of our own broker with settings beside the defaults. Its log is beside its data.
func launch(path, data string, settings ...string) (*process, error) {
	errs, err := os.Create(data + ".log")
	if err != nil {
		return nil, err
	}
	defer errs.Close()
	args := []string{"--data", data, "--set", "admin.listener=127.0.0.1:0"}
	for _, x := range settings {
		args = append(args, "--set", x)
	}
	cmd := exec.Command(path, args...)
	cmd.Stderr = errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &process{cmd, out}, cmd.Start()
}

// maxStart bounds the wait for a broker's ready line.
const maxStart = 30 * time.Second

func readyLine(ctx context.Context, out interface{ Read([]byte) (int, error) }) (string, error) {
	type result struct {
		line string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		line, err := bufio.NewReader(out).ReadString('\n')
		got <- result{line, err}
	}()
	select {
	case r := <-got:
		if r.err == nil && !strings.HasPrefix(r.line, "ready ") {
			r.err = fmt.Errorf("unexpected line %q", r.line)
		}
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(maxStart):
		return "", errors.New("no ready line in time")
	}
}

// end kills a broker: its data are thrown away, so there is nothing that an orderly stop would save.
func end(cmd *exec.Cmd) error {
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	_ = cmd.Wait() // says that it was killed
	return nil
}

// startKafka starts Apache Kafka through kafka-peer. Its port and the one 1000 above lie below the range of ports that the kernel gives to clients.
func (b *bench) startKafka(ctx context.Context, s *system) error {
	p, err := b.kafkaPeer()
	if err != nil {
		return err
	}
	port, err := kafkaPort()
	if err != nil {
		return err
	}
	s.stop = func() error {
		defer os.RemoveAll(p.node(port))
		_, err := p.call(context.Background(), "stop", "--port", port)
		return err
	}
	pid, err := p.call(ctx, "start", "--port", port, "--fresh", "--set", "log.segment.delete.delay.ms=1000")
	if err == nil {
		s.pid, err = strconv.Atoi(pid)
	}
	if err != nil {
		return errors.Join(err, s.stop())
	}
	ready, err := os.ReadFile(filepath.Join(p.node(port), "ready_ms"))
	if err != nil {
		return errors.Join(err, s.stop())
	}
	s.readyMS, _ = strconv.ParseFloat(strings.TrimSpace(string(ready)), 64)
	s.addr, s.topics, s.data = "127.0.0.1:"+port, 0, p.node(port)
	return nil
}

// peer is the script that runs Apache Kafka.
type peer struct{ script, home string }

func (b *bench) kafkaPeer() (*peer, error) {
	script, err := filepath.Abs(filepath.Join(b.peer, "kafka-peer"))
	if err != nil {
		return nil, err
	}
	home := os.Getenv("KAFKA_PEER_DIR")
	if home == "" {
		home, err = filepath.Abs("build/kafka-peer")
	}
	return &peer{script, home}, err
}

// node is where the node on a port keeps what it has.
func (p *peer) node(port string) string { return filepath.Join(p.home, "node-"+port) }

func (p *peer) call(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.script, append([]string{"--dir", p.home}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", p.script, err, errs.Bytes())
	}
	return strings.TrimSpace(out.String()), nil
}

// kafkaPort finds a port that is free together with the one 1000 above.
func kafkaPort() (string, error) {
	for range 100 {
		port := 20_000 + rand.IntN(10_000)
		if free(port) && free(port+1000) {
			return strconv.Itoa(port), nil
		}
	}
	return "", errors.New("no free port between 20000 and 31000")
}

func free(port int) bool {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
