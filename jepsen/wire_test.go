package jepsen

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/report"
)

// sink is a connection that takes everything.
type sink struct{ net.Conn }

func (sink) Write(b []byte) (int, error) { return len(b), nil }

// batchOf is a batch of values.
func batchOf(pid int64, epoch int16, seq int32, values ...history.Value) []byte {
	b := kmsg.RecordBatch{Magic: 2, ProducerID: pid, ProducerEpoch: epoch, FirstSequence: seq, NumRecords: int32(len(values))}
	for _, v := range values {
		r := kmsg.Record{Value: v.AppendText(nil)}
		sized := r.AppendTo(nil)
		r.Length = int32(len(sized) - 1) // of a record whose length takes one byte
		b.Records = r.AppendTo(b.Records)
	}
	b.Length = int32(len(b.AppendTo(nil)) - 12)
	return b.AppendTo(nil)
}

// produce is a whole request.
func produce(version int16, batch []byte) []byte {
	q := kmsg.NewPtrProduceRequest()
	q.Version = version
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = batch
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.Partitions = "t", append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, q, 7)
}

func TestWhatLeavesAClientIsKnownHoweverItIsCut(t *testing.T) {
	a, b := history.MakeValue(1, 2), history.MakeValue(1, 3)
	other := kmsg.NewRequestFormatter().AppendRequest(nil, kmsg.NewPtrMetadataRequest(), 1)
	for _, version := range []int16{7, 9, 13} {
		stream := append(append(append([]byte{}, other...), produce(version, batchOf(5, 1, 40, a, b))...), other...)
		stream = append(stream, produce(version, batchOf(5, 1, 41, b))...)
		for _, size := range []int{1, 3, 7, 50, len(stream)} {
			w := newSent()
			c := &tapped{Conn: sink{}, w: newWire(nil, w.hearers())}
			for rest := stream; len(rest) > 0; {
				n, err := c.Write(rest[:min(size, len(rest))])
				require.NoError(t, err)
				rest = rest[n:]
			}
			require.Equal(t, sending{pid: 5, epoch: 1, seq: 40, attempts: 1}, w.take(a), "version %d in pieces of %d", version, size)
			require.Equal(t, sending{pid: 5, epoch: 1, seq: 41, attempts: 2}, w.take(b))
			require.Equal(t, sending{}, w.take(a), "it is forgotten")
		}
	}
}

func TestAValueThatLeftUnderTwoSequencesMayStandTwice(t *testing.T) {
	v := history.MakeValue(1, 2)
	w := newSent()
	w.batch(batchOf(5, 1, 40, v))
	w.batch(batchOf(5, 2, 0, v))
	op := history.Op{PID: -1}
	w.take(v).fill(&op)
	require.Equal(t, int64(-1), op.PID, "nobody knows under which it was taken")
	require.Equal(t, int32(2), op.Attempts)
}

// peer is a connection that answers with what it is given.
type peer struct {
	net.Conn
	rest []byte
	most int
}

func (c *peer) Write(b []byte) (int, error) { return len(b), nil }
func (c *peer) Close() error                { return nil }
func (c *peer) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), c.most)], c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// answer is a whole response.
func answer(id int32, r kmsg.Response) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(id))
	if r.IsFlexible() {
		b = append(b, 0)
	}
	b = r.AppendTo(b)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func TestAnAnswerFindsItsRequestHoweverItIsCutAndAnEndedConnectionAnswersTheRest(t *testing.T) {
	for _, version := range []int16{1, 3, 4} {
		for _, most := range []int{1, 5, 1000} {
			told, ask := &peer{most: most}, func(id int32) []byte {
				q := kmsg.NewPtrEndTxnRequest()
				q.Version, q.ProducerID = version, int64(id)
				return kmsg.NewRequestFormatter().AppendRequest(nil, q, id)
			}
			var got []string
			c := &tapped{Conn: told, asked: map[int32]asked{}, w: newWire(nil, map[kmsg.Key]hearer{kmsg.EndTxn: func(r kmsg.Request) func(kmsg.Response) {
				pid := r.(*kmsg.EndTxnRequest).ProducerID
				return func(r kmsg.Response) {
					if r == nil {
						got = append(got, fmt.Sprint(pid, " never"))
						return
					}
					got = append(got, fmt.Sprint(pid, " ", r.(*kmsg.EndTxnResponse).ErrorCode))
				}
			}})}
			for id := range int32(3) {
				_, _ = c.Write(ask(id + 7))
			}
			for _, id := range []int32{8, 99, 7} {
				r := kmsg.NewPtrEndTxnResponse()
				r.Version, r.ErrorCode = version, int16(id*10)
				told.rest = append(told.rest, answer(id, r)...)
			}
			for b := make([]byte, 64); ; {
				if _, err := c.Read(b); err != nil {
					break
				}
			}
			require.Equal(t, []string{"8 80", "7 70", "9 never"}, got, "version %d in pieces of %d", version, most)
		}
	}
}

func FuzzWire(f *testing.F) {
	f.Add(produce(9, batchOf(5, 1, 40, history.MakeValue(1, 2))), []byte{})
	f.Fuzz(func(_ *testing.T, b, back []byte) {
		all := newSent().hearers()
		for k := range kmsg.MaxKey {
			if all[kmsg.Key(k)] == nil {
				all[kmsg.Key(k)] = func(kmsg.Request) func(kmsg.Response) { return func(kmsg.Response) {} }
			}
		}
		c := &tapped{Conn: &peer{rest: back, most: 1000}, w: newWire(nil, all), asked: map[int32]asked{}}
		_, _ = c.Write(b)
		if len(b) > 4 {
			binary.BigEndian.PutUint32(b, uint32(len(b)-4))
			_, _ = c.Write(b)
		}
		for buf := make([]byte, 64); ; {
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
	})
}

func TestEachKindOfFaultIsTold(t *testing.T) {
	for _, k := range Kinds() {
		require.NotEmpty(t, report.FaultText(report.Real+k), k)
		require.NotEmpty(t, report.FaultName(report.Real+k), k)
	}
}

func TestAConfigurationThatMakesNoSenseIsRefused(t *testing.T) {
	good := Config{System: Seedlog, Nodes: 3, Time: 1e9, Workload: "log", Flush: "ack"}
	require.NoError(t, good.Validate())
	for _, spoil := range []func(*Config){
		func(c *Config) { c.System = "other" }, func(c *Config) { c.System = Kafka }, func(c *Config) { c.Nodes = 1 }, func(c *Config) { c.Workload = "none" },
		func(c *Config) { c.Flush = "never" }, func(c *Config) { c.Time = 0 }, func(c *Config) { c.Nemesis = []string{"kill", "flood"} },
	} {
		c := good
		spoil(&c)
		require.Error(t, c.Validate())
	}
}

func TestAVerdictWithoutACheckIsNone(t *testing.T) {
	v := Judge(nil, []string{"M1"})
	require.Equal(t, "unknown", v.Valid)
	require.Equal(t, ExitHarness, v.Exit())
	require.Contains(t, v.Harness, "M1")
}
