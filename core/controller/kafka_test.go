package controller

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// peer decides requests and folds what comes of them, and writes down the answers as the file of Kafka's answers has them.
type peer struct {
	node *config.Node
	img  *metadata.Image
	rand *prng.Source
	out  []string
}

func s(x string) *string { return &x }

// newPeer is configured like the Kafka that gave the recorded answers.
func newPeer(t *testing.T) *peer {
	n, _, err := config.Load(config.Args{File: "process.roles=broker,controller\nnode.id=1\ncontroller.listener.names=CONTROLLER\n" +
		"controller.quorum.voters=1@127.0.0.1:20592\n" +
		"listeners=PLAINTEXT://127.0.0.1:19592,CONTROLLER://127.0.0.1:20592\nadvertised.listeners=PLAINTEXT://127.0.0.1:19592\n" +
		"listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\nlog.dirs=/data\ndefault.replication.factor=1\n" +
		"min.insync.replicas=1\noffsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n" +
		"transaction.state.log.min.isr=1\nshare.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n"})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{node: n, img: metadata.Empty(), rand: prng.New(1)}
	one := "1" // what Kafka sets when eligible leader replicas are enabled
	p.fold([]metadata.Record{&metadata.ClusterRecord{ClusterID: "c"},
		&metadata.RegisterBrokerRecord{NodeID: 1, BrokerEpoch: -1, LogDirs: [][16]byte{{9}}},
		&metadata.ConfigRecord{ResourceType: metadata.ResourceBroker, Key: "min.insync.replicas", Value: &one}})
	return p
}

func (p *peer) fold(records []metadata.Record) {
	p.img, _ = p.img.Apply(p.img.Index()+1, 1, metadata.Entry{Term: 1, Records: records})
}

// decide is what a client of a broker sees: the broker judges settings of brokers before the controller does.
func (p *peer) decide(m *Machine, r kmsg.Request) (kmsg.Response, []metadata.Record) {
	if askedOf(r) == nil {
		return m.one(p.img, r)
	}
	pre := Preprocess(p.node, r)
	if pre.Rest == nil {
		return pre.Answer(nil), nil
	}
	resp, records := m.one(p.img, pre.Rest)
	return pre.Answer(resp), records
}

func (p *peer) do(title string, r kmsg.Request, version int16) {
	r.SetVersion(version)
	m := NewMachine(p.node, p.img, nil, p.rand, nil)
	resp, records := p.decide(m, r)
	p.fold(records)
	raw := resp.AppendTo(nil)
	again := r.ResponseKind()
	if err := again.ReadFrom(raw); err != nil {
		panic(err)
	}
	b, _ := json.Marshal(again)
	var v any
	_ = json.Unmarshal(b, &v)
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(normal(v, strings.Contains(title, "and dup")))
	p.out = append(p.out, "## "+title+"\n"+text.String())
}

// normal drops what differs from run to run, and of a created topic's settings the defaults.
func normal(v any, all bool) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = normal(v[i], all)
		}
	case map[string]any:
		for _, k := range []string{"UnknownTags", "Version", "ThrottleMillis"} {
			delete(v, k)
		}
		for k, x := range v {
			switch {
			case k == "TopicID":
				v[k] = "zero"
				for _, b := range x.([]any) {
					if b != 0.0 {
						v[k] = "id"
					}
				}
			case k == "Configs" && x != nil:
				short := []any{}
				for _, c := range x.([]any) {
					if c := c.(map[string]any); c["Source"] != 5.0 || all {
						value := c["Value"]
						if value == nil {
							value = "None"
						}
						short = append(short, fmt.Sprintf("%s=%s(%v)", c["Name"], value, c["Source"]))
					}
				}
				v[k] = short
			default:
				v[k] = normal(x, all)
			}
		}
	}
	return v
}

func (p *peer) ct(title string, v int16, validate bool, mods ...func(*kmsg.CreateTopicsRequestTopic)) {
	r := kmsg.NewPtrCreateTopicsRequest()
	r.TimeoutMillis = 10000
	r.ValidateOnly = validate
	for _, m := range mods {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.NumPartitions, t.ReplicationFactor = 1, 1
		m(&t)
		r.Topics = append(r.Topics, t)
	}
	p.do("CreateTopics "+title, r, v)
}

