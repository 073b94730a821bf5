package main_test

import (
	"strings"
	"testing"
)

func TestSettingsAndFeaturesOutliveTheBroker(t *testing.T) {
	dir := t.TempDir()
	settings := []string{"node.id=1", "disk.reserve.bytes=0", "metadata.log.max.record.bytes.between.snapshots=1"}
	n := start(t, dir, settings...)
	a := &asker{raw: n.raw()}
	a.incremental(false, 32, "g", put("consumer.heartbeat.interval.ms", "7000"))
	a.incremental(false, 16, "cm", put("interval.ms", "1000"), put("match", "client_id=a.*"))
	a.update(2, false, update{"transaction.version", 0, safeDowngrade}, update{"group.version", 0, safeDowngrade})
	told := func(a *asker) string {
		a.out = nil
		a.listed(1, 16, 32)
		a.settings(4, true, 32, "g", "consumer.heartbeat.interval.ms", "consumer.session.timeout.ms")
		a.settings(4, true, 16, "cm")
		a.finalized()
		return strings.Join(a.out, "\n")
	}
	want := told(a)
	for _, part := range []string{"[16/cm 32/g]", `"7000" source 8`, `"45000" source 5`, `"1000" source 7`, "finalized: metadata.version=30-30"} {
		if !strings.Contains(want, part) {
			t.Errorf("no %s in\n%s", part, want)
		}
	}
	n.kill()
	n = start(t, dir, settings...)
	a = &asker{raw: n.raw()}
	if got := told(a); got != want {
		t.Errorf("after a crash:\n%s\nwant\n%s", got, want)
	}
	a.update(1, false, update{"transaction.version", 2, upgrade}, update{"group.version", 1, upgrade})
	if code := n.term(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	n = start(t, dir, settings...)
	a = &asker{raw: n.raw()}
	if a.finalized(); a.out[0] != "finalized: group.version=1-1 metadata.version=30-30 transaction.version=2-2" {
		t.Error(a.out[0])
	}
}

func TestALogLevelHoldsBackTheLinesBelowIt(t *testing.T) {
	for _, x := range []struct {
		level   string
		written bool
	}{{"WARN", true}, {"ERROR", false}} {
		n := start(t, t.TempDir(), "node.id=1", "shards=1", "max.connections=1")
		a := &asker{raw: n.raw()}
		a.incremental(false, 8, "1", put("root", x.level))
		if !strings.Contains(a.out[0], `"ErrorCode":0`) {
			t.Error(a.out[0])
		}
		n.raw().closed("one connection too many")
		n.term()
		if got := strings.Contains(n.stderr.String(), "max.connections"); got != x.written {
			t.Errorf("at %s a warning was written: %v", x.level, got)
		}
	}
}

// finalLevels are the finalized features as a client is told.
func finalLevels(n *node) string {
	a := &asker{raw: n.raw()}
	a.finalized()
	return strings.TrimPrefix(a.out[0], "finalized: ")
}

func TestKafkasFeatureToolReadsAndChangesFeatures(t *testing.T) {
	kafkaPeer(t)
	n := start(t, t.TempDir())
	tool := func(args ...string) string {
		return kafkaTool(t, "", "org.apache.kafka.tools.FeatureCommand", append([]string{"--bootstrap-server", n.addr}, args...)...)
	}
	out := tool("describe")
	for _, want := range []string{
		"Feature: group.version\tSupportedMinVersion: 0\tSupportedMaxVersion: 1\tFinalizedVersionLevel: 1\t",
		"Feature: metadata.version\tSupportedMinVersion: 3.3-IV3\tSupportedMaxVersion: 4.3-IV0\tFinalizedVersionLevel: 4.3-IV0\t",
		"Feature: transaction.version\tSupportedMinVersion: 0\tSupportedMaxVersion: 2\tFinalizedVersionLevel: 2\t",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("describe: %q is not in\n%s", want, out)
		}
	}
	for _, step := range []struct {
		args []string
		says string
		then string
	}{
		{[]string{"downgrade", "--feature", "transaction.version=1", "--dry-run"}, "transaction.version can be downgraded to 1.", "group.version=1-1 metadata.version=30-30 transaction.version=2-2"},
		{[]string{"downgrade", "--feature", "transaction.version=1"}, "transaction.version was downgraded to 1.", "group.version=1-1 metadata.version=30-30 transaction.version=1-1"},
		{[]string{"disable", "--feature", "group.version"}, "group.version was disabled.", "metadata.version=30-30 transaction.version=1-1"},
		{[]string{"upgrade", "--feature", "transaction.version=2", "--feature", "group.version=1"}, "group.version was upgraded to 1.", "group.version=1-1 metadata.version=30-30 transaction.version=2-2"},
	} {
		if out := tool(step.args...); !strings.Contains(out, step.says) {
			t.Errorf("%v: %q is not in\n%s", step.args, step.says, out)
		}
		if got := finalLevels(n); got != step.then {
			t.Errorf("%v leaves %s, want %s", step.args, got, step.then)
		}
	}
}
