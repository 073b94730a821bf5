package group

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var rewrite = flag.Bool("rewrite", false, "record the scripts' output anew")

// TestScriptsGiveTheRecordedOutput runs testdata/*.txt. A step is one or more lines of commands, a line of four dashes, and what
// came of it, up to an empty line. See run for the commands.
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
	must(err)
	w := newWorld()
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimRight(string(raw), "\n"), "\n\n") {
		cmds, want, _ := strings.Cut(block, "\n----")
		var lines []string
		isComment := true
		for _, line := range strings.Split(cmds, "\n") {
			if line == "" || line[0] == '#' {
				continue
			}
			isComment = false
			w.lines = nil
			func() {
				defer func() {
					if r := recover(); r != nil {
						t.Fatalf("%s: %q: %v\nuntil then:\n%s%s", file, line, r, out.String(), strings.Join(append(lines, w.lines...), "\n"))
					}
				}()
				w.run(t, line)
			}()
			lines = append(lines, w.lines...)
		}
		if isComment {
			out.WriteString(block + "\n\n")
			continue
		}
		got := strings.Join(lines, "\n")
		if got == "" {
			got = "ok"
		}
		fmt.Fprintf(&out, "%s\n----\n%s\n\n", cmds, got)
		if want = strings.TrimPrefix(want, "\n"); !*rewrite && want != got {
			t.Errorf("%s: after\n%s\nwant\n%s\ngot\n%s", file, cmds, want, got)
		}
	}
	if *rewrite {
		must(os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644))
	}
}

type args map[string]string

func (a args) str(k, def string) string {
	if v, ok := a[k]; ok {
		return v
	}
	return def
}

func (a args) num(k string, def int) int {
	if v, ok := a[k]; ok {
		n, err := strconv.Atoi(v)
		must(err)
		return n
	}
	return def
}

func (a args) opt(k string) *string {
	if v, ok := a[k]; ok {
		return &v
	}
	return nil
}

// run executes one command, such as
//
//	A: join v=9 client=c1 member=c1/1 protocols=range:t1+t2   (A is the name of the request)
//	A: sync member=c1/1 gen=1 assign=c1/1:x,c2/1:y
//	B: hb member=b epoch=0 topics=t1 owned=   (ConsumerGroupHeartbeat)
//	topic t9 3 | advance 3000 | hw [n] | auto | reload | state | refuse CODE | set maxsize=2 | unload CODE | failed FROM | drop-topic t1
func (w *world) run(t *testing.T, line string) {
	name, rest, isRequest := strings.Cut(line, ": ")
	if !isRequest {
		w.control(t, line)
		return
	}
	words := strings.Fields(rest)
	a := args{}
	for _, word := range words[1:] {
		k, v, _ := strings.Cut(word, "=")
		a[k] = v
	}
	req := w.request(words[0], a)
	w.send(name, ClientInfo{ID: a.str("client", "c1"), Host: "/127.0.0.1"}, req)
}

func (w *world) control(t *testing.T, line string) {
	f := strings.Fields(line)
	arg := ""
	if len(f) > 1 {
		arg = f[1]
	}
	switch f[0] {
	case "advance":
		n, err := strconv.Atoi(arg)
		must(err)
		w.advance(int64(n))
	case "hw":
		to := w.log.end
		if arg != "" {
			n, err := strconv.Atoi(arg)
			must(err)
			to = int64(n)
		}
		w.commit(to)
	case "auto":
		w.auto = true
	case "manual":
		w.auto = false
	case "reload":
		w.reload(t)
	case "state":
		w.state()
	case "refuse":
		w.log.refuse = codeNamed(arg)
	case "unload":
		w.c.Unload(codeNamed(arg))
	case "failed":
		n, err := strconv.Atoi(arg)
		must(err)
		w.log.truncate(int64(n))
		w.c.Failed(int64(n))
	case "load":
		w.load()
	case "drop-topic":
		w.topics.set(arg, 0)
		before := len(w.log.batches)
		w.c.TopicDeleted(arg)
		w.settle(before)
	case "wall":
		n, err := strconv.Atoi(arg)
		must(err)
		w.env.Now.Wall += clock.Wall(n)
	case "topic":
		n, err := strconv.Atoi(f[2])
		must(err)
		w.topics.set(arg, int32(n))
	case "set":
		w.set(f[1:])
	default:
		panic("no such command")
	}
}