func T(name string, p int32, rf int16, cfg ...string) func(*kmsg.CreateTopicsRequestTopic) {
	return func(t *kmsg.CreateTopicsRequestTopic) {
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, p, rf
		for i := 0; i+1 < len(cfg); i += 2 {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = cfg[i], s(cfg[i+1])
			if cfg[i+1] == "NULL" {
				c.Value = nil
			}
			t.Configs = append(t.Configs, c)
		}
	}
}
func A(name string, p int32, rf int16, as ...[]int32) func(*kmsg.CreateTopicsRequestTopic) {
	return func(t *kmsg.CreateTopicsRequestTopic) {
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, p, rf
		for _, a := range as {
			x := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			x.Partition = a[0]
			x.Replicas = a[1:]
			t.ReplicaAssignment = append(t.ReplicaAssignment, x)
		}
	}
}
func (p *peer) inc(title string, typ kmsg.ConfigResourceType, name string, ops ...any) {
	r := kmsg.NewPtrIncrementalAlterConfigsRequest()
	x := kmsg.NewIncrementalAlterConfigsRequestResource()
	x.ResourceType, x.ResourceName = typ, name
	for i := 0; i+2 < len(ops); i += 3 {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Op = ops[i].(string), kmsg.IncrementalAlterConfigOp(ops[i+1].(int))
		if ops[i+2] != nil {
			c.Value = s(ops[i+2].(string))
		}
		x.Configs = append(x.Configs, c)
	}
	r.Resources = append(r.Resources, x)
	p.do("IncrementalAlterConfigs "+title+fmt.Sprint(" ", typ, " ", name, " ", ops), r, 1)
}
func (p *peer) alter(title string, typ kmsg.ConfigResourceType, name string, kv ...string) {
	r := kmsg.NewPtrAlterConfigsRequest()
	x := kmsg.NewAlterConfigsRequestResource()
	x.ResourceType, x.ResourceName = typ, name
	for i := 0; i+1 < len(kv); i += 2 {
		c := kmsg.NewAlterConfigsRequestResourceConfig()
		c.Name, c.Value = kv[i], s(kv[i+1])
		x.Configs = append(x.Configs, c)
	}
	r.Resources = append(r.Resources, x)
	p.do("AlterConfigs "+title+fmt.Sprint(" ", typ, " ", name, " ", kv), r, 2)
}
func (p *peer) desc(title string, typ kmsg.ConfigResourceType, name string, keys ...string) {
	r := kmsg.NewPtrDescribeConfigsRequest()
	x := kmsg.NewDescribeConfigsRequestResource()
	x.ResourceType, x.ResourceName = typ, name
	x.ConfigNames = keys
	r.Resources = append(r.Resources, x)
	r.IncludeSynonyms = true
	r.SetVersion(4)
	var b strings.Builder
	fmt.Fprintf(&b, "## DescribeConfigs %s %d %s %v\n", title, typ, name, keys)
	for _, q := range DescribeConfigs(Effective(p.node, p.img), p.img, DefaultLogLevel, r).Resources {
		m := "<nil>"
		if q.ErrorMessage != nil {
			m = *q.ErrorMessage
		}
		fmt.Fprintln(&b, "code", q.ErrorCode, "msg", m, "type", q.ResourceType, "name", q.ResourceName)
		sort.Slice(q.Configs, func(i, j int) bool { return q.Configs[i].Name < q.Configs[j].Name })
		for _, c := range q.Configs {
			v := "<nil>"
			if c.Value != nil {
				v = *c.Value
			}
			fmt.Fprintf(&b, "%s\t%s\tro=%v\tsrc=%d\tsens=%v\ttype=%d\tsyn=", c.Name, v, c.ReadOnly, c.Source, c.IsSensitive, c.ConfigType)
			for _, y := range c.ConfigSynonyms {
				v := "<nil>"
				if y.Value != nil {
					v = *y.Value
				}
				fmt.Fprintf(&b, "%s=%s(%d) ", y.Name, v, y.Source)
			}
			fmt.Fprintln(&b)
		}
	}
	p.out = append(p.out, b.String())
}

