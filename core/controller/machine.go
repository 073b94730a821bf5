package controller

import (
	"encoding/binary"
	"strconv"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/plant"
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
	body     []byte              // of the records of the entry that is being made
	more     [][]metadata.Record // of the decision in flight, which is too large for one entry: what further entries will hold
	moreTerm int64               // in which it was decided
	maxEntry int                 // bytes; metadata.MaxEntryBytes

	sessions  *sessions    // nil: this broker is alone
	name      string       // of this broker among those that have settings
	effective *config.Node // of all and own; nil: not made yet
	all, own  config.Pairs
}

// submission is a request with its waiter, or, with req nil, what the machine asks of itself.
type submission struct {
	req      kmsg.Request
	w        Waiter
	internal internal
}

type decided struct {
	req  kmsg.Request // nil: nobody waits
	resp kmsg.Response
	w    Waiter
}

// NewMachine starts with the image that the quorum had at start. It must be a Watcher of the Store, and get its Fate's calls.
// features are finalized when the cluster is founded.
func NewMachine(n *config.Node, img *metadata.Image, q metadata.Quorum, rand *prng.Source, features []metadata.FeatureLevelRecord) *Machine {
	return &Machine{node: n, name: strconv.Itoa(int(n.NodeID)), rand: rand, features: features, quorum: q, img: img, maxEntry: metadata.MaxEntryBytes}
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
	if m.sessions != nil && m.atOnce(req, w) {
		return
	}
	m.queue = append(m.queue, submission{req: req, w: w})
	m.next()
}

// atOnce answers what needs no record: a heartbeat that changes nothing, above all. It counts as sign of life in any case.
func (m *Machine) atOnce(req kmsg.Request, w Waiter) bool {
	switch req := req.(type) {
	case *kmsg.BrokerHeartbeatRequest:
		m.sessions.beat(req)
		resp, records := BrokerHeartbeat(m.context(m.img), req, m.sessions.seen(req.BrokerID))
		if len(records) > 0 {
			return false
		}
		w.Decided(m.dated(resp), m.img)
	case *kmsg.ListPartitionReassignmentsRequest:
		w.Decided(ListPartitionReassignments(m.img, req), m.img)
	case *kmsg.DescribeQuorumRequest:
		w.Decided(m.describeQuorum(req), m.img)
	default:
		return false
	}
	return true
}

// same says whether two settings are one slice. Images share what did not change.
func same(a, b config.Pairs) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// context is what decisions against an image are made from.
func (m *Machine) context(img *metadata.Image) *Context {
	all, own := img.ConfigsOf(metadata.ResourceBroker, ""), img.ConfigsOf(metadata.ResourceBroker, m.name)
	if m.effective == nil || !same(m.all, all) || !same(m.own, own) {
		m.effective, m.all, m.own = m.node.With(all, own), all, own
	}
	c := &Context{Image: img, Node: m.effective, Rand: m.rand, Clustered: m.sessions != nil}
	if m.sessions != nil {
		c.Ends = m.sessions.logEnd
	}
	return c
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
	m.body = m.body[:0]
	n, records := 0, 0
	for ; n < len(m.queue) && n < batchRequests && records < batchRecords; n++ {
		s := m.queue[n]
		resp, recs := m.oneOf(img, &s)
		end := len(m.body)
		if m.body = metadata.AppendRecords(m.body, recs); metadata.MaxHeadBytes+len(m.body) > m.maxEntry {
			m.body = m.body[:end]
			if n == 0 {
				m.large(s, resp, recs)
				return
			}
			break // it is decided again when those before it are committed
		}
		m.inFlight = append(m.inFlight, decided{s.req, resp, s.w})
		if len(recs) > 0 {
			img, _ = img.Apply(img.Index()+1, term, metadata.Entry{Term: term, Records: recs})
			records += len(recs)
		}
		if _, ok := s.req.(*kmsg.BrokerRegistrationRequest); ok { // its epoch is the entry's index, which nobody knows before the fold
			n++
			break
		}
	}
	m.queue = append(m.queue[:0], m.queue[n:]...)
	if records == 0 {
		m.answer(kerr.None)
		return
	}
	m.propose(term, records)
}

// propose puts forward the records in body.
func (m *Machine) propose(term int64, records int) {
	m.busy = true
	m.token++
	if m.buf == nil {
		m.buf = make([]byte, 0, entryHint)
	}
	m.buf = append(metadata.AppendHead(m.buf[:0], term, records), m.body...)
	assert.That(len(m.buf) <= m.maxEntry, "controller: entry above its bound")
	m.quorum.Propose(m.token, term, m.buf)
}

