package config

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Args is where settings come from. Load reads nothing itself.
//
// Precedence, strongest first: --data, --set, environment, file, default. What is typed for one run beats what the surroundings of
// the process say, which beats what is written down for all runs; Kafka's container images rank environment over file as well.
type Args struct {
	File     string   // text of server.properties
	FileName string   // its name, for messages
	Env      []string // KEY=VALUE, as os.Environ gives them
	Set      []string // key=value of each --set
	Data     string   // --data: the data directory
}

// Load gives the node's settings, and warnings for people. An error reads "WHAT; DO THIS". A name that nobody knows is refused where
// somebody wrote it for us, in the file or in --set; a variable KAFKA_… that nobody knows is only named in a warning, since
// other programs share the prefix; so are settings that Kafka knows and this build does not support.
func Load(a Args) (*Node, []string, error) {
	l := loader{from: map[string]string{}}
	for _, step := range []func(Args) error{l.file, l.env, l.set} {
		if err := step(a); err != nil {
			return nil, nil, err
		}
	}
	if a.Data != "" {
		l.put("log.dirs", a.Data, "--data")
	}
	n := &Node{ClusterID: l.clusterID, static: l.pairs}
	if err := n.check(l.from); err != nil {
		return nil, nil, err
	}
	n.derive()
	return n, l.warnings(), nil
}

// DefaultNode is what Load gives for nothing.
func DefaultNode() *Node {
	n, _, err := Load(Args{})
	if err != nil {
		panic(err)
	}
	return n
}

type loader struct {
	pairs       Pairs
	from        map[string]string // where a setting was given; lookups only
	clusterID   string
	unknownEnv  []string
	unsupported []string
}

func (l *loader) put(name, value, from string) {
	if s := Broker(name); s == nil || !s.Supported() {
		l.unsupported = append(l.unsupported, name)
	}
	if Broker(name) == nil {
		return
	}
	l.pairs = l.pairs.With(name, &value)
	l.from[name] = from
	if name == "log.dirs" || name == "log.dir" { // of the two, the one that was given in the stronger place counts
		other := map[string]string{"log.dirs": "log.dir", "log.dir": "log.dirs"}[name]
		if f, ok := l.from[other]; ok && f != from && rank(f) != rank(from) {
			l.pairs = l.pairs.With(other, nil)
			delete(l.from, other)
		}
	}
	if name == "broker.id" || name == "node.id" {
		l.pairs = l.pairs.With("node.id", &value).With("broker.id", &value)
		l.from["node.id"], l.from["broker.id"] = from, from
	}
}

func rank(from string) string { return strings.SplitN(from, " ", 2)[0] }

func (l *loader) file(a Args) error {
	name := a.FileName
	if name == "" {
		name = "server.properties"
	}
	lines, err := parseProperties(a.File)
	if err != nil {
		return fmt.Errorf("%s, %w; correct the line", name, err)
	}
	for _, x := range lines {
		if !known(x.key) {
			return refuse(x.key, fmt.Sprintf("in %s, line %d", name, x.n))
		}
		l.put(x.key, x.value, fmt.Sprintf("%s line %d", name, x.n))
	}
	return nil
}

func (l *loader) set(a Args) error {
	for _, x := range a.Set {
		k, v, ok := strings.Cut(x, "=")
		k = strings.TrimSpace(k)
		if !ok || k == "" {
			return fmt.Errorf("--set %s is not key=value; write for example --set num.partitions=3", x)
		}
		if !known(k) {
			return refuse(k, "in --set")
		}
		l.put(k, v, "--set "+k)
	}
	return nil
}

// env takes KAFKA_ variables: lower case, "___" is '-', "__" is '_', "_" is '.'.
func (l *loader) env(a Args) error {
	vars := slices.Clone(a.Env)
	slices.Sort(vars)
	for _, x := range vars {
		k, v, _ := strings.Cut(x, "=")
		if k == "CLUSTER_ID" && v != "" {
			if !validClusterID(v) {
				return fmt.Errorf("CLUSTER_ID=%s is not a cluster id; use 1 to 64 letters, digits, '-' or '_'", v)
			}
			l.clusterID = v
		}
		rest, ok := strings.CutPrefix(k, "KAFKA_")
		if !ok {
			continue
		}
		name := envName(rest)
		if !known(name) {
			l.unknownEnv = append(l.unknownEnv, k)
			continue
		}
		l.put(name, v, "environment "+k)
	}
	return nil
}

func envName(s string) string {
	s = strings.ToLower(s)
	s = strings.ReplaceAll(s, "___", "-")
	s = strings.ReplaceAll(s, "__", "\x00")
	s = strings.ReplaceAll(s, "_", ".")
	return strings.ReplaceAll(s, "\x00", "_")
}