// onPurpose are the answers that differ from Kafka's, and why.
var onPurpose = map[string]string{
	"CreateTopics rf 3":                                                       "no directory can be cordoned here",
	"DescribeConfigs broker 4 1 []":                                           "settings of our own, and other defaults of node.id, listeners and log.dir: TestABrokerIsDescribedAsKafkaDoes",
	"IncrementalAlterConfigs bad op TOPIC a1 [retention.ms 7 1]":              "a client's mistake is no UNKNOWN_SERVER_ERROR",
	"IncrementalAlterConfigs broker unknown key BROKER 1 [nope 0 7]":          "a name that nobody knows is refused everywhere",
	"IncrementalAlterConfigs broker retention.ms BROKER 1 [retention.ms 0 1]": "a name that nobody knows is refused everywhere",
	"CreatePartitions huge":                                                   "a client's mistake is no UNKNOWN_SERVER_ERROR",
}

func TestABrokerIsDescribedAsKafkaDoes(t *testing.T) {
	want := map[string]bool{}
	b, err := os.ReadFile("testdata/kafka-4.3.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "## DescribeConfigs broker 4 1 []\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	for _, l := range strings.Split(rest, "\n") {
		want[strings.TrimSpace(l)] = true
	}
	p := newPeer(t)
	p.desc("broker", 4, "1")
	var ours []string
	for _, l := range strings.Split(p.out[0], "\n")[1:] {
		if l = strings.TrimSpace(l); !want[l] && l != "" {
			name, _, _ := strings.Cut(l, "\t")
			ours = append(ours, name)
		}
		delete(want, l)
	}
	if got := strings.Join(ours, " "); got != "admin.listener disk.reserve.bytes flush.policy listeners log.dir node.id shards" || len(want) != 3 {
		t.Errorf("differ from Kafka: %s; only Kafka has %d lines", got, len(want))
	}
}