func (m *Machine) oneOf(img *metadata.Image, s *submission) (kmsg.Response, []metadata.Record) {
	if s.req == nil {
		return nil, m.decideInternal(m.context(img), s.internal)
	}
	return m.one(img, s.req)
}

// one decides one request.
func (m *Machine) one(img *metadata.Image, req kmsg.Request) (kmsg.Response, []metadata.Record) {
	c := m.context(img)
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
	case *kmsg.UpdateFeaturesRequest:
		return pair(UpdateFeatures(c, req))
	case *kmsg.AllocateProducerIDsRequest:
		return pair(AllocateProducerIDs(c, req))
	case *kmsg.BrokerRegistrationRequest:
		return pair(RegisterBroker(c, req, m.features, m.sessions != nil && m.sessions.alive(req)))
	case *kmsg.BrokerHeartbeatRequest:
		return pair(BrokerHeartbeat(c, req, m.seen(req.BrokerID)))
	case *kmsg.UnregisterBrokerRequest:
		return pair(UnregisterBroker(c, req))
	case *kmsg.AlterPartitionRequest:
		return pair(AlterPartition(c, req))
	case *kmsg.ElectLeadersRequest:
		return pair(ElectLeaders(c, req))
	case *kmsg.AlterPartitionAssignmentsRequest:
		return pair(AlterPartitionReassignments(c, req))
	case *kmsg.ListPartitionReassignmentsRequest:
		return ListPartitionReassignments(img, req), nil
	case *kmsg.AssignReplicasToDirsRequest:
		return pair(AssignReplicasToDirs(c, req))
	case *kmsg.DescribeQuorumRequest:
		return m.describeQuorum(req), nil
	}
	assert.Never("controller: a request that nobody decides")
	return nil, nil
}

func (m *Machine) seen(id int32) Seen {
	if m.sessions == nil {
		return Seen{ShutdownAt: -1}
	}
	return m.sessions.seen(id)
}

func pair[R kmsg.Response](r R, recs []metadata.Record) (kmsg.Response, []metadata.Record) {
	return r, recs
}

// ImageChanged takes the newest image, and answers what waited for it.
func (m *Machine) ImageChanged(img *metadata.Image, c metadata.Commit) {
	m.img = img
	if assert.Invariants && m.sessions != nil {
		text := m.context(img).wrong()
		assert.That(text == "", text)
	}
	if m.sessions != nil {
		m.sessions.follow()
	}
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
	if code == kerr.None && m.goOn() {
		return
	}
	m.more = nil
	m.answer(code)
	m.next()
}

// answer answers what was decided last: as decided, or with code.
func (m *Machine) answer(code kerr.Code) {
	batch := m.inFlight
	m.inFlight = nil
	for _, d := range batch {
		if d.req == nil {
			continue
		}
		if code != kerr.None && !lies(d.resp) {
			d.resp = Refuse(d.req, code)
		} else if r, ok := d.resp.(*kmsg.BrokerRegistrationResponse); ok && r.ErrorCode == 0 {
			r.BrokerEpoch = m.img.Broker(d.req.(*kmsg.BrokerRegistrationRequest).BrokerID).Epoch
		}
		d.w.Decided(m.dated(d.resp), m.img)
	}
}

// dated notes in the answer to a heartbeat which image it speaks of: a broker that was not let run for a while goes by that.
func (m *Machine) dated(resp kmsg.Response) kmsg.Response {
	if r, ok := resp.(*kmsg.BrokerHeartbeatResponse); ok {
		r.UnknownTags.Set(TagIndex, binary.BigEndian.AppendUint64(nil, uint64(max(0, m.img.Index()))))
	}
	return resp
}

// lies says whether a deposed controller answers as if what it decided had happened.
func lies(resp kmsg.Response) bool {
	if !plant.On(plant.R15) {
		return false
	}
	_, ok := resp.(*kmsg.AlterPartitionResponse)
	return ok
}

// LeaderChanged answers what is queued, if this node does not lead any more.
func (m *Machine) LeaderChanged() {
	if m.sessions != nil {
		m.sessions.leaderChanged()
	}
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
		if s.req == nil {
			continue
		}
		s.w.Decided(Refuse(s.req, code), m.img)
	}
}