func (w *world) set(words []string) {
	for _, word := range words {
		k, v, _ := strings.Cut(word, "=")
		if k == "migration" {
			w.cfg.Consumer.Migration = map[string]consumer.Migration{"disabled": consumer.Disabled, "upgrade": consumer.Upgrade, "downgrade": consumer.Downgrade, "bidirectional": consumer.Bidirectional}[v]
			continue
		}
		n, err := strconv.Atoi(v)
		must(err)
		switch k {
		case "maxsize":
			w.cfg.MaxSize = int32(n)
		case "maxconsumers":
			w.cfg.Consumer.MaxSize = int32(n)
		case "interval":
			w.cfg.Consumer.Default.AssignmentIntervalMS = int32(n)
		case "session":
			w.cfg.Consumer.Default.SessionTimeoutMS = int32(n)
		case "delay":
			w.cfg.InitialRebalanceDelayMS = int32(n)
		case "maxbatch":
			w.cfg.MaxBatchBytes = int32(n)
		case "metadata":
			w.cfg.OffsetMetadataMaxBytes = int32(n)
		case "retention":
			w.cfg.OffsetsRetentionMS = int64(n)
		case "maxsession":
			w.cfg.MaxSessionTimeoutMS = int32(n)
		default:
			panic("no such setting")
		}
	}
}

func codeNamed(s string) kerr.Code {
	for c := kerr.Code(-1); c < 140; c++ {
		if c.String() == s {
			return c
		}
	}
	panic("no such code")
}

// request builds a request of kmsg.
func (w *world) request(kind string, a args) kmsg.Request {
	group := a.str("group", "g")
	member := w.id(a.str("member", ""))
	switch kind {
	case "join":
		r := kmsg.NewPtrJoinGroupRequest()
		r.Version, r.Group, r.MemberID, r.InstanceID = int16(a.num("v", 9)), group, member, a.opt("instance")
		r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = int32(a.num("session", 10000)), int32(a.num("rebalance", 60000))
		r.ProtocolType = a.str("type", "consumer")
		for _, p := range strings.Split(a.str("protocols", "range:t1"), ",") {
			name, topics, _ := strings.Cut(p, ":")
			r.Protocols = append(r.Protocols, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: subscribed(a, strings.Split(topics, "+")...)})
		}
		return r
	case "sync":
		return w.syncRequest(a, group, member)
	case "heartbeat":
		r := kmsg.NewPtrHeartbeatRequest()
		r.Version, r.Group, r.MemberID, r.Generation, r.InstanceID = int16(a.num("v", 4)), group, member, int32(a.num("gen", 1)), a.opt("instance")
		return r
	case "leave":
		r := kmsg.NewPtrLeaveGroupRequest()
		r.Version, r.Group, r.MemberID = int16(a.num("v", 5)), group, member
		for _, m := range strings.Split(a.str("members", ""), ",") {
			id, instance, static := strings.Cut(m, "|")
			one := kmsg.LeaveGroupRequestMember{MemberID: w.id(id)}
			if static {
				one.InstanceID = &instance
			}
			r.Members = append(r.Members, one)
		}
		return r
	case "hb", "describe848":
		return w.consumerRequest(kind, a, group, member)
	case "describe":
		r := kmsg.NewPtrDescribeGroupsRequest()
		r.Version, r.Groups = int16(a.num("v", 6)), strings.Split(group, ",")
		return r
	case "delete":
		r := kmsg.NewPtrDeleteGroupsRequest()
		r.Version, r.Groups = int16(a.num("v", 2)), strings.Split(group, ",")
		return r
	case "list":
		r := kmsg.NewPtrListGroupsRequest()
		r.Version = int16(a.num("v", 5))
		if s, ok := a["states"]; ok {
			r.StatesFilter = strings.Split(s, ",")
		}
		if s, ok := a["types"]; ok {
			r.TypesFilter = strings.Split(s, ",")
		}
		return r
	}
	return w.offsetRequest(kind, a, group, member)
}