func TestAnswersAreThoseOfKafka(t *testing.T) {
	b, err := os.ReadFile("testdata/kafka-4.3.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.SplitAfter(string(b), "\n## ")
	for i := range want {
		want[i] = strings.TrimSuffix(strings.TrimPrefix(want[i], "## "), "\n## ")
	}
	p := newPeer(t)
	p.script()
	for i, got := range p.out {
		got = strings.TrimPrefix(got, "## ")
		title, _, _ := strings.Cut(got, "\n")
		if i >= len(want) {
			t.Fatalf("%s: no recorded answer", title)
		}
		if w, _, _ := strings.Cut(want[i], "\n"); w != title {
			t.Fatalf("recorded %q, asked %q", w, title)
		}
		if strings.TrimSpace(got) == strings.TrimSpace(want[i]) {
			if onPurpose[title] != "" {
				t.Errorf("%s: is Kafka's, though it should differ: %s", title, onPurpose[title])
			}
			continue
		}
		if onPurpose[title] == "" {
			t.Errorf("%s", difference(title, got, want[i]))
		}
	}
}

func difference(title, got, want string) string {
	g, w := strings.Split(strings.TrimSpace(got), "\n"), strings.Split(strings.TrimSpace(want), "\n")
	var b strings.Builder
	b.WriteString(title)
	at := map[string]bool{}
	for _, l := range g {
		at[l] = true
	}
	for _, l := range w {
		if !at[l] {
			b.WriteString("\n  kafka " + l)
		}
		delete(at, l)
	}
	for _, l := range g {
		if at[l] {
			b.WriteString("\n  ours  " + l)
		}
	}
	return b.String()
}

func (p *peer) script() {
	p.ct("ok v7 and dup in request", 7, false, T("a1", 2, 1), T("a2", -1, -1, "retention.ms", "1000", "cleanup.policy", "compact"))
	p.ct("ok v7", 7, false, T("a1", 2, 1), T("a2", -1, -1, "retention.ms", "1000", "cleanup.policy", "compact"))
	p.ct("exists", 7, false, T("a1", 2, 1))
	p.ct("same twice in request", 7, false, T("dd", 2, 1), T("dd", 2, 1))
	for _, n := range []string{"", ".", "..", "a b", "é", "x", string(make([]byte, 0))} {
		p.ct(fmt.Sprintf("name %q", n), 7, true, T(n, 1, 1))
	}
	long := make([]byte, 250)
	for i := range long {
		long[i] = 'l'
	}
	p.ct("name 250", 7, true, T(string(long), 1, 1))
	p.ct("collide base", 7, false, T("c.d_e", 1, 1))
	p.ct("collide", 7, true, T("c_d.e", 1, 1))
	p.ct("collide same request", 7, true, T("q.x", 1, 1), T("q_x", 1, 1))
	p.ct("internal __consumer_offsets", 7, true, T("__consumer_offsets", 1, 1))
	p.ct("internal __transaction_state", 7, true, T("__transaction_state", 1, 1))
	p.ct("internal __foo", 7, true, T("__foo", 1, 1))
	p.ct("__cluster_metadata", 7, true, T("__cluster_metadata", 1, 1))
	p.ct("partitions 0", 7, true, T("p0", 0, 1))
	p.ct("partitions -2", 7, true, T("p0", -2, 1))
	p.ct("partitions 20000", 7, true, T("p0", 20000, 1))
	p.ct("rf 0", 7, true, T("p0", 1, 0))
	p.ct("rf -2", 7, true, T("p0", 1, -2))
	p.ct("rf 3", 7, true, T("p0", 1, 3))
	p.ct("assign ok", 7, true, A("as", -1, -1, []int32{0, 1}, []int32{1, 1}))
	p.ct("assign with p", 7, true, A("as", 2, -1, []int32{0, 1}, []int32{1, 1}))
	p.ct("assign with rf", 7, true, A("as", -1, 1, []int32{0, 1}, []int32{1, 1}))
	p.ct("assign gap", 7, true, A("as", -1, -1, []int32{0, 1}, []int32{2, 1}))
	p.ct("assign dup partition", 7, true, A("as", -1, -1, []int32{0, 1}, []int32{0, 1}))
	p.ct("assign dup replica", 7, true, A("as", -1, -1, []int32{0, 1, 1}))
	p.ct("assign empty", 7, true, A("as", -1, -1, []int32{0}))
	p.ct("assign unknown broker", 7, true, A("as", -1, -1, []int32{0, 9}))
	p.ct("assign inconsistent", 7, true, A("as", -1, -1, []int32{0, 1}, []int32{1, 1, 9}))
	p.ct("config unknown", 7, true, T("cfg", 1, 1, "nope.nope", "1"))
	p.ct("config bad int", 7, true, T("cfg", 1, 1, "segment.bytes", "x"))
	p.ct("config bad long", 7, true, T("cfg", 1, 1, "retention.ms", "1.5"))
	p.ct("config range", 7, true, T("cfg", 1, 1, "retention.ms", "-2"))
	p.ct("config small", 7, true, T("cfg", 1, 1, "segment.bytes", "1"))
	p.ct("config bool", 7, true, T("cfg", 1, 1, "preallocate", "yes"))
	p.ct("config enum", 7, true, T("cfg", 1, 1, "cleanup.policy", "foo"))
	p.ct("config policy empty", 7, true, T("cfg", 1, 1, "cleanup.policy", ""))
	p.ct("config policy dup", 7, true, T("cfg", 1, 1, "cleanup.policy", "delete,delete"))
	p.ct("config ctype", 7, true, T("cfg", 1, 1, "compression.type", "foo"))
	p.ct("config tstype", 7, true, T("cfg", 1, 1, "message.timestamp.type", "foo"))
	p.ct("config double", 7, true, T("cfg", 1, 1, "min.cleanable.dirty.ratio", "1.5"))
	p.ct("config double bad", 7, true, T("cfg", 1, 1, "min.cleanable.dirty.ratio", "x"))
	p.ct("config gzip level", 7, true, T("cfg", 1, 1, "compression.gzip.level", "0"))
	p.ct("config null", 7, true, T("cfg", 1, 1, "retention.ms", "NULL"))
	p.ct("config lag", 7, true, T("cfg", 1, 1, "min.compaction.lag.ms", "10", "max.compaction.lag.ms", "5"))
	p.ct("config remote", 7, true, T("cfg", 1, 1, "remote.storage.enable", "true"))
	p.ct("config localretention", 7, true, T("cfg", 1, 1, "local.retention.ms", "10", "retention.ms", "5"))
	p.ct("config space value", 7, true, T("cfg", 1, 1, "retention.ms", " 10 "))
	p.ct("config segment.jitter", 7, true, T("cfg", 1, 1, "leader.replication.throttled.replicas", "x"))
	p.ct("v2 ok", 2, true, T("v2t", 1, 1))
	p.ct("v4 ok", 4, true, T("v4t", 1, 1))
	p.ct("v5 ok", 5, true, T("v5t", 1, 1))
	p.ct("no topics", 7, true)

	p.desc("new", 2, "a1")
	p.desc("override", 2, "a2")
	p.desc("keys", 2, "a2", "retention.ms", "nope")
	p.desc("unknown", 2, "nosuch")
	p.desc("bad name", 2, "a b")
	p.desc("broker", 4, "1")
	p.desc("broker default", 4, "")
	p.desc("broker other", 4, "9")
	p.desc("broker NaN", 4, "x")
	p.desc("logger", 8, "1", "root")
	p.desc("type 99", 99, "x")
	p.desc("metrics", 16, "m")
	p.desc("metrics empty", 16, "")
	p.desc("group", 32, "g")
	p.desc("group empty", 32, "")

	p.inc("set", 2, "a1", "retention.ms", 0, "5000")
	p.inc("set again", 2, "a1", "retention.ms", 0, "5000")
	p.inc("append", 2, "a1", "cleanup.policy", 2, "compact")
	p.desc("after append", 2, "a1", "cleanup.policy", "retention.ms")
	p.inc("append dup", 2, "a1", "cleanup.policy", 2, "compact")
	p.inc("subtract", 2, "a1", "cleanup.policy", 3, "delete")
	p.desc("after subtract", 2, "a1", "cleanup.policy")
	p.inc("subtract all", 2, "a1", "cleanup.policy", 3, "compact")
	p.desc("after subtract all", 2, "a1", "cleanup.policy")
	p.inc("subtract absent", 2, "a1", "cleanup.policy", 3, "delete")
	p.inc("append non list", 2, "a1", "retention.ms", 2, "6000")
	p.inc("subtract non list", 2, "a1", "retention.ms", 3, "6000")
	p.inc("delete", 2, "a1", "retention.ms", 1, nil)
	p.inc("delete unset", 2, "a1", "segment.ms", 1, nil)
	p.inc("delete unknown name", 2, "a1", "nope", 1, nil)
	p.inc("set null", 2, "a1", "retention.ms", 0, nil)
	p.inc("append null", 2, "a1", "cleanup.policy", 2, nil)
	p.inc("bad op", 2, "a1", "retention.ms", 7, "1")
	p.inc("dup keys", 2, "a1", "retention.ms", 0, "1", "retention.ms", 0, "2")
	p.inc("unknown topic", 2, "nosuch", "retention.ms", 0, "1")
	p.inc("bad topic name", 2, "a b", "retention.ms", 0, "1")
	p.inc("unknown key", 2, "a1", "nope", 0, "1")
	p.inc("bad value", 2, "a1", "retention.ms", 0, "x")
	p.inc("set empty", 2, "a1", "retention.ms", 0, "")
	p.inc("no configs", 2, "a1")
	p.inc("broker dyn", 4, "1", "log.retention.ms", 0, "7777")
	p.inc("broker default dyn", 4, "", "log.segment.bytes", 0, "2000000")
	p.inc("broker readonly", 4, "1", "num.partitions", 0, "7")
	p.inc("broker readonly default", 4, "", "node.id", 0, "7")
	p.inc("broker perbroker in default", 4, "", "listeners", 0, "PLAINTEXT://:1")
	p.inc("broker unknown key", 4, "1", "nope", 0, "7")
	p.inc("broker bad value", 4, "1", "log.retention.ms", 0, "x")
	p.inc("broker range", 4, "1", "log.segment.bytes", 0, "3")
	p.inc("broker unknown", 4, "9", "log.retention.ms", 0, "1")
	p.inc("broker NaN", 4, "x", "log.retention.ms", 0, "1")
	p.inc("broker retention.ms", 4, "1", "retention.ms", 0, "1")
	p.inc("group", 32, "g", "consumer.session.timeout.ms", 0, "45000")
	p.inc("group bad", 32, "g", "nope", 0, "45000")
	p.inc("metrics", 16, "m", "interval.ms", 0, "45000")
	p.inc("logger", 8, "1", "root", 0, "INFO")
	p.inc("type 99", 99, "1", "root", 0, "INFO")
	p.desc("broker dynamic", 4, "1", "log.retention.ms", "log.retention.hours", "log.segment.bytes", "log.retention.minutes")
	p.desc("broker default dynamic", 4, "")
	p.desc("topic under dynamic", 2, "a1", "retention.ms", "segment.bytes")
	p.inc("undo", 4, "1", "log.retention.ms", 1, nil)
	p.inc("undo", 4, "", "log.segment.bytes", 1, nil)
	p.alter("ok", 2, "a1", "retention.ms", "123")
	p.alter("replace", 2, "a1", "segment.ms", "456")
	p.desc("after alter", 2, "a1", "segment.ms", "retention.ms", "cleanup.policy")
	p.alter("unknown topic", 2, "nosuch", "segment.ms", "456")
	p.alter("bad value", 2, "a1", "segment.ms", "x")
	p.alter("unknown key", 2, "a1", "nope", "x")
	p.alter("broker", 4, "1", "log.retention.ms", "x")

	cp := func(title string, v int16, validate bool, name string, count int32, as ...[]int32) {
		r := kmsg.NewPtrCreatePartitionsRequest()
		r.TimeoutMillis = 5000
		r.ValidateOnly = validate
		x := kmsg.NewCreatePartitionsRequestTopic()
		x.Topic, x.Count = name, count
		for _, a := range as {
			y := kmsg.NewCreatePartitionsRequestTopicAssignment()
			y.Replicas = a
			x.Assignment = append(x.Assignment, y)
		}
		r.Topics = append(r.Topics, x)
		p.do("CreatePartitions "+title, r, v)
	}
	cp("ok validate", 3, true, "a1", 3)
	cp("ok", 3, false, "a1", 3)
	cp("same", 3, false, "a1", 3)
	cp("fewer", 3, false, "a1", 1)
	cp("zero", 3, false, "a1", 0)
	cp("negative", 3, false, "a1", -1)
	cp("huge", 3, true, "a1", 20000)
	cp("unknown", 3, false, "nosuch", 3)
	cp("bad name", 3, false, "a b", 3)
	cp("assign", 3, true, "a1", 4, []int32{1})
	cp("assign count", 3, true, "a1", 4, []int32{1}, []int32{1})
	cp("assign rf", 3, true, "a1", 4, []int32{1, 9})
	cp("assign unknown", 3, true, "a1", 4, []int32{9})
	cp("assign dup", 3, true, "a1", 4, []int32{1, 1})
	cp("v0", 0, true, "a1", 4)
	{
		r := kmsg.NewPtrCreatePartitionsRequest()
		for range 2 {
			x := kmsg.NewCreatePartitionsRequestTopic()
			x.Topic, x.Count = "a1", 9
			r.Topics = append(r.Topics, x)
		}
		p.do("CreatePartitions dup in request", r, 3)
	}
	cp("internal", 3, true, "__consumer_offsets", 60)

	dt := func(title string, v int16, names []string, ids ...[16]byte) {
		r := kmsg.NewPtrDeleteTopicsRequest()
		r.TimeoutMillis = 5000
		r.TopicNames = names
		for _, n := range names {
			x := kmsg.NewDeleteTopicsRequestTopic()
			x.Topic = s(n)
			r.Topics = append(r.Topics, x)
		}
		for _, n := range ids {
			x := kmsg.NewDeleteTopicsRequestTopic()
			x.TopicID = n
			r.Topics = append(r.Topics, x)
		}
		p.do("DeleteTopics "+title, r, v)
	}
	dt("unknown v6", 6, []string{"nosuch"})
	dt("unknown v1", 1, []string{"nosuch"})
	dt("unknown v5", 5, []string{"nosuch"})
	dt("unknown id", 6, nil, [16]byte{1, 2, 3})
	dt("zero id", 6, nil, [16]byte{})
	dt("dup name", 6, []string{"c.d_e", "c.d_e"})
	dt("ok", 6, []string{"c.d_e", "a2"})
	dt("bad name", 6, []string{"a b"})
	dt("empty", 6, nil)
	{
		r := kmsg.NewPtrDeleteTopicsRequest()
		x := kmsg.NewDeleteTopicsRequestTopic()
		x.Topic = s("a1")
		x.TopicID = [16]byte{1, 2}
		r.Topics = append(r.Topics, x)
		p.do("DeleteTopics both name and id", r, 6)
		id := p.img.TopicByName("a1").ID
		dt("name and its id", 6, []string{"a1"}, id)
		dt("by id", 6, nil, id)
	}
}
