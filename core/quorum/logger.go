package quorum

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seedlog/seedlog/core/step"
)

// logger takes raft's warnings and errors, and says those that an operator can use, each at most once in repeatAfter.
type logger struct {
	hclog.Logger // says nothing
	node         *Node
	with         []any

	state *loggerState
}

type loggerState struct {
	mu   sync.Mutex
	last map[string]time.Time
}

const repeatAfter = 10 * time.Second

func newLogger(n *Node) *logger {
	return &logger{Logger: hclog.NewNullLogger(), node: n, state: &loggerState{last: map[string]time.Time{}}}
}

// plain is raft's words in ours; "" is not for operators: it is a part of elections, of catching up, or is said elsewhere.
var plain = map[string]string{
	"heartbeat timeout reached, starting election":     "metadata quorum: the controller is not heard of; electing one",
	"failed to contact quorum of nodes, stepping down": "metadata quorum: a majority of the controllers is not reached; this one gives up leading",
	"failed to contact":                                            "metadata quorum: a controller is not reached",
	"failed to heartbeat to":                                       "metadata quorum: a member is not reached",
	"failed to take snapshot":                                      "metadata quorum: no snapshot could be taken",
	"failed to install snapshot":                                   "metadata quorum: a snapshot could not be taken over",
	"failed to send snapshot to":                                   "metadata quorum: a snapshot could not be sent",
	"not part of stable configuration, aborting election":          "metadata quorum: this node is not a voter, and no controller is heard of",
	"no known peers, aborting election":                            "metadata quorum: this node is not a member yet; it waits to be added",
	"rejecting vote request since node is not in configuration":    "metadata quorum: a node that is not a member asks for votes",
	"rejecting appendEntries request since node is not in cluster": "metadata quorum: a node that is not a member wants to lead",
	"failed to commit logs":                                        "metadata quorum: entries could not be stored",
	"failed to append to logs":                                     "metadata quorum: entries could not be stored",
	"clearing log suffix":                                          "metadata quorum: entries that were never committed are replaced",
}

// Warn implements hclog.Logger.
func (l *logger) Warn(msg string, args ...any) { l.say(step.Warn, msg, args) }

// Error implements hclog.Logger.
func (l *logger) Error(msg string, args ...any) { l.say(step.Warn, msg, args) }

// IsWarn implements hclog.Logger.
func (l *logger) IsWarn() bool { return true }

// IsError implements hclog.Logger.
func (l *logger) IsError() bool { return true }

// With implements hclog.Logger.
func (l *logger) With(args ...any) hclog.Logger {
	n := *l
	n.with = append(append([]any(nil), l.with...), args...)
	return &n
}

func (l *logger) say(level step.Level, msg string, args []any) {
	text, ok := plain[msg]
	if !ok {
		return
	}
	now := time.Now()
	l.state.mu.Lock()
	last, said := l.state.last[msg]
	again := said && now.Sub(last) < repeatAfter
	if !again {
		l.state.last[msg] = now
	}
	l.state.mu.Unlock()
	if !again {
		l.node.out.log(level, text+details(append(append([]any(nil), l.with...), args...)))
	}
}

// details are the pairs that say what it is about, on one line.
func details(args []any) string {
	var b strings.Builder
	for i := 0; i+1 < len(args); i += 2 {
		switch args[i] {
		case "peer", "server-id", "error", "from", "id":
			fmt.Fprintf(&b, " (%v: %v)", args[i], args[i+1])
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
