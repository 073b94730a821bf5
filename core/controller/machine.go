package controller

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Waiter hears the answer to what it submitted, exactly once. img is the newest image, which holds what the answer speaks of.
// The call may come from within Submit.
type Waiter interface {
	Decided(resp kmsg.Response, img *metadata.Image)
}

// Limits of the Machine.
const (
	MaxQueued     = 4096    // submissions that wait; the next is answered with THROTTLING_QUOTA_EXCEEDED
	batchRecords  = 20_000  // an entry takes no further submission once it has so many records
	batchRequests = 1024    // or so many submissions
	entryHint     = 1 << 16 // bytes
)

// Machine decides one entry at a time.
//
//	idle ──Submit──▶ in flight ──ImageChanged(our token)──▶ answers; more queued: in flight, else idle
//	                     └──────Refused(our token)─────────▶ NOT_CONTROLLER or KAFKA_STORAGE_ERROR; the same
//	idle or in flight ──LeaderChanged, no leader──▶ what is queued: NOT_CONTROLLER (what is in flight hears of it by itself)
//	any ──Failed──▶ failed: everything, now and later, KAFKA_STORAGE_ERROR
type Machine struct {
	node     *config.Node
	rand     *prng.Source
	features []metadata.FeatureLevelRecord
	quorum   metadata.Quorum
	img      *metadata.Image

	queue    []submission
	inFlight []decided  // of the entry with token, while busy
	token    disk.Token // of the newest proposal; 0 before the first
	busy     bool
	deciding bool
	failed   bool
	buf      []byte
}

type submission struct {
	req kmsg.Request
	w   Waiter
}

type decided struct {
	req  kmsg.Request
	resp kmsg.Response
	w    Waiter
}

// NewMachine starts with the image that the quorum had at start. It must be a Watcher of the Store, and get its Fate's calls.
// features are finalized when the cluster is founded.
func NewMachine(n *config.Node, img *metadata.Image, q metadata.Quorum, rand *prng.Source, features []metadata.FeatureLevelRecord) *Machine {
	return &Machine{node: n, rand: rand, features: features, quorum: q, img: img}
}

// Submit asks for a decision on a request of one of the types that decide knows. The request stays put until the answer.
func (m *Machine) Submit(req kmsg.Request, w Waiter) {
	switch {
	case m.failed:
		w.Decided(Refuse(req, kerr.KafkaStorageError), m.img)
		return
	case !m.quorum.Leader():
		w.Decided(Refuse(req, kerr.NotController), m.img)
		return
	case len(m.queue) >= MaxQueued:
		w.Decided(Refuse(req, kerr.ThrottlingQuotaExceeded), m.img)
		return
	}
	m.queue = append(m.queue, submission{req, w})
	m.next()
}

// Busy says whether an entry is in flight.
func (m *Machine) Busy() bool { return m.busy }

// next decides queued submissions, until one entry is in flight or none is left. Each is decided against an image in which the ones
// before it have happened already. Those that need no record and follow none that does are answered at once.
func (m *Machine) next() {
	if m.deciding { // a waiter submitted from within Decided
		return
	}
	m.deciding = true
	for !m.busy && len(m.queue) > 0 {
		m.decide()
	}
	m.deciding = false
}

func (m *Machine) decide() {
	img, term := m.img, m.quorum.Term()
	var records []metadata.Record
	n := 0
	for ; n < len(m.queue) && n < batchRequests && len(records) < batchRecords; n++ {
		s := m.queue[n]
		resp, recs := m.one(img, s.req)
		m.inFlight = append(m.inFlight, decided{s.req, resp, s.w})
		if len(recs) > 0 {
			img, _ = img.Apply(img.Index()+1, term, metadata.Entry{Term: term, Records: recs})
			records = append(records, recs...)
		}
	}
	m.queue = append(m.queue[:0], m.queue[n:]...)
	if len(records) == 0 {
		m.answer(kerr.None)
		return
	}
	m.busy = true
	m.token++
	if m.buf == nil {
		m.buf = make([]byte, 0, entryHint)
	}
	m.buf = metadata.AppendEntry(m.buf[:0], metadata.Entry{Term: term, Records: records})
	assert.That(len(m.buf) <= metadata.MaxEntryBytes, "controller: entry above its bound")
	m.quorum.Propose(m.token, term, m.buf)
}

// one decides one request.
func (m *Machine) one(img *metadata.Image, req kmsg.Request) (kmsg.Response, []metadata.Record) {
	c := &Context{Image: img, Node: Effective(m.node, img), Rand: m.rand}
	switch req := req.(type) {
	case *kmsg.CreateTopicsRequest:
		return pair(CreateTopics(c, req))
	case *kmsg.DeleteTopicsRequest:
		return pair(DeleteTopics(c, req))
	case *kmsg.CreatePartitionsRequest:
		return pair(CreatePartitions(c, req))
	case *kmsg.AlterConfigsRequest:
		return pair(AlterConfigs(c, req))
	case *kmsg.IncrementalAlterConfigsRequest:
		return pair(IncrementalAlterConfigs(c, req))
	case *kmsg.AllocateProducerIDsRequest:
		return pair(AllocateProducerIDs(c, req))
	case *kmsg.BrokerRegistrationRequest:
		return pair(RegisterBroker(c, req, m.features))
	}
	assert.Never("controller: a request that nobody decides")
	return nil, nil
}

func pair[R kmsg.Response](r R, recs []metadata.Record) (kmsg.Response, []metadata.Record) {
	return r, recs
}

// ImageChanged takes the newest image, and answers what waited for it.
func (m *Machine) ImageChanged(img *metadata.Image, c metadata.Commit) {
	m.img = img
	if !m.busy || c.Token != m.token {
		return
	}
	code := kerr.None
	if !c.Applied {
		code = kerr.NotController
	}
	m.settle(code)
}

// Refused answers what was in flight.
func (m *Machine) Refused(token disk.Token, err disk.Err) {
	if !m.busy || token != m.token {
		return
	}
	code := kerr.NotController
	if err != disk.OK {
		code = kerr.KafkaStorageError
	}
	m.settle(code)
}

func (m *Machine) settle(code kerr.Code) {
	m.busy = false
	m.answer(code)
	m.next()
}

// answer answers what was decided last: as decided, or with code.
func (m *Machine) answer(code kerr.Code) {
	batch := m.inFlight
	m.inFlight = nil
	for _, d := range batch {
		if code != kerr.None {
			d.resp = Refuse(d.req, code)
		} else if r, ok := d.resp.(*kmsg.BrokerRegistrationResponse); ok && r.ErrorCode == 0 {
			r.BrokerEpoch = m.img.Broker(d.req.(*kmsg.BrokerRegistrationRequest).BrokerID).Epoch
		}
		d.w.Decided(d.resp, m.img)
	}
}

// LeaderChanged answers what is queued, if this node does not lead any more.
func (m *Machine) LeaderChanged() {
	if !m.quorum.Leader() {
		m.drop(kerr.NotController)
		return
	}
	m.next()
}

// Failed answers everything: the metadata directory is gone, and the process is about to end.
func (m *Machine) Failed(disk.Err, string) {
	m.failed = true
	if m.busy {
		m.settle(kerr.KafkaStorageError)
	}
	m.drop(kerr.KafkaStorageError)
}

func (m *Machine) drop(code kerr.Code) {
	queue := m.queue
	m.queue = nil
	for _, s := range queue {
		s.w.Decided(Refuse(s.req, code), m.img)
	}
}
