package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

const twoDirs = "log.dirs=data/a,data/b"

// bootTwo starts a broker with two log directories.
func bootTwo(t testing.TB, d *memDisk, shards int, set ...string) *node {
	t.Helper()
	n := newNodeOf(t, d, "", shards, append([]string{twoDirs}, set...)...)
	n.start()
	n.run()
	for _, x := range n.shards {
		if !x.out.Ready {
			t.Fatalf("shard %d is not ready: %s %v", x.id, n.fatal, n.log)
		}
	}
	return n
}

// logsIn lists the logs of a topic in a directory.
func (d *memDisk) logsIn(dir, topic string) (out []string) {
	for _, n := range d.names(dir) {
		if strings.HasPrefix(n, topic+"-") {
			out = append(out, strings.TrimSuffix(n, "/"))
		}
	}
	return out
}

// produced gives the code and the offset of one batch of two records.
func (c *client) produced(topic string, part int32) (kerr.Code, int64) {
	p := c.ask(produceTo(topic, part, -1, batchOf(2, 10))).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return kerr.Code(p.ErrorCode), p.BaseOffset
}

func (c *client) described() (out []kmsg.DescribeLogDirsResponseDir) {
	q := kmsg.NewPtrDescribeLogDirsRequest()
	q.Version = 4
	return c.ask(q).(*kmsg.DescribeLogDirsResponse).Dirs
}