func validClusterID(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// families of names that Kafka passes on to plug-ins.
var prefixes = []string{"listener.name.", "config.providers.", "rsm.config.", "rlmm.config."}

func known(name string) bool {
	if Broker(name) != nil {
		return true
	}
	return slices.ContainsFunc(prefixes, func(p string) bool { return len(name) > len(p) && strings.HasPrefix(name, p) })
}

// refuse says what is wrong with an unknown name and which one was meant.
func refuse(name, where string) error {
	if syn, ok := topicSynonyms[name]; ok {
		return fmt.Errorf("%s %s is a setting of topics; for all topics set %s", name, where, syn[0].name)
	}
	for _, p := range []string{"zookeeper.", "inter.broker.protocol.version", "log.message.format.version", "control.plane.listener.name"} {
		if strings.HasPrefix(name, p) {
			return fmt.Errorf("%s %s was removed in Kafka 4; delete it", name, where)
		}
	}
	near := nearest(name)
	if near == "" {
		return fmt.Errorf("unknown setting %s %s; delete it", name, where)
	}
	return fmt.Errorf("unknown setting %s %s; the nearest known name is %s", name, where, near)
}

// nearest gives the known name with the smallest edit distance, the first by name among equals; "" if all are far.
func nearest(name string) string {
	best, at := "", max(3, len(name)/2)+1
	if len(name) > 256 {
		return ""
	}
	for _, s := range allBroker {
		if s.Flags&internal != 0 {
			continue
		}
		if d := distance(name, s.Name, at); d < at {
			best, at = s.Name, d
		}
	}
	return best
}

// distance is Levenshtein's, or at least limit once it cannot be less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diag, row[j] = row[j], min(row[j]+1, row[j-1]+1, diag+cost)
		}
	}
	return row[len(b)]
}

func (l *loader) warnings() []string {
	var parts []string
	if len(l.unsupported) > 0 {
		slices.Sort(l.unsupported)
		parts = append(parts, "settings that this build knows but does not support have no effect: "+strings.Join(slices.Compact(l.unsupported), ", "))
	}
	if len(l.unknownEnv) > 0 {
		parts = append(parts, "environment variables that name no setting are ignored: "+strings.Join(l.unknownEnv, ", "))
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{strings.Join(parts, "; ")}
}

// check validates every value and what values mean together, and fills the fields that need more than parsing.
func (n *Node) check(from map[string]string) error {
	for _, x := range n.static {
		if err := Broker(x.Key).Check(x.Value); err != nil {
			var inv *Invalid
			if errors.As(err, &inv) {
				return fmt.Errorf("%s=%s (%s) is not allowed: %s; change it", x.Key, inv.Value, from[x.Key], inv.Why)
			}
			return err
		}
	}
	n.NodeID = n.int("node.id")
	if n.NodeID < 0 {
		return fmt.Errorf("node.id=%d (%s) is negative; give this broker a number from 0 on", n.NodeID, from["node.id"])
	}
	if err := n.checkDirs(); err != nil {
		return err
	}
	if err := n.checkRoles(); err != nil {
		return err
	}
	if err := n.checkListeners(); err != nil {
		return err
	}
	lo, hi := n.int("group.min.session.timeout.ms"), n.int("group.max.session.timeout.ms")
	if lo > hi {
		return fmt.Errorf("group.min.session.timeout.ms=%d is above group.max.session.timeout.ms=%d; lower one or raise the other", lo, hi)
	}
	if err := n.checkConsumerGroups(from); err != nil {
		return err
	}
	if rf := n.int("default.replication.factor"); rf < 1 || rf > 1<<15-1 {
		return fmt.Errorf("default.replication.factor=%d is not a number of replicas; use 1 to 32767", rf)
	}
	return nil
}

// maxLogDirs bounds the log directories of a broker.
const maxLogDirs = 64

func (n *Node) checkDirs() error {
	name := "log.dirs"
	dirs := Split(n.text(name))
	if len(dirs) == 0 {
		name = "log.dir"
		dirs = Split(n.text(name))
	}
	if len(dirs) == 0 || len(dirs) > maxLogDirs || slices.Contains(dirs, "") {
		return fmt.Errorf("%s=%s names %d directories, or one without a name; name 1 to %d", name, n.text(name), len(dirs), maxLogDirs)
	}
	for i, d := range dirs {
		for _, e := range dirs[:i] {
			if path.Clean(d) == path.Clean(e) {
				return fmt.Errorf("%s names %s twice; name each directory once", name, d)
			}
		}
	}
	n.LogDirs, n.LogDir = dirs, dirs[0]
	return nil
}
