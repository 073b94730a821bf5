package solo

import (
	"fmt"
	"os"
	"testing"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/memdisk"
	"github.com/seedlog/seedlog/core/task"
)

// The directory in testdata was written by the first release: a checkpoint and a log after it, of a broker that registered twice, with
// topics made, changed and removed. It must read for ever as it did then.
func TestADirectoryOfTheFirstReleaseReadsAsItDidThen(t *testing.T) {
	const dir = "testdata/foundation"
	d := memdisk.New(1)
	files := []string{"meta.properties", Dir + "/00000000000000000005-0000000002.checkpoint", Dir + "/00000000000000000005.log"}
	for _, name := range files {
		b, err := os.ReadFile(dir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		d.Put("data/"+name, b)
	}
	e := d.Env(1)
	img := metadata.Empty()
	task.Go(e, func(tk *task.Task) {
		cfg := *config.DefaultNode()
		cfg.LogDir = "data"
		o, err := Open(tk, e, &cfg)
		if err != nil {
			t.Fatal(err)
		}
		img = o.Image
	})
	d.Run(e)
	if img.ClusterID() != "foundation" || img.Index() != 8 || img.NextProducerID() != 1000 || img.Digest() != 17006064419884977454 {
		t.Fatalf("cluster %s, index %d, next producer id %d, digest %d", img.ClusterID(), img.Index(), img.NextProducerID(), img.Digest())
	}
	b := img.Broker(1)
	if b.Epoch != 3 || b.Fenced || b.InShutdown || b.ActiveEpoch != 3 || *b.Rack != "rack" {
		t.Fatalf("%+v", b)
	}
	got := ""
	for _, x := range img.Topics() {
		for _, p := range x.Partitions {
			got += fmt.Sprint(x.Name, p.Leader, p.LeaderEpoch, p.PartitionEpoch, p.ISR, p.ELR, p.LastLeader, " ")
		}
	}
	if want := "a1 1 1 [1] [] 0 a1 1 1 [1] [] 0 a1 1 1 [1] [] 0 c1 0 0 [1] [] 0 c1 0 0 [1] [] 0 d1 0 0 [1] [] 0 "; got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if text := img.Wrong(); text != "" {
		t.Fatal(text)
	}
}
