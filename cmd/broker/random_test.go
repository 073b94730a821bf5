package main_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maker fills requests with values at and past the edges of what makes sense, and with names that exist.
type maker struct {
	r   *rand.Rand
	ids [][16]byte
}

var edges = []int64{0, 0, 0, 1, 1, 2, 3, -1, -1, -2, -3, -4, 7, 100, 1 << 15, 1<<31 - 1, -1 << 31, 1<<63 - 1, -1 << 63, 1_700_000_000_000}

var words = []string{
	"there", "there", "there", "compacted", "gone", "", "__consumer_offsets", "group", "group", "member", "consumer", "range", "..", "a/b", "é\xff", "1", "-1",
	"cleanup.policy", "retention.ms", "compact", "delete", "segment.bytes", "listeners", "Stable", "classic", string(make([]byte, 300)),
}

func (m *maker) bytes() []byte {
	switch m.r.IntN(5) {
	case 0:
		return nil
	case 1:
		return []byte{}
	case 2:
		return batch(1+m.r.IntN(3), []byte("v"), nil)
	case 3:
		b := batch(2, []byte("v"), nil)
		b[m.r.IntN(len(b))] ^= byte(1 + m.r.IntN(255))
		return b
	}
	b := make([]byte, m.r.IntN(100))
	for i := range b {
		b[i] = byte(m.r.Uint32())
	}
	return b
}

// fill sets every exported field below v.
func (m *maker) fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(m.r.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n := edges[m.r.IntN(len(edges))]
		if len(name) > 6 && name[len(name)-6:] == "Millis" || name == "MaxWaitMillis" {
			n = int64(m.r.IntN(60)) - 5
		}
		v.SetInt(n)
		if v.Kind() != reflect.Int64 && v.Int() != n {
			v.SetInt(0)
		}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(uint64(m.r.IntN(256)))
	case reflect.Float64:
		v.SetFloat(m.r.Float64())
	case reflect.String:
		v.SetString(words[m.r.IntN(len(words))])
	case reflect.Pointer:
		if m.r.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			m.fill(v.Elem(), name)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(m.bytes())
			return
		}
		n := m.r.IntN(4) - 1
		if n < 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			m.fill(v.Index(i), name)
		}
	case reflect.Array:
		if m.r.IntN(4) > 0 {
			v.Set(reflect.ValueOf(m.ids[m.r.IntN(len(m.ids))]))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Name != "UnknownTags" && f.Name != "Version" {
				m.fill(v.Field(i), f.Name)
			}
		}
	}
}

// request makes one of key in version; one in four is spoilt in a byte or cut.
func (m *maker) request(key, version int16) []byte {
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	m.fill(reflect.ValueOf(req).Elem(), "")
	req.SetVersion(version)
	b := kmsg.NewRequestFormatter(kmsg.FormatterClientID("e2e")).AppendRequest(nil, req, 1)
	body := b[4:]
	switch m.r.IntN(8) {
	case 0:
		body[m.r.IntN(len(body))] ^= byte(1 + m.r.IntN(255))
	case 1:
		body = body[:m.r.IntN(len(body)+1)]
	}
	return frame(body)
}

func TestRandomRequestsNeverEndTheBroker(t *testing.T) {
	for _, shards := range []string{"shards=1", "shards=3"} {
		t.Run(shards, func(t *testing.T) { randomRequests(t, shards) })
	}
}

func randomRequests(t *testing.T, shards string) {
	n := start(t, t.TempDir(), "group.min.session.timeout.ms=0", shards)
	cl := n.client()
	ids := [][16]byte{createTopic(t, cl, "there", 3), createTopic(t, cl, "compacted", 1, "cleanup.policy=compact"), {1, 2, 3}, {}}
	seed := rand.Uint64()
	if s := os.Getenv("SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("SEED=%d", seed)
	keys := n.raw().ask(kmsg.NewPtrApiVersionsRequest()).(*kmsg.ApiVersionsResponse).ApiKeys
	count := scale(1_000, 8_000, 200_000)
	var wg sync.WaitGroup
	for w := range 4 {
		m := &maker{r: rand.New(rand.NewPCG(seed, uint64(w))), ids: ids}
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := m.storm(n, keys, count/4); err != nil {
				t.Errorf("worker %d: %v", w, err)
			}
		}()
	}
	wg.Wait()
	select {
	case <-n.done:
		t.Fatalf("the broker ended with code %d", n.p.Code())
	default:
	}
	n.raw().alive("after the storm")
	if p := n.raw().ask(produceRequest(9, -1, "after", 0, batch(1, []byte("v"), nil))).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; p.ErrorCode != 3 && p.ErrorCode != 0 {
		t.Errorf("code %d", p.ErrorCode)
	}
	if kib := n.residentKiB(); kib > 400<<10 {
		t.Errorf("the broker has grown to %d KiB", kib)
	}
	if c := n.term(); c != 0 {
		t.Errorf("exit code %d", c)
	}
	restart(t, n, shards).raw().alive("started on what the storm left")
}

// storm sends requests, each on the connection of the one before as long as that lives and answers soon.
func (m *maker) storm(n *node, keys []kmsg.ApiVersionsResponseApiKey, count int) error {
	var c net.Conn
	b := make([]byte, 1<<16)
	for i := range count {
		k := keys[m.r.IntN(len(keys))]
		version := k.MinVersion + int16(m.r.IntN(int(k.MaxVersion-k.MinVersion)+1))
		if c == nil {
			var err error
			if c, err = net.Dial("tcp", n.addr); err != nil {
				return fmt.Errorf("before request %d: %w", i, err)
			}
		}
		_, err := c.Write(m.request(k.ApiKey, version))
		if err == nil {
			_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			if _, err = io.ReadAtLeast(c, b, 8); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				err = io.EOF
			}
		}
		if err != nil {
			c.Close()
			c = nil
		}
	}
	if c != nil {
		c.Close()
	}
	return nil
}