func (w *world) syncRequest(a args, group, member string) kmsg.Request {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.Generation, r.InstanceID = int16(a.num("v", 5)), group, member, int32(a.num("gen", 1)), a.opt("instance")
	kind, name := a.str("type", "consumer"), a.str("protocol", "range")
	if r.Version >= 5 && a.str("noprotocol", "") == "" {
		r.ProtocolType, r.Protocol = &kind, &name
	}
	if s, ok := a["assign"]; ok {
		for _, one := range strings.Split(s, ",") {
			id, v, _ := strings.Cut(one, ":")
			r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: w.id(id), MemberAssignment: w.embedded(v)})
		}
	}
	return r
}

// partitions parses t1-0,t1-1 and t1-0=7.
func partitions(s string, each func(topic string, id [16]byte, p int32, value string)) {
	if s == "" {
		return
	}
	for _, one := range strings.Split(s, ",") {
		tp, value, _ := strings.Cut(one, ":")
		topic, p, _ := strings.Cut(tp, "-")
		n, err := strconv.Atoi(p)
		must(err)
		var id [16]byte
		if strings.HasPrefix(topic, "id") {
			b, err := strconv.Atoi(topic[2:])
			must(err)
			id[15], topic = byte(b), ""
		}
		each(topic, id, int32(n), value)
	}
}

func (w *world) offsetRequest(kind string, a args, group, member string) kmsg.Request {
	switch kind {
	case "commit":
		r := kmsg.NewPtrOffsetCommitRequest()
		r.Version, r.Group, r.MemberID, r.Generation, r.InstanceID = int16(a.num("v", 9)), group, member, int32(a.num("gen", -1)), a.opt("instance")
		r.RetentionTimeMillis = int64(a.num("retention", -1))
		partitions(a.str("offsets", ""), func(topic string, id [16]byte, p int32, value string) {
			o, err := strconv.Atoi(value)
			must(err)
			part := kmsg.OffsetCommitRequestTopicPartition{Partition: p, Offset: int64(o), LeaderEpoch: int32(a.num("epoch", -1)), Metadata: a.opt("metadata")}
			r.Topics = append(r.Topics, kmsg.OffsetCommitRequestTopic{Topic: topic, TopicID: id, Partitions: []kmsg.OffsetCommitRequestTopicPartition{part}})
		})
		return r
	case "fetch":
		r := kmsg.NewPtrOffsetFetchRequest()
		r.Version, r.Group = int16(a.num("v", 9)), group
		var old []kmsg.OffsetFetchRequestTopic
		var topics []kmsg.OffsetFetchRequestGroupTopic
		partitions(a.str("offsets", ""), func(topic string, id [16]byte, p int32, _ string) {
			old = append(old, kmsg.OffsetFetchRequestTopic{Topic: topic, Partitions: []int32{p}})
			topics = append(topics, kmsg.OffsetFetchRequestGroupTopic{Topic: topic, TopicID: id, Partitions: []int32{p}})
		})
		if r.Version < 8 {
			r.Topics = old
			return r
		}
		for _, g := range strings.Split(group, ",") {
			one := kmsg.OffsetFetchRequestGroup{Group: g, Topics: topics, MemberID: a.opt("member"), MemberEpoch: int32(a.num("epoch", -1))}
			if one.MemberID != nil {
				one.MemberID = &member
			}
			r.Groups = append(r.Groups, one)
		}
		return r
	case "offset-delete":
		r := kmsg.NewPtrOffsetDeleteRequest()
		r.Group = group
		partitions(a.str("offsets", ""), func(topic string, _ [16]byte, p int32, _ string) {
			r.Topics = append(r.Topics, kmsg.OffsetDeleteRequestTopic{Topic: topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: p}}})
		})
		return r
	}
	panic("no such request: " + kind)
}
