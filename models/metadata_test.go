package models

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/sim/history"
)

// oneController is a dumb twin of a controller with brokers that lag: every version of topic t is kept.
type oneController struct {
	t        *rapid.T
	h        []*history.Event
	versions []string // "-", or "parts=color"
	at       [3]int   // by broker: the version that it shows
	late     []func() // requests that are still on their way
	unknown  bool     // there was one without an answer
}

func (c *oneController) add(process int32, t history.Type, op history.Op) int64 {
	c.h = append(c.h, &history.Event{I: int64(len(c.h)), Process: process, Type: t, F: op.Kind.String(), Ops: []history.Op{op}})
	return int64(len(c.h)) - 1
}

func (c *oneController) now() (parts int64, color string, is bool) {
	v := c.versions[len(c.versions)-1]
	if v == absent {
		return 0, "", false
	}
	_, err := fmt.Sscanf(v, "%d=%s", &parts, &color)
	require.NoError(c.t, err)
	return parts, color, true
}

// apply carries a write out, if that can be.
func (c *oneController) apply(op history.Op) bool {
	parts, color, is := c.now()
	next := ""
	switch {
	case op.Kind == history.CreateTopic && !is:
		next = fmt.Sprintf("%d=%s", op.Offset, op.Meta[len("color="):])
	case op.Kind == history.DeleteTopic && is:
		next = absent
	case op.Kind == history.CreatePartitions && is && op.Offset > parts:
		next = fmt.Sprintf("%d=%s", op.Offset, color)
	case op.Kind == history.Alter && is:
		next = fmt.Sprintf("%d=%s", parts, op.Meta[len("color="):])
	default:
		return false
	}
	c.versions = append(c.versions, next)
	return true
}

func (c *oneController) write() {
	op := history.Op{Key: "t", Offset: history.NoOffset}
	op.Kind = rapid.SampledFrom([]history.Kind{history.CreateTopic, history.DeleteTopic, history.CreatePartitions, history.Alter}).Draw(c.t, "kind")
	switch op.Kind {
	case history.CreateTopic, history.CreatePartitions:
		op.Offset = int64(rapid.IntRange(1, 5).Draw(c.t, "parts"))
	}
	if op.Kind == history.CreateTopic || op.Kind == history.Alter {
		op.Meta = "color=" + rapid.SampledFrom([]string{"red", "green", "blue"}).Draw(c.t, "color")
	}
	process := int32(rapid.IntRange(0, 1).Draw(c.t, "client"))
	c.add(process, history.Invoke, op)
	if rapid.IntRange(0, 9).Draw(c.t, "unknown") == 0 {
		c.add(process, history.Info, op)
		c.late, c.unknown = append(c.late, func() { c.apply(op) }), true
		return
	}
	c.reads()
	done := c.apply(op)
	c.reads()
	if done && rapid.IntRange(0, 9).Draw(c.t, "twice") > 0 {
		c.add(process, history.OK, op)
		return
	}
	c.add(process, history.Fail, op) // perhaps of the second try
	c.h[len(c.h)-1].Err = map[history.Kind]string{history.CreateTopic: "TOPIC_ALREADY_EXISTS", history.CreatePartitions: "INVALID_PARTITIONS"}[op.Kind]
	if c.h[len(c.h)-1].Err == "" {
		c.h[len(c.h)-1].Err = "UNKNOWN_TOPIC_OR_PARTITION"
	}
}

func (c *oneController) reads() {
	for range rapid.IntRange(0, 3).Draw(c.t, "reads") {
		if n := len(c.late); n > 0 && rapid.Bool().Draw(c.t, "arrives") {
			c.late[n-1]()
			c.late = c.late[:n-1]
		}
		b := rapid.IntRange(0, 2).Draw(c.t, "broker")
		c.at[b] = rapid.IntRange(c.at[b], len(c.versions)-1).Draw(c.t, "version")
		c.read(b, c.versions[c.at[b]], "")
	}
}

