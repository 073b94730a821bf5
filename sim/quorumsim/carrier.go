package quorumsim

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
	"github.com/seedlog/seedlog/sim/cluster"
)

// lane is the number of the quorum's actor: the carrier is the only shard.
const lane = 1

// stream is one connection of raft's, ours or a peer's.
type stream struct {
	conn network.Conn
	open bool // the actor knows of it
}

// sending is a frame that has not left, or a dial that is not answered.
type sending struct {
	tok    disk.Token
	conn   network.Conn
	size   int64
	theirs disk.Token // of the actor's Dial
	hello  link.Hello
}

// carrier is a step.Stepper: what shard 0 of a broker is to the quorum, and no more.
type carrier struct {
	cfg     cluster.NodeConfig
	seen    *Judge
	rand    *prng.Source
	now     clock.Time
	out     *step.Effects
	token   disk.Token
	made    int         // requests done of those that make the log directory
	state   *link.State // nil until the actor's stores are open
	streams []stream
	sends   []sending
	lead    link.Leadership
	index   int64      // of the newest image
	asked   disk.Token // the proposal in flight, 0 none
	decided int64      // the term in which that was decided
	next    clock.Time // when to propose
	n       int64
}

// id names a node's voter. Its directory's id stays the same: no disk is wiped here.
func id(node int) string { return link.RaftID(int32(node), [16]byte{15: byte(node)}) }

func newCarrier(cfg cluster.NodeConfig, j *Judge) *carrier {
	return &carrier{cfg: cfg, seen: j, rand: cfg.Rands[0]}
}

// Step is the one way in.
func (c *carrier) Step(now clock.Now, ev *step.Event, out *step.Effects) {
	c.now, c.out = now.Mono, out
	switch ev.Kind {
	case step.Start:
		c.ask(disk.Request{Kind: disk.Mkdir, Path: c.cfg.DataDir})
	case step.DiskDone:
		c.done(&ev.Disk)
	case step.MailArrived:
		c.mail(&ev.Mail)
	case step.ConnOpened:
		c.opened(&ev.Conn)
	case step.FrameArrived:
		c.frame(ev.Frame.Conn, slices.Clone(ev.Frame.Bytes))
	case step.SendDone:
		c.sent(ev.Sent)
	case step.ConnClosed:
		c.closed(&ev.Conn)
	case step.Stop:
		out.Stopped = true
	}
	if c.next != 0 && c.next <= c.now {
		c.propose()
	}
	out.Deadline = c.next
}

func (c *carrier) say(m step.Mail) {
	m.To = lane
	c.out.Mail = append(c.out.Mail, m)
}

// mail takes what the actor says.
func (c *carrier) mail(m *step.Mail) {
	switch m.Kind {
	case link.MailState:
		c.state = m.Body.(*link.State)
		c.found()
	case link.MailImage:
		im := m.Body.(*link.Committed)
		c.index = im.Image.Index()
		if im.Commit.Token == 0 || im.Commit.Token != c.asked {
			c.seen.image(c.cfg.ID, im, 0)
			break
		}
		c.seen.image(c.cfg.ID, im, c.decided)
		c.again(20, 150)
	case link.MailRefused:
		if m.Token == c.asked {
			c.again(20, 400)
		}
	case link.MailLeadership:
		c.lead = *m.Body.(*link.Leadership)
		c.seen.leadership(c.cfg.ID, &c.lead)
		if c.lead.Leader && c.next == 0 && c.asked == 0 {
			c.again(1, 50)
		}
	case link.MailDial:
		c.dial(m.Token, m.Body.(*link.Dial))
	case link.MailSend:
		c.send(network.Conn(m.A), m.Body.([]byte))
	case link.MailHold:
		c.out.Hold = append(c.out.Hold, network.Conn(m.A))
	case link.MailResume:
		c.out.Resume = append(c.out.Resume, network.Conn(m.A))
	case link.MailClose:
		c.drop(network.Conn(m.A))
	case link.MailQuorumFailed:
		c.out.Fatal, c.out.FatalCode = m.Body.(string), 2
	}
}

func (c *carrier) ask(r disk.Request) {
	c.token++
	r.Token = c.token
	c.out.Disk = append(c.out.Disk, r)
}

// done goes on towards a log directory whose name is durable: the actor answers for what is in it alone.
func (c *carrier) done(d *disk.Completion) {
	if d.Err != disk.OK {
		c.out.Fatal, c.out.FatalCode = "the log directory cannot be made: "+d.Err.Error(), 2
		return
	}
	c.made++
	if c.made == 1 {
		c.ask(disk.Request{Kind: disk.SyncDir, Path: ""})
	}
	c.found()
}

// found begins the quorum, once the log directory and the actor's stores are there. The first node of the list founds it, unless it has
// state.
func (c *carrier) found() {
	s := c.state
	if s == nil || c.made < 2 {
		return
	}
	c.seen.state(c.cfg.ID, s)
	start := &link.Start{ID: id(c.cfg.ID), Address: c.cfg.Addrs[c.cfg.ID-1], Sole: len(c.cfg.Addrs) == 1}
	if !s.HasState && c.cfg.ID == 1 {
		for i, a := range c.cfg.Addrs {
			start.Bootstrap = append(start.Bootstrap, link.Member{ID: id(i + 1), Address: a, Voter: true})
		}
	}
	c.say(step.Mail{Kind: link.MailStart, Body: start})
	c.out.Accept, c.out.Ready = true, true
}

