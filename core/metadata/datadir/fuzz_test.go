package datadir

import (
	"encoding/base64"
	"testing"
)

func FuzzMetaProperties(f *testing.F) {
	f.Add("#\nversion=1\ncluster.id=c\nnode.id=1\ndirectory.id=AQIDAAAAAAAAAAAAAAAAAA\n", true)
	f.Add("version=1\nnode.id=1\ndirectory.id=AQIDAAAAAAAAAAAAAAAAAA", false)
	f.Add("=\n!a=b\n = = \nversion", false)
	f.Fuzz(func(t *testing.T, text string, member bool) {
		d := Dir{Path: "data", NodeID: 1}
		if err := d.check(text, member); err != nil {
			return
		}
		p := parse(text)
		if p["version"] != "1" || d.ClusterID != p["cluster.id"] || d.ClusterID == "" && !member {
			t.Fatalf("%q is taken as %+v", text, d)
		}
		if id, err := base64.RawURLEncoding.DecodeString(p["directory.id"]); err != nil || string(id) != string(d.ID[:]) {
			t.Fatalf("%q is taken as %+v", text, d)
		}
	})
}