func partitionsIn(d *kmsg.DescribeLogDirsResponseDir, topic string) (out []string) {
	for _, t := range d.Topics {
		for _, p := range t.Partitions {
			if t.Topic == topic {
				out = append(out, fmt.Sprintf("%s-%d", topic, p.Partition))
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestReplicasAreSpreadOverTheLogDirectoriesAndStayWhereTheyAre(t *testing.T) {
	for _, shards := range []int{1, 2} {
		d := newMemDisk()
		n := bootTwo(t, d, shards)
		c := n.connect(0)
		n.mustCreate(c, "t", 8)
		a, b := d.logsIn("data/a", "t"), d.logsIn("data/b", "t")
		if len(a) != 4 || len(b) != 4 {
			t.Fatalf("%d shards: %v and %v", shards, a, b)
		}
		for part := range int32(8) {
			if code, _ := c.produced("t", part); code != kerr.None {
				t.Fatalf("partition %d: %v", part, code)
			}
		}
		for _, dir := range []string{"data/a", "data/b"} {
			for _, file := range []string{lockName, "meta.properties"} {
				if d.files[dir+"/"+file] == nil {
					t.Errorf("%s has no %s", dir, file)
				}
			}
		}
		n.run()
		img := n.shards[0].s.state.Image
		if ids := img.Broker(n.cfg.NodeID).LogDirs; len(ids) != 2 || ids[0] == ids[1] {
			t.Fatalf("registered with %v", ids)
		}
		for number, p := range img.TopicByName("t").Partitions {
			want := n.shards[0].s.state.Dirs[0].ID
			if slices.Contains(b, fmt.Sprintf("t-%d", number)) {
				want = n.shards[0].s.state.Dirs[1].ID
			}
			if p.Dirs[0] != want {
				t.Errorf("the metadata say that t-%d lies in %v, want %v", number, p.Dirs[0], want)
			}
		}
		dirs := c.described()
		if len(dirs) != 2 || dirs[0].Dir != "data/a" || dirs[1].Dir != "data/b" || !slices.Equal(partitionsIn(&dirs[0], "t"), a) || !slices.Equal(partitionsIn(&dirs[1], "t"), b) {
			t.Fatalf("described as %+v", dirs)
		}
		clean := shards == 1
		if clean && !n.stop() {
			t.Fatal("the node does not stop")
		}
		for _, dir := range []string{"data/a", "data/b"} {
			if (d.files[dir+"/"+cleanName] != nil) != clean {
				t.Errorf("%s: clean marker there: %v", dir, !clean)
			}
		}
		n.kill()
		n = bootTwo(t, d, shards)
		c = n.connect(0)
		for part := range int32(8) {
			if code, base := c.produced("t", part); code != kerr.None || base != 2 {
				t.Errorf("partition %d after the restart: %v at %d", part, code, base)
			}
		}
		if !slices.Equal(d.logsIn("data/a", "t"), a) || !slices.Equal(d.logsIn("data/b", "t"), b) {
			t.Errorf("after the restart: %v and %v", d.logsIn("data/a", "t"), d.logsIn("data/b", "t"))
		}
	}
}

// in says whether a request is for something in a directory.
func (d *memDisk) in(r *disk.Request, dir string) bool {
	if f := d.open[r.File]; f != nil && r.Path == "" {
		for p, x := range d.files {
			if x == f {
				return strings.HasPrefix(p, dir+"/")
			}
		}
	}
	return r.Path == dir || strings.HasPrefix(r.Path, dir+"/")
}

func TestADirectoryThatFailsTakesItsReplicasOfflineAndNoOthers(t *testing.T) {
	d := newMemDisk()
	n := bootTwo(t, d, 1)
	c := n.connect(0)
	n.mustCreate(c, "t", 4)
	a, b := d.logsIn("data/a", "t"), d.logsIn("data/b", "t")
	each := func(what string, want func(log string) kerr.Code) {
		t.Helper()
		for part := range int32(4) {
			code, _ := c.produced("t", part)
			if log := fmt.Sprintf("t-%d", part); code != want(log) {
				t.Errorf("%s: %s: %v, want %v", what, log, code, want(log))
			}
		}
	}
	each("both work", func(string) kerr.Code { return kerr.None })
	broken := func(r *disk.Request) disk.Err {
		if d.in(r, "data/b") {
			return disk.ErrIO
		}
		return disk.OK
	}
	d.fail = broken
	halved := func(log string) kerr.Code {
		if slices.Contains(b, log) {
			return kerr.KafkaStorageError
		}
		return kerr.None
	}
	each("the second one fails", halved)
	each("and again", halved)
	if n.fatal != "" {
		t.Fatal(n.fatal)
	}
	f := c.ask(fetchFrom("t", int32(b[0][2]-'0'), 0, 0, 1)).(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if kerr.Code(f.ErrorCode) != kerr.KafkaStorageError {
		t.Errorf("a fetch from it: %v", kerr.Code(f.ErrorCode))
	}
	dirs := c.described()
	if len(dirs) != 2 || dirs[0].ErrorCode != 0 || !slices.Equal(partitionsIn(&dirs[0], "t"), a) || kerr.Code(dirs[1].ErrorCode) != kerr.KafkaStorageError {
		t.Errorf("described as %+v", dirs)
	}
	n.mustCreate(c, "u", 2)
	if u := d.logsIn("data/a", "u"); len(u) != 2 {
		t.Errorf("new logs in the directory that is there: %v", u)
	}
	n.kill()
	d.fail = broken
	n = bootTwo(t, d, 1)
	c = n.connect(0)
	each("started without it", halved)
	n.mustCreate(c, "v", 2)
	c.ask(deleteTopic("u"))
	if !n.stop() {
		t.Fatal("it does not stop")
	}
	n.kill()
	n = bootTwo(t, d, 1) // repaired
	c = n.connect(0)
	each("repaired", func(string) kerr.Code { return kerr.None })
	if l := d.logsIn("data/b", "t"); !slices.Equal(l, b) || len(d.logsIn("data/a", "t")) != len(a) {
		t.Errorf("repaired: %v and %v", d.logsIn("data/a", "t"), l)
	}
	d.fail = func(r *disk.Request) disk.Err {
		if d.in(r, "data/a") && r.Kind != disk.Read {
			return disk.ErrIO
		}
		return disk.OK
	}
	c.send(produceTo("t", int32(a[0][2]-'0'), -1, batchOf(2, 10)))
	n.run()
	if n.code != 2 || !strings.Contains(n.fatal, "the log directory with the metadata is offline (data/a") {
		t.Errorf("the first one fails: code %d, %q", n.code, n.fatal)
	}
}

func TestWhereAReplicaLies(t *testing.T) {
	s := newNodeOf(t, newMemDisk(), "", 1, twoDirs).shards[0].s
	const none = -1
	for _, c := range []struct {
		name     string
		assigned byte   // in the metadata; 1 and 2 are the two directories, 0 none
		found    string // the directories that have the log, as "a", "b"
		offline  int    // the directory that is; none
		replicas int
		want     int // none: offline
	}{
		{"new", 0, "", none, 1, 0},
		{"new, and one is offline", 0, "", 0, 1, 1},
		{"assigned", 2, "", none, 1, 1},
		{"assigned and there", 2, "b", none, 1, 1},
		{"moved by hand", 1, "b", none, 1, 1},
		{"in both", 2, "ab", none, 1, 1},
		{"in both, and said of neither", 0, "ab", none, 1, 0},
		{"assigned to one that failed", 2, "", 1, 3, none},
		{"assigned to one that failed, with an old copy", 2, "b", 1, 3, none},
		{"assigned to one that is not known, while one is offline", 9, "", 1, 3, none},
		{"its disk was replaced, and others have it", 9, "", none, 3, 0},
		{"its disk was replaced, and nobody else has it", 9, "", none, 1, none},
	} {
		s.boot = &bootData{dirs: make([]bootDir, 2)}
		for i := range s.state.Dirs {
			s.state.Dirs[i].ID, s.state.Dirs[i].Offline = [16]byte{byte(i + 1)}, i == c.offline
			if strings.Contains(c.found, string(rune('a'+i))) {
				s.boot.dirs[i].logs = []string{"t-0"}
			}
		}
		s.env.Out = &step.Effects{}
		x := metadata.Partition{Replicas: []int32{s.node.NodeID, 2, 3}[:c.replicas], Dirs: [][16]byte{{c.assigned}, {}, {}}[:c.replicas]}
		p := replica.New(s.env, "t", [16]byte{7}, 0, 0, true)
		got := none
		if s.place(p, &x) {
			got = p.Dir
		}
		if got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestARegistrationSaysWhetherADirectoryIsNotThere(t *testing.T) {
	d := newMemDisk()
	s := bootTwo(t, d, 1).shards[0].s
	for _, offline := range []bool{false, true} {
		s.state.Dirs[1].Offline = offline
		want := kmsg.NewPtrBrokerRegistrationRequest()
		if offline {
			controller.SetDirectoryAway(want)
		}
		if got := s.registration(); got.UnknownTags.Len() != want.UnknownTags.Len() || len(got.LogDirs) != 2-got.UnknownTags.Len() {
			t.Errorf("offline %v: %d tags, directories %x", offline, got.UnknownTags.Len(), got.LogDirs)
		}
	}
}