// again plans the next proposal, lo to hi milliseconds from now.
func (c *carrier) again(lo, hi int64) {
	c.asked = 0
	c.next = c.now.Add(clock.MS(c.rand.Between(lo, hi)))
}

func (c *carrier) propose() {
	c.next = 0
	if !c.lead.Leader {
		return
	}
	c.token++
	c.n++
	c.asked = c.token
	v := fmt.Sprintf("%d.%d.%d", c.cfg.ID, c.cfg.Incarnation, c.n)
	if c.rand.Permille(100) {
		v += string(make([]byte, c.rand.Between(1, 4000)))
	}
	r := &metadata.ConfigRecord{ResourceType: metadata.ResourceBroker, Name: fmt.Sprint(c.n % 7), Key: "k", Value: &v}
	c.seen.proposed()
	c.decided = c.lead.Term
	if c.rand.Permille(30) { // as if leadership had changed on the way
		c.decided = max(1, c.decided-1)
	}
	c.say(step.Mail{Kind: link.MailPropose, Token: c.asked, A: c.lead.Term, Body: metadata.Encode(metadata.Entry{Term: c.decided, Records: []metadata.Record{r}})})
}

// The streams.

func (c *carrier) dial(tok disk.Token, d *link.Dial) {
	c.token++
	c.sends = append(c.sends, sending{tok: c.token, theirs: tok, hello: d.Hello})
	c.out.Dial = append(c.out.Dial, network.Dial{Token: c.token, Addr: d.Address})
}

// take removes a dial or a frame from what is under way.
func (c *carrier) take(tok disk.Token) (sending, bool) {
	i := slices.IndexFunc(c.sends, func(s sending) bool { return s.tok == tok })
	if i < 0 {
		return sending{}, false
	}
	s := c.sends[i]
	c.sends = slices.Delete(c.sends, i, i+1)
	return s, true
}

func (c *carrier) opened(in *network.Info) {
	c.streams = append(c.streams, stream{conn: in.Conn, open: in.Dialled})
	if !in.Dialled {
		return
	}
	s, ok := c.take(in.Token)
	if !ok {
		return
	}
	c.bytes(in.Conn, link.AppendHello(nil, s.hello), 0)
	c.say(step.Mail{Kind: link.MailOpened, Body: &link.Opened{Conn: in.Conn, Token: s.theirs}})
}

func (c *carrier) stream(conn network.Conn) int {
	return slices.IndexFunc(c.streams, func(s stream) bool { return s.conn == conn })
}

func (c *carrier) frame(conn network.Conn, b []byte) {
	i := c.stream(conn)
	if i < 0 {
		return
	}
	if c.streams[i].open {
		c.say(step.Mail{Kind: link.MailBytes, A: int64(conn), Body: b})
		return
	}
	h, ok := link.ParseHello(b)
	if !ok || h.Want != "" && h.Want != id(c.cfg.ID) {
		c.drop(conn)
		return
	}
	c.streams[i].open = true
	c.say(step.Mail{Kind: link.MailOpened, Body: &link.Opened{Conn: conn, From: h.From, Address: h.Address}})
}

func (c *carrier) send(conn network.Conn, b []byte) {
	if c.stream(conn) < 0 {
		return
	}
	c.token++
	c.sends = append(c.sends, sending{tok: c.token, conn: conn, size: int64(len(b))})
	c.bytes(conn, b, c.token)
}

func (c *carrier) bytes(conn network.Conn, b []byte, tok disk.Token) {
	o := c.out
	a := len(o.Arena)
	o.Arena = binary.BigEndian.AppendUint32(o.Arena, uint32(len(b)))
	o.Arena = append(o.Arena, b...)
	o.Send = append(o.Send, network.Send{Conn: conn, A: int32(a), B: int32(len(o.Arena)), Token: tok})
}

func (c *carrier) sent(tok disk.Token) {
	if s, ok := c.take(tok); ok && c.stream(s.conn) >= 0 {
		c.say(step.Mail{Kind: link.MailSent, A: int64(s.conn), B: s.size})
	}
}

// drop closes a connection on the actor's word.
func (c *carrier) drop(conn network.Conn) {
	if i := c.stream(conn); i >= 0 {
		c.streams = slices.Delete(c.streams, i, i+1)
		c.out.Close = append(c.out.Close, conn)
	}
}

// closed tells the actor of a stream's end, or of a dial that failed.
func (c *carrier) closed(in *network.Info) {
	if in.Token != 0 {
		if s, ok := c.take(in.Token); ok {
			c.say(step.Mail{Kind: link.MailNoStream, Token: s.theirs})
		}
		return
	}
	i := c.stream(in.Conn)
	if i < 0 {
		return
	}
	if c.streams[i].open {
		c.say(step.Mail{Kind: link.MailClosed, A: int64(in.Conn)})
	}
	c.streams = slices.Delete(c.streams, i, i+1)
}
