package datadir

import (
	"strings"
	"testing"

	"github.com/seedlog/seedlog/core/metadata/memdisk"
	"github.com/seedlog/seedlog/core/task"
)

func open(d *memdisk.Disk, node int32, cluster string) (*Dir, error) {
	e := d.Env(uint64(node))
	var dir *Dir
	var err error
	task.Go(e, func(t *task.Task) { dir, err = Open(t, e, "data", node, cluster) })
	d.Run(e)
	return dir, err
}

func TestADirectoryKeepsItsIdentity(t *testing.T) {
	d := memdisk.New(1)
	a, err := open(d, 1, "")
	if err != nil || !a.Fresh || a.ClusterID == "" || a.ID == [16]byte{} {
		t.Fatalf("%+v %v", a, err)
	}
	d.Crash()
	b, err := open(d, 1, a.ClusterID)
	if err != nil || b.Fresh || b.ClusterID != a.ClusterID || b.ID != a.ID {
		t.Fatalf("%+v became %+v, %v", a, b, err)
	}
}

func TestADirectoryOfSomebodyElseIsRefused(t *testing.T) {
	for _, c := range []struct {
		text, want string
		node       int32
		cluster    string
	}{
		{"version=1\nnode.id=1\ncluster.id=c\ndirectory.id=AAAAAAAAQACAAAAAAAAAAQ\n", "data belongs to node.id=1, not to node.id=2; set node.id=1", 2, ""},
		{"version=1\nnode.id=1\ncluster.id=c\ndirectory.id=AAAAAAAAQACAAAAAAAAAAQ\n", "data belongs to cluster c, not to d; unset CLUSTER_ID", 1, "d"},
		{"#\n#Sun\nversion=1\nnode.id=1\ncluster.id=c\ndirectory.id=xx\n", "directory.id=\"xx\" is no id", 1, ""},
		{"version=0\nbroker.id=1\n", "version=\"0\"", 1, ""},
		{"", "version=\"\"", 1, ""},
	} {
		d := memdisk.New(1)
		d.Put("data/meta.properties", []byte(c.text))
		if _, err := open(d, c.node, c.cluster); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
}

func TestADirectoryThatWasAwayWhenTheFirstOneWasNamedIsNamedOnceItIsThere(t *testing.T) {
	d := memdisk.New(1)
	beside := func(cluster string) (dir *Dir) {
		e := d.Env(1)
		task.Go(e, func(t *task.Task) {
			x, err := OpenBeside(t, e, "beside", 1, cluster)
			if dir = x; err != nil {
				dir = nil
			}
		})
		d.Run(e)
		return dir
	}
	was := beside("")
	if was == nil || was.ClusterID != "" {
		t.Fatalf("%+v", was)
	}
	for _, when := range []string{"once it is there", "from then on"} {
		d.Crash()
		is := beside("c")
		if is == nil || is.ClusterID != "c" || is.ID != was.ID {
			t.Fatalf("%s: %+v became %+v", when, was, is)
		}
	}
	if other := beside("d"); other != nil {
		t.Fatalf("it became another cluster's: %+v", other)
	}
}
