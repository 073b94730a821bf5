package broker

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

var rewrite = flag.Bool("rewrite", false, "record the scripts' output anew")

// TestScriptsGiveTheRecordedOutput runs testdata/*.txt. A step is one or more commands, a line of four dashes, and what came of it, up to
// an empty line. Nothing happens by itself: a command takes one step of a shard, and mail, disk and sends wait for run, or for being
// delivered by hand. The commands are those of (*script).commands.
func TestScriptsGiveTheRecordedOutput(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) == 0 {
		t.Fatal("no scripts")
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { runScript(t, f) })
	}
}

func runScript(t *testing.T, file string) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, disk: newMemDisk(), clients: map[string]*client{}, held: map[string]bool{}, seen: map[*client]int{}, gone: map[*client]bool{}}
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimRight(string(raw), "\n"), "\n\n") {
		cmds, want, isStep := strings.Cut(block, "\n----")
		if !isStep && strings.HasPrefix(block, "#") {
			out.WriteString(block + "\n\n")
			continue
		}
		s.lines = nil
		for _, line := range strings.Split(cmds, "\n") {
			if line != "" && line[0] != '#' {
				s.command(line)
			}
		}
		got := strings.Join(s.lines, "\n")
		if got == "" {
			got = "nothing"
		}
		fmt.Fprintf(&out, "%s\n----\n%s\n\n", cmds, got)
		if want = strings.TrimPrefix(want, "\n"); !*rewrite && want != got {
			t.Errorf("%s: after\n%s\nwant\n%s\ngot\n%s", file, cmds, want, got)
		}
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type script struct {
	t       *testing.T
	n       *node
	disk    *memDisk
	clients map[string]*client
	order   []*client
	held    map[string]bool // disk kinds, "from>to" of mail, "sent"
	seen    map[*client]int // answers told
	gone    map[*client]bool
	logged  int
	fatal   bool
	ended   bool
	lines   []string
}

var kinds = map[string]disk.Kind{"open": disk.Open, "write": disk.Write, "sync": disk.Sync, "read": disk.Read, "truncate": disk.Truncate, "rename": disk.Rename, "syncdir": disk.SyncDir, "mkdir": disk.Mkdir, "list": disk.List}

func (s *script) command(line string) {
	words := strings.Fields(line)
	a := map[string]string{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		a[k] = v
	}
	num := func(k string, def int) int {
		if a[k] == "" {
			return def
		}
		v, err := strconv.Atoi(a[k])
		if err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		return v
	}
	s.do(words, a, num)
	s.tell()
}

func (s *script) do(words []string, a map[string]string, num func(string, int) int) {
	n := s.n
	switch words[0] {
	case "node": // shards=1: starts a node and waits until it serves; other words are settings
		s.start(num("shards", 1), words[1:])
	case "connect": // c= shard=0
		c := n.connect(num("shard", 0))
		c.name = a["c"]
		s.clients[c.name] = c
		s.order = append(s.order, c)
	case "close": // c=
		s.clients[a["c"]].close()
	case "topic": // c= name=t parts=1
		s.clients[a["c"]].send(createTopic(a["name"], int32(num("parts", 1))))
	case "delete": // c= name=t
		s.clients[a["c"]].send(deleteTopic(a["name"]))
	case "produce": // c= topic=t p=0 n=1 acks=all|1|0 timeout=5000
		acks := int16(-1)
		if a["acks"] != "" && a["acks"] != "all" {
			acks = int16(num("acks", 0))
		}
		q := produceTo(def(a["topic"], "t"), int32(num("p", 0)), acks, batchOf(num("n", 1), 10))
		q.TimeoutMillis = int32(num("timeout", 5000))
		s.clients[a["c"]].send(q)
	case "fetch": // c= topic=t p=0[,1…] from=0 wait=1000 min=1
		q := fetchFrom(def(a["topic"], "t"), 0, 0, int32(num("wait", 1000)), int32(num("min", 1)))
		q.Topics = nil
		for _, p := range strings.Split(def(a["p"], "0"), ",") {
			k, _ := strconv.Atoi(p)
			addFetch(q, def(a["topic"], "t"), int32(k), int64(num("from", 0)))
		}
		s.clients[a["c"]].send(q)
	case "commit": // c= group=g offset=1: commits for partition 0 of t
		s.clients[a["c"]].send(commitOf(a["group"], int64(num("offset", 1))))
	case "committed": // c= group=g
		s.clients[a["c"]].send(committedOf(a["group"]))
	case "coordinator": // c= group=g
		s.clients[a["c"]].send(findGroup(a["group"]))
	case "hold", "release": // disk=write mail=0>1 sent
		for _, w := range words[1:] {
			_, v, ok := strings.Cut(w, "=")
			if !ok {
				v = w
			}
			s.held[v] = words[0] == "hold"
		}
		n.holdSent = s.held["sent"]
	case "run": // everything that is not held
		n.run()
	case "wait": // ms=
		n.wait(clock.MS(int64(num("ms", 0))))
	case "mail": // from= to=: the oldest of the pair
		n.deliver(num("from", 0), num("to", 0))
	case "done": // disk=write shard=0 err=none|space|io: completes the oldest of a kind
		s.done(num("shard", 0), kinds[a["disk"]], a["err"])
	case "state": // topic=t p=0
		s.state(def(a["topic"], "t"), int32(num("p", 0)))
	case "stop":
		for _, x := range n.shards {
			x.step(step.Event{Kind: step.Stop})
		}
	case "kill":
		n.kill()
	case "files": // topic=t: directories of it
		s.say("%s", strings.TrimSpace("directories: "+strings.Join(s.disk.dirsOf(a["topic"]), " ")))
	default:
		s.t.Fatalf("no such command: %v", words)
	}
}

func def(v, d string) string {
	if v == "" {
		return d
	}
	return v
}

func (s *script) say(f string, a ...any) { s.lines = append(s.lines, fmt.Sprintf(f, a...)) }

func (s *script) start(shards int, words []string) {
	var set []string
	for _, w := range words {
		if !strings.HasPrefix(w, "shards=") {
			set = append(set, w)
		}
	}
	s.disk.kill()
	clear(s.held)
	s.n = newNode(s.t, s.disk, shards, set...)
	s.n.holdDisk = func(r *disk.Request) bool {
		for name, k := range kinds {
			if k == r.Kind && s.held[name] {
				return true
			}
		}
		return false
	}
	s.n.holdMail = func(from, to int) bool { return s.held[fmt.Sprintf("%d>%d", from, to)] }
	s.logged, s.fatal, s.ended = 0, false, false
	s.n.start()
	s.n.run()
	if s.n.shards[0].out.Ready {
		s.say("ready")
	}
}

// done completes the oldest request of a kind, with an error or as the disk does.
func (s *script) done(shard int, kind disk.Kind, err string) {
	x := s.n.shards[shard]
	i := slices.IndexFunc(x.disk, func(r disk.Request) bool { return r.Kind == kind })
	if i < 0 {
		s.say("no such request")
		return
	}
	r := x.disk[i]
	x.disk = slices.Delete(slices.Clone(x.disk), i, i+1)
	c := disk.Completion{Token: r.Token, Err: map[string]disk.Err{"space": disk.ErrNoSpace, "io": disk.ErrIO}[err]}
	if c.Err == disk.OK {
		c = s.disk.do(&r)
	}
	x.step(step.Event{Kind: step.DiskDone, Disk: c})
}

func (s *script) state(topic string, part int32) {
	t := s.n.shards[0].s.state.Image.TopicByName(topic)
	if t == nil {
		s.say("no topic %s", topic)
		return
	}
	shard := s.n.ownerOf(topic, part)
	p := s.n.shards[shard].s.state.Partition(t.ID, part)
	if p == nil || p.Log == nil {
		s.say("%s-%d shard=%d not open", topic, part, shard)
		return
	}
	s.say("%s-%d shard=%d start=%d written=%d synced=%d end=%d hw=%d waiting=%d", topic, part, shard, p.Log.Start(), p.Log.WrittenEnd(), p.Log.SyncedEnd(), p.Log.End(), p.HighWatermark(), p.Waiting())
}

// tell says what is new: answers, closed connections, lines for people, the end.
func (s *script) tell() {
	for _, c := range s.order {
		for ; s.seen[c] < len(c.answers); s.seen[c]++ {
			x := c.answers[s.seen[c]]
			s.say("%s #%d %s", c.name, x.corr, shown(x.resp))
		}
		if c.closed && !s.gone[c] {
			s.gone[c] = true
			s.say("%s closed", c.name)
		}
	}
	for ; s.logged < len(s.n.log); s.logged++ {
		s.say("log: %s", s.n.log[s.logged])
	}
	if s.n.fatal != "" && !s.fatal {
		s.fatal = true
		s.say("fatal: %s", s.n.fatal)
	}
	if s.n.stopped() && !s.ended {
		s.ended = true
		s.say("stopped, marker %v", s.n.hasFile(cleanName))
	}
}

func shown(r kmsg.Response) string {
	var b strings.Builder
	switch r := r.(type) {
	case *kmsg.ProduceResponse:
		b.WriteString("produced")
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				fmt.Fprintf(&b, " %s-%d %s base=%d", t.Topic, p.Partition, kerr.Code(p.ErrorCode), p.BaseOffset)
			}
		}
	case *kmsg.FetchResponse:
		fmt.Fprintf(&b, "fetched %s", kerr.Code(r.ErrorCode))
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				fmt.Fprintf(&b, " %s-%d %s hw=%d %dB", t.Topic, p.Partition, kerr.Code(p.ErrorCode), p.HighWatermark, len(p.RecordBatches))
			}
		}
	case *kmsg.CreateTopicsResponse:
		fmt.Fprintf(&b, "created %s %s", r.Topics[0].Topic, kerr.Code(r.Topics[0].ErrorCode))
	case *kmsg.DeleteTopicsResponse:
		fmt.Fprintf(&b, "deleted %s %s", *r.Topics[0].Topic, kerr.Code(r.Topics[0].ErrorCode))
	case *kmsg.FindCoordinatorResponse:
		fmt.Fprintf(&b, "coordinator %s", kerr.Code(r.Coordinators[0].ErrorCode))
	case *kmsg.OffsetCommitResponse:
		fmt.Fprintf(&b, "commit %s", kerr.Code(r.Topics[0].Partitions[0].ErrorCode))
	case *kmsg.OffsetFetchResponse:
		g := r.Groups[0]
		fmt.Fprintf(&b, "committed %s", kerr.Code(g.ErrorCode))
		if len(g.Topics) > 0 {
			fmt.Fprintf(&b, " %d", g.Topics[0].Partitions[0].Offset)
		}
	default:
		fmt.Fprintf(&b, "%T", r)
	}
	return b.String()
}
