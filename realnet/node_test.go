package realnet_test

import (
	"encoding/binary"
	"testing"
)

func TestAnEchoAnAppendAndAFetchGoThroughTheWholeNode(t *testing.T) {
	r := start(t, 2, nil)
	c := r.dial()
	equal(t, "ehello", string(c.call([]byte("ehello"))))
	pos := c.call([]byte("aseven by"))
	equal(t, uint64(0), binary.BigEndian.Uint64(pos))
	pos = c.call([]byte("ssynced"))
	equal(t, uint64(8), binary.BigEndian.Uint64(pos))
	equal(t, "seven bysynced", string(c.call(fetchFrame('f', 0, 14))))
	c2 := r.dial() // on the other shard
	equal(t, "ven bysy", string(c2.call(fetchFrame('x', 2, 8))))
}
