// Command broker runs one Seedlog broker: it wires settings, the core's shards, real network and real disk together, and nothing else.
package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seedlog/seedlog/core/broker"
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/quorum"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/realdisk"
	"github.com/seedlog/seedlog/realnet"
)

func main() {
	began := time.Now()
	opt, err := parse(os.Args[1:])
	if err != nil {
		refuse(err)
	}
	node, warnings, err := opt.load()
	if err != nil {
		refuse(err)
	}
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, "warning:", w)
	}
	if opt.check {
		fmt.Fprintln(os.Stderr, "the settings are valid")
		return
	}
	os.Exit(run(node, began))
}

// refuse ends the process with one line that says what to do.
func refuse(err error) {
	fmt.Fprintln(os.Stderr, "error:", err)
	os.Exit(1)
}

// options are the command line.
type options struct {
	config, data string
	set          []string
	check        bool
}

const usage = "usage: broker [--config FILE] [--set key=value]... [--data DIR] [--check-config]"

func parse(args []string) (*options, error) {
	o := &options{}
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		name = "--" + strings.TrimLeft(name, "-")
		switch name {
		case "--check-config":
			o.check = true
			continue
		case "--help", "--h":
			fmt.Fprintln(os.Stderr, usage)
			os.Exit(0)
		case "--config", "--set", "--data":
		default:
			return nil, fmt.Errorf("unknown argument %s; %s", args[i], usage)
		}
		if !has {
			if i++; i == len(args) {
				return nil, fmt.Errorf("%s needs a value; %s", name, usage)
			}
			value = args[i]
		}
		switch name {
		case "--config":
			o.config = value
		case "--data":
			o.data = value
		case "--set":
			o.set = append(o.set, value)
		}
	}
	return o, nil
}

func (o *options) load() (*config.Node, []string, error) {
	a := config.Args{Env: os.Environ(), Set: o.set, Data: o.data}
	if o.config != "" {
		b, err := os.ReadFile(o.config)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read the settings: %v; check --config", err)
		}
		a.File, a.FileName = string(b), o.config
	}
	return config.Load(a)
}

// shardCount is how many shards serve where the settings leave it open: what costs is hand-offs between threads, so few (DESIGN.md, Shards).
func shardCount(node *config.Node) int {
	if node.Shards > 0 {
		return int(node.Shards)
	}
	return max(1, min(4, runtime.NumCPU()/2))
}

func run(node *config.Node, began time.Time) int {
	raiseFileLimit()
	n := shardCount(node)
	lanes := 0
	if node.Clustered {
		lanes = 1
	}
	runtime.GOMAXPROCS(realnet.Threads(n + lanes))
	var seed [8]byte
	rand.Read(seed[:])
	disk := realdisk.New(realdisk.Config{Shards: n + lanes})
	cfg := realnet.Config{
		Disk:     disk,
		Lanes:    lanes,
		Log:      logLine,
		MaxFrame: int(node.SocketRequestMaxBytes),
	}
	for i := range n {
		pool := &buf.Pool{}
		cfg.Pools = append(cfg.Pools, pool)
		cfg.Shards = append(cfg.Shards, broker.New(broker.Options{
			Node: node, Shard: i, Shards: n, Pool: pool, Seed: binary.BigEndian.Uint64(seed[:]) + uint64(i),
		}))
	}
	r := &running{node: node, disk: disk, began: began}
	if node.Clustered {
		cfg.Pools = append(cfg.Pools, &buf.Pool{})
		cfg.Shards = append(cfg.Shards, r.lane(n))
	}
	for _, l := range node.Listeners {
		cfg.Listeners = append(cfg.Listeners, realnet.Listener{Name: l.Name, Addr: net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port)))})
	}
	for _, l := range node.ControllerListeners {
		cfg.Listeners = append(cfg.Listeners, realnet.Listener{Name: l.Name, Addr: net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port))), Inner: true})
	}
	cfg.Ready = r.ready
	nw, err := realnet.New(cfg)
	if err != nil {
		refuse(err)
	}
	r.net.Store(nw)
	if err := r.advertise(); err != nil {
		refuse(err)
	}
	if err := r.serveAdmin(n); err != nil {
		refuse(err)
	}
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		nw.Stop()
	}()
	fatal, code := nw.Run()
	if fatal != "" {
		fmt.Fprintln(os.Stderr, "error:", fatal)
	}
	return code
}

// running is what the ready line tells of.
type running struct {
	node    *config.Node
	disk    *realdisk.Disk
	net     atomic.Pointer[realnet.Node] // nil until the listeners are bound
	began   time.Time
	admin   string
	figures *figures
}

// lane makes the quorum's actor, whose goroutines wake it by mail.
func (r *running) lane(shards int) *quorum.Node {
	var seed [8]byte
	rand.Read(seed[:])
	return quorum.New(quorum.Options{
		Node: r.node, Lane: shards, LogDir: r.node.LogDir, Held: true, Rand: prng.New(binary.BigEndian.Uint64(seed[:])),
		Wake: func() { r.net.Load().Post(step.Mail{Kind: link.MailWake, To: int32(shards)}) },
	})
}

// advertise fills in what the settings left to the system: the ports that were bound, and a host that a client can use.
func (r *running) advertise() error {
	for i, addr := range r.net.Load().Addrs() {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return err
		}
		p, _ := strconv.Atoi(port)
		var a *config.Listener
		if k := i - len(r.node.Advertised); k < 0 {
			a = &r.node.Advertised[i]
		} else {
			a = &r.node.ControllerAdvertise[k]
		}
		if a.Port == 0 {
			a.Port = int32(p)
		}
		if a.Host == "" {
			a.Host = usableHost(host)
		}
	}
	return nil
}

// usableHost gives what clients elsewhere can dial where the listener takes every address.
func usableHost(host string) string {
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
		return host
	}
	if name, err := os.Hostname(); err == nil {
		if _, err := net.LookupHost(name); err == nil {
			return name
		}
	}
	return "localhost"
}

func (r *running) ready() {
	r.figures.ready.Store(true)
	var ls []string
	shown := r.node.Advertised
	if !r.node.Broker {
		shown = r.node.ControllerAdvertise
	}
	for _, l := range shown {
		ls = append(ls, l.Name+"://"+net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port))))
	}
	fmt.Printf("ready node.id=%d cluster.id=%s listeners=%s admin=http://%s data=%s ms=%d\n",
		r.node.NodeID, r.clusterID(), strings.Join(ls, ","), r.admin, r.node.LogDir, time.Since(r.began).Milliseconds())
}

func logLine(l step.LogLine) {
	level := [...]string{"INFO", "WARN", "ERROR"}[l.Level]
	fmt.Fprintf(os.Stderr, "%s %s %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), level, l.Text)
}

func raiseFileLimit() {
	var lim syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim) == nil {
		lim.Cur = lim.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim) // the kernel's limit stays: the core reports a shortage
	}
}
