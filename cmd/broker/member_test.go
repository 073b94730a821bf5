package main_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// health asks a probe of the admin listener.
func health(t testing.TB, admin, path string) (code int, text string) {
	t.Helper()
	r, err := (&http.Client{Timeout: 10 * time.Second}).Get(admin + path)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestANodeWhoseListNamesOthersFoundsNothingAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("two processes")
	}
	inner := []string{freePort(t), freePort(t), freePort(t)}
	dir, admin := t.TempDir(), freePort(t)
	launched := func(i int, list string, more ...string) *node {
		return begin(t, filepath.Join(dir, fmt.Sprint(i)), append([]string{fmt.Sprintf("node.id=%d", i+1), "process.roles=broker,controller",
			"listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://" + inner[i], "controller.quorum.bootstrap.servers=" + list}, more...)...)
	}
	one := launched(0, strings.Join(inner, ","), "admin.listener="+admin)
	eventually(t, 10*time.Second, "the probe says that there is no controller", func() bool {
		code, text := health(t, "http://"+admin, "/readyz")
		return code == 503 && strings.Contains(text, "no-controller")
	})
	if code, text := health(t, "http://"+admin, "/healthz"); code != 200 {
		t.Errorf("/healthz: %d %s", code, text)
	}
	two := launched(1, strings.Join(inner, ","))
	select {
	case l := <-one.line:
		t.Fatalf("two of three founded a cluster: %s", l)
	case l := <-two.line:
		t.Fatalf("two of three founded a cluster: %s", l)
	case <-time.After(time.Second):
	}
	three := launched(2, inner[0]+","+inner[2]+","+freePort(t))
	if code := three.wait(); code != 1 || !strings.Contains(three.stderr.String(), "founding list") || strings.Count(three.stderr.String(), "\n") != 1 {
		t.Errorf("another list: code %d, %s", code, three.stderr.String())
	}
	one.kill() // it may have refused as well: neither knows which of them is wrong
	two.kill()
	one, two, three = launched(0, strings.Join(inner, ","), "admin.listener="+admin), launched(1, strings.Join(inner, ",")), launched(2, strings.Join(inner, ","))
	for _, n := range []*node{one, two, three} {
		n.wentReady()
	}
	if code, text := health(t, one.ready["admin"], "/readyz"); code != 200 {
		t.Errorf("/readyz: %d %s", code, text)
	}
	if one.ready["cluster.id"] != two.ready["cluster.id"] || one.ready["cluster.id"] == "" {
		t.Errorf("cluster ids %q and %q", one.ready["cluster.id"], two.ready["cluster.id"])
	}
}

func TestControllersAloneAndBrokersAloneMakeACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("five processes")
	}
	inner := []string{freePort(t), freePort(t), freePort(t)}
	list := "controller.quorum.bootstrap.servers=" + strings.Join(inner, ",")
	dir := t.TempDir()
	var nodes []*node
	for i := range 3 {
		nodes = append(nodes, begin(t, filepath.Join(dir, fmt.Sprint(i)), fmt.Sprintf("node.id=%d", 100+i), "process.roles=controller", "listeners=CONTROLLER://"+inner[i], list))
	}
	addrs := []string{freePort(t), freePort(t)}
	broker := func(i int) *node {
		return begin(t, filepath.Join(dir, "b"+fmt.Sprint(i)), fmt.Sprintf("node.id=%d", i+1), "process.roles=broker", "listeners=PLAINTEXT://"+addrs[i], list)
	}
	nodes = append(nodes, broker(0), broker(1))
	for _, n := range nodes {
		n.wentReady()
	}
	cl := dial(t, addrs[0], kgo.SeedBrokers(addrs...))
	createReplicated(t, cl, "t", 3, 2)
	l := newLedger()
	if err := produceAll(bounded(t, 30*time.Second), cl, "t", 1, 0, 300, l); err != nil || len(l.acked) != 300 {
		t.Fatalf("%d acknowledged, %v %v", len(l.acked), err, l.bad)
	}
	nodes[3].kill()
	nodes[0].kill()
	if err := produceAll(bounded(t, 30*time.Second), cl, "t", 1, 300, 300, l); err != nil || len(l.acked) != 600 {
		t.Fatalf("%d acknowledged without one controller and one broker, %v %v", len(l.acked), err, l.bad)
	}
	nodes[3] = broker(0).wentReady()
	all := readAll(t, dial(t, addrs[0], kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 600)
	same(t, 1, l, all[1])
	if leader, voters, observers := quorum(t, cl); len(voters) != 3 || len(observers) != 2 || leader < 100 {
		t.Errorf("leader %d, voters %v, observers %v", leader, voters, observers)
	}
}

func TestALoneBrokersDirectoryGoesOnInACluster(t *testing.T) {
	dir := t.TempDir()
	n := start(t, dir)
	createTopic(t, n.client(), "old", 3)
	l := newLedger()
	if err := produceAll(bounded(t, 30*time.Second), n.client(), "old", 1, 0, 300, l); err != nil {
		t.Fatal(err)
	}
	id := n.ready["cluster.id"]
	if code := n.term(); code != 0 {
		t.Fatalf("code %d", code)
	}
	inner := freePort(t)
	settings := []string{"listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://" + inner, "process.roles=broker,controller", "controller.quorum.bootstrap.servers=" + inner}
	for life := range 3 {
		n = start(t, dir, settings...)
		if n.ready["cluster.id"] != id {
			t.Fatalf("cluster id %s became %s", id, n.ready["cluster.id"])
		}
		first := uint64(300 + 100*life)
		if err := produceAll(bounded(t, 30*time.Second), n.client(), "old", 1, first, 100, l); err != nil || len(l.bad) > 0 {
			t.Fatal(err, l.bad)
		}
		all := readAll(t, n.client(kgo.ConsumeTopics("old"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), int(first)+100)
		same(t, 1, l, all[1])
		if life == 1 {
			n.kill()
		} else if code := n.term(); code != 0 {
			t.Fatalf("code %d", code)
		}
	}
	refused(t, "a cluster's directory, opened alone", []string{dir, "controller.quorum.bootstrap.servers"}, "--data", dir, "--set", "listeners=PLAINTEXT://127.0.0.1:0", "--set", "admin.listener=127.0.0.1:0")
	other := freePort(t)
	three := begin(t, filepath.Join(t.TempDir(), "other"), "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://"+other, "controller.quorum.bootstrap.servers="+other)
	three.wentReady()
	wrong := begin(t, dir, "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://"+inner, "controller.quorum.bootstrap.servers="+other)
	if code := wrong.wait(); code != 1 || !strings.Contains(wrong.stderr.String(), "belongs to cluster "+id) {
		t.Errorf("another cluster's directory: code %d, %s", code, wrong.stderr.String())
	}
}