func (c *oneController) read(b int, version, want string) {
	var parts int64
	var color string
	topic := history.Op{Kind: history.ReadTopic, Key: "t", Offset: history.NoOffset, Member: history.NodeName(b), Want: want, Generation: int32(len(c.h))}
	config := history.Op{Kind: history.ReadConfig, Key: "t", Offset: history.NoOffset, Member: history.NodeName(b), Want: want, Generation: int32(len(c.h)), Meta: "color", Got: "absent"}
	if version != absent {
		_, err := fmt.Sscanf(version, "%d=%s", &parts, &color)
		require.NoError(c.t, err)
		topic.Offset, config.Meta, config.Got = parts, "color="+color, ""
	}
	c.add(int32(10+b), history.Info, topic)
	c.add(int32(10+b), history.Info, config)
}

func metadataHistory(t *rapid.T) *oneController {
	c := &oneController{t: t, versions: []string{absent}}
	first := history.Op{Kind: history.CreateTopic, Key: "t", Offset: 1, Meta: "color=red"}
	c.add(0, history.Invoke, first)
	c.apply(first)
	c.add(0, history.OK, first)
	for range rapid.IntRange(1, 10).Draw(t, "writes") {
		c.write()
		c.reads()
	}
	return c
}

func checkMetadata(h []*history.Event) (bad []Result, checked int) {
	for _, r := range Check(h, Options{Timeout: 20 * time.Second}) {
		if checked += r.Ops; r.Verdict != OK {
			bad = append(bad, r)
		}
	}
	return bad, checked
}

func TestBrokersMayTellOfAnyVersionThatTheyHaveNotPassed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := metadataHistory(t)
		for b := range c.at {
			c.read(b, c.versions[len(c.versions)-1], "whole")
		}
		bad, checked := checkMetadata(c.h)
		require.Empty(t, bad)
		require.Positive(t, checked)
	})
}

func TestABrokerThatTellsWhatItMayNotIsFound(t *testing.T) {
	for name, spoil := range map[string]func(c *oneController) bool{
		"partitions that nobody asked for": func(c *oneController) bool { c.read(1, "7=red", ""); return true },
		"a setting that nobody made":       func(c *oneController) bool { c.read(1, "1=black", ""); return true },
		"a broker that goes back": func(c *oneController) bool {
			c.read(0, c.versions[len(c.versions)-1], "whole")
			c.read(0, "6=black", "")
			return true
		},
		"a topic that is gone again": func(c *oneController) bool {
			if c.unknown || c.versions[len(c.versions)-1] == absent {
				return false
			}
			c.read(2, c.versions[len(c.versions)-1], "whole")
			c.read(2, absent, "whole")
			return true
		},
		"what is asked for afterwards": func(c *oneController) bool {
			op := history.Op{Kind: history.CreatePartitions, Key: "t", Offset: 9}
			if _, color, is := c.now(); is {
				c.read(0, "9="+color, "")
				c.add(0, history.Invoke, op)
				c.apply(op)
				c.add(0, history.OK, op)
				return true
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			tried := 0
			rapid.Check(t, func(t *rapid.T) {
				c := metadataHistory(t)
				if !spoil(c) {
					return
				}
				tried++
				bad, _ := checkMetadata(c.h)
				require.NotEmpty(t, bad)
				require.Equal(t, Illegal, bad[0].Verdict, bad[0].Detail)
			})
			require.Positive(t, tried)
		})
	}
}

// The order in which one broker tells of versions is that of the controller, also where each of them alone was there at some time.
func TestABrokerThatGoesBackToAnOldVersionIsFound(t *testing.T) {
	c := &oneController{}
	w := func(kind history.Kind, parts int64, meta string) {
		op := history.Op{Kind: kind, Key: "t", Offset: parts, Meta: meta}
		c.add(0, history.Invoke, op)
		c.add(0, history.OK, op)
	}
	w(history.CreateTopic, 1, "color=red")
	w(history.CreatePartitions, 2, "")
	w(history.CreatePartitions, 3, "")
	note := func(b int, parts int64) {
		c.add(10, history.Info, history.Op{Kind: history.ReadTopic, Key: "t", Offset: parts, Member: history.NodeName(b)})
	}
	note(0, 1)
	note(1, 3)
	note(0, 3)
	bad, _ := checkMetadata(c.h)
	require.Empty(t, bad, "another may lag")
	note(0, 2)
	bad, _ = checkMetadata(c.h)
	require.Len(t, bad, 1)
	require.Contains(t, bad[0].Detail, "n1 tells of t: 2")
}
