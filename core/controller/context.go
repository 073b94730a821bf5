package controller

import (
	"fmt"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/prng"
)

// Context is what decisions are made from.
type Context struct {
	Image *metadata.Image
	Node  *config.Node // under what AlterConfigs set: see Effective
	Rand  *prng.Source

	Clustered bool // brokers hold a lease: they register fenced, and heartbeats unfence them

	Ends func(broker int32, topic [16]byte, partition int32) (LogEnd, bool) // what brokers told of their logs of orphaned partitions; nil: nothing

	of       *metadata.Topic // whose settings are resolved
	resolved config.Topic
}

// after gives the context in which records have happened already.
func (c *Context) after(records []metadata.Record) *Context {
	if len(records) == 0 {
		return c
	}
	n := Context{Rand: c.Rand, Clustered: c.Clustered, Ends: c.Ends}
	n.Image, _ = c.Image.Apply(c.Image.Index()+1, c.Image.Term(), metadata.Entry{Term: c.Image.Term(), Records: records})
	n.Node = Effective(c.Node, n.Image)
	return &n
}

// maxRecords bounds the records of one request, as in Kafka (QuorumController.MAX_RECORDS_PER_USER_OP).
const maxRecords = 10_000

// Effective gives a broker's settings under what the image says of all brokers and of this one. A broker calls it at each new image.
func Effective(n *config.Node, img *metadata.Image) *config.Node {
	return n.With(img.ConfigsOf(metadata.ResourceBroker, ""), img.ConfigsOf(metadata.ResourceBroker, fmt.Sprint(n.NodeID)))
}

// once is what a request has named already.
type once[T comparable] map[T]bool

// first says whether the request has not named x before.
func (o once[T]) first(x T) bool {
	if o[x] {
		return false
	}
	o[x] = true
	return true
}

// A partition, as requests name it.
type (
	byID struct {
		topic [16]byte
		n     int32
	}
	byName struct {
		topic string
		n     int32
	}
)

// refusal is an error with the text that clients show. The zero value is none.
type refusal struct {
	code kerr.Code
	text string // "": none
}

func refuse(code kerr.Code, format string, args ...any) refusal {
	return refusal{code, fmt.Sprintf(format, args...)}
}

// message gives the text as responses carry it.
func (r refusal) message() *string {
	if r.text == "" {
		return nil
	}
	return &r.text
}

// ValidName says what is wrong with a topic's name, "" if nothing is (Topic.validate).
func ValidName(name string) string {
	switch {
	case name == "":
		return "Topic name is invalid: the empty string is not allowed"
	case name == "." || name == "..":
		return "Topic name is invalid: '" + name + "' is not allowed"
	case len(name) > 249:
		return "Topic name is invalid: the length of '" + name + "' is longer than the max allowed length 249"
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return "Topic name is invalid: '" + name + "' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
		}
	}
	return ""
}

// IsInternal says whether a topic is the broker's own, as Metadata shows it.
func IsInternal(name string) bool {
	return name == OffsetsTopic || name == TransactionTopic || name == ShareTopic
}

// Names of the internal topics.
const (
	OffsetsTopic     = "__consumer_offsets"
	TransactionTopic = "__transaction_state"
	ShareTopic       = "__share_group_state"
	metadataTopic    = "__cluster_metadata"
)

// collides gives a topic whose name differs from name in '.' against '_' only: metric names do not tell them apart. "": none.
func collides(img *metadata.Image, name string) string {
	if !hasCollisionChars(name) {
		return ""
	}
	for _, t := range img.Topics() {
		if len(t.Name) == len(name) && t.Name != name && sameButDots(t.Name, name) {
			return t.Name
		}
	}
	return ""
}

func hasCollisionChars(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '.' || s[i] == '_' {
			return true
		}
	}
	return false
}

func sameButDots(a, b string) bool {
	for i := 0; i < len(a); i++ {
		x, y := a[i], b[i]
		if x == '.' {
			x = '_'
		}
		if y == '.' {
			y = '_'
		}
		if x != y {
			return false
		}
	}
	return true
}

// newID draws a topic id: a random UUID of version 4, so never zero or one, which are reserved; and none whose text begins with '-',
// which a command line would take for an option (Uuid.randomUuid).
func newID(r *prng.Source) [16]byte {
	for {
		var id [16]byte
		r.Fill(id[:])
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if id[0]>>2 != 62 {
			return id
		}
	}
}
