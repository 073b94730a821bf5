package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const adminCodes = "testdata/admin.txt"

// TestAdministrationIsAnsweredAsApacheKafkaAnswers asks about features, settings of groups, of client metrics and of loggers, ACLs and delegation
// tokens, and compares with what Apache Kafka 4.3.1, whose node.id is 1, said to the same.
func TestAdministrationIsAnsweredAsApacheKafkaAnswers(t *testing.T) {
	if *recordFrom != "" {
		got := administrationCodes(t, *recordFrom)
		if err := os.WriteFile(adminCodes, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(adminCodes)
	if err != nil {
		t.Fatal(err)
	}
	n := start(t, t.TempDir(), "node.id=1", "disk.reserve.bytes=0")
	diffLines(t, string(want), administrationCodes(t, n.addr))
}

func administrationCodes(t *testing.T, addr string) string {
	a := &asker{raw: (&node{t: t, addr: addr}).raw()}
	a.features()
	a.resources()
	a.groupSettings()
	a.metricsSettings()
	a.loggers()
	a.security()
	return strings.Join(a.out, "\n") + "\n"
}

// shown asks and writes the answer down, without what differs from run to run.
func (a *asker) shown(what string, version int16, req kmsg.Request) {
	a.t.Helper()
	req.SetVersion(version)
	b, err := json.Marshal(a.ask(req))
	if err != nil {
		a.t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		a.t.Fatal(err)
	}
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(plain(v)); err != nil {
		a.t.Fatal(err)
	}
	a.say(fmt.Sprintf("%s v%d", what, version), strings.TrimSpace(text.String()))
}

func plain(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for _, k := range []string{"UnknownTags", "Version", "ThrottleMillis", "Documentation"} {
			delete(v, k)
		}
		for k, x := range v {
			v[k] = plain(x)
		}
	}
	return v
}

// The kinds of an update.
const (
	upgrade         int8 = 1
	safeDowngrade   int8 = 2
	unsafeDowngrade int8 = 3
)

type update struct {
	feature string
	level   int16
	kind    int8
}

func (a *asker) update(version int16, dry bool, all ...update) {
	a.t.Helper()
	q := kmsg.NewPtrUpdateFeaturesRequest()
	q.ValidateOnly = dry
	for _, u := range all {
		x := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		x.Feature, x.MaxVersionLevel, x.UpgradeType, x.AllowDowngrade = u.feature, u.level, u.kind, u.kind > upgrade
		q.FeatureUpdates = append(q.FeatureUpdates, x)
	}
	a.shown(fmt.Sprintf("UpdateFeatures %v dry=%v", all, dry), version, q)
}

// afterAll waits for a broker of Kafka's to hear of a change, which it does a little later than its controller answers. Ours has heard of it.
func afterAll() {
	if *recordFrom != "" {
		time.Sleep(time.Second)
	}
}

// finalized writes down the levels that a client is told, of the features that are looked at here.
func (a *asker) finalized() {
	a.t.Helper()
	afterAll()
	q := kmsg.NewPtrApiVersionsRequest()
	q.Version, q.ClientSoftwareName, q.ClientSoftwareVersion = 4, "e2e", "1"
	var out []string
	for _, f := range a.ask(q).(*kmsg.ApiVersionsResponse).FinalizedFeatures {
		if slices.Contains([]string{"metadata.version", "group.version", "transaction.version"}, f.Name) {
			out = append(out, fmt.Sprintf("%s=%d-%d", f.Name, f.MinVersionLevel, f.MaxVersionLevel))
		}
	}
	slices.Sort(out)
	a.say("finalized", strings.Join(out, " "))
}

func (a *asker) features() {
	const group, txn, meta = "group.version", "transaction.version", "metadata.version"
	a.finalized()
	for v := int16(0); v <= 2; v++ {
		a.update(v, false)
		a.update(v, true, update{group, 1, upgrade})
		a.update(v, true, update{group, 0, upgrade})
		a.update(v, true, update{group, 0, safeDowngrade})
		a.update(v, true, update{group, 0, unsafeDowngrade})
		a.update(v, true, update{group, 2, upgrade})
		a.update(v, true, update{group, -1, upgrade})
		a.update(v, true, update{group, 1, safeDowngrade})
		a.update(v, true, update{group, 0, 0})
		a.update(v, true, update{group, 0, 4})
		a.update(v, true, update{"", 1, upgrade})
		a.update(v, true, update{"foo.version", 1, upgrade})
		a.update(v, true, update{"foo.version", 0, upgrade})
		a.update(v, true, update{"foo.version", 0, safeDowngrade})
		if v > 0 { // before, both are wrong, and Kafka names the one that its hash table gives first
			a.update(v, true, update{txn, 1, upgrade}, update{group, 0, safeDowngrade})
			a.update(v, true, update{txn, 1, safeDowngrade}, update{group, 0, safeDowngrade})
		}
		a.update(v, true, update{group, 0, safeDowngrade}, update{group, 0, safeDowngrade})
		a.update(v, true, update{txn, 3, upgrade})
	}
	for _, level := range []int16{-1, 0, 1, 6, 7, 8, 20, 25, 26, 27, 28, 29, 30, 31} {
		for _, kind := range []int8{upgrade, safeDowngrade, unsafeDowngrade} {
			a.update(2, true, update{meta, level, kind})
		}
	}
	a.finalized()
	a.update(2, false, update{txn, 1, safeDowngrade}, update{group, 0, unsafeDowngrade})
	a.finalized()
	a.update(2, false, update{txn, 2, safeDowngrade})
	a.update(2, false, update{txn, 0, unsafeDowngrade})
	a.finalized()
	a.update(1, false, update{txn, 2, upgrade})
	a.finalized()
	a.update(0, false, update{group, 1, upgrade})
	a.finalized()
}

// listed asks ListConfigResources, and writes down the resources of the kinds by name.
func (a *asker) listed(version int16, kinds ...int8) {
	afterAll()
	q := kmsg.NewPtrListConfigResourcesRequest()
	q.Version, q.ResourceTypes = version, kinds
	r := a.ask(q).(*kmsg.ListConfigResourcesResponse)
	var out []string
	for _, x := range r.ConfigResources {
		if x.Type != 2 || !strings.HasPrefix(x.Name, "__") {
			out = append(out, fmt.Sprintf("%d/%s", x.Type, x.Name))
		}
	}
	slices.Sort(out)
	a.say(fmt.Sprintf("ListConfigResources %v v%d", kinds, version), fmt.Sprintf("%d %v", r.ErrorCode, out))
}

func (a *asker) resources() {
	q := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = "listed", 1, 1
	q.Version, q.Topics = 7, []kmsg.CreateTopicsRequestTopic{t}
	a.ask(q)
	a.incremental(true, 16, "cm", put("interval.ms", "200"))
	a.incremental(false, 16, "cm", put("interval.ms", "200"))
	a.incremental(false, 32, "g1", put("consumer.session.timeout.ms", "46000"))
	a.listed(0)
	a.listed(1)
	for _, k := range []int8{-1, 0, 1, 2, 4, 8, 16, 32, 33, 64} {
		a.listed(1, k)
	}
	a.listed(1, 2, 16, 2)
	a.listed(1, 2, 64)
	a.listed(0, 2)
}

type setting struct {
	op    kmsg.IncrementalAlterConfigOp
	key   string
	value *string
}

func put(k, v string) setting { return setting{kmsg.IncrementalAlterConfigOpSet, k, &v} }

func unset(k string) setting { return setting{kmsg.IncrementalAlterConfigOpDelete, k, nil} }

func appended(k, v string) setting { return setting{kmsg.IncrementalAlterConfigOpAppend, k, &v} }

func subtracted(k, v string) setting { return setting{kmsg.IncrementalAlterConfigOpSubtract, k, &v} }

func (s setting) String() string {
	if s.value == nil {
		return fmt.Sprintf("%v %s null", s.op, s.key)
	}
	return fmt.Sprintf("%v %s %q", s.op, s.key, *s.value)
}

func (a *asker) incremental(dry bool, kind int8, name string, all ...setting) {
	a.t.Helper()
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	q.ValidateOnly = dry
	x := kmsg.NewIncrementalAlterConfigsRequestResource()
	x.ResourceType, x.ResourceName = kmsg.ConfigResourceType(kind), name
	for _, s := range all {
		y := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		y.Name, y.Op, y.Value = s.key, s.op, s.value
		x.Configs = append(x.Configs, y)
	}
	q.Resources = append(q.Resources, x)
	a.shown(fmt.Sprintf("IncrementalAlterConfigs %d/%s %v dry=%v", kind, name, all, dry), 1, q)
}

func (a *asker) alter(kind int8, name string, pairs ...setting) {
	a.t.Helper()
	q := kmsg.NewPtrAlterConfigsRequest()
	x := kmsg.NewAlterConfigsRequestResource()
	x.ResourceType, x.ResourceName = kmsg.ConfigResourceType(kind), name
	for _, s := range pairs {
		y := kmsg.NewAlterConfigsRequestResourceConfig()
		y.Name, y.Value = s.key, s.value
		x.Configs = append(x.Configs, y)
	}
	q.Resources = append(q.Resources, x)
	a.shown(fmt.Sprintf("AlterConfigs %d/%s %v", kind, name, pairs), 2, q)
}

// settings describes one resource, one line a setting.
func (a *asker) settings(version int16, synonyms bool, kind int8, name string, keys ...string) {
	a.t.Helper()
	afterAll()
	q := kmsg.NewPtrDescribeConfigsRequest()
	q.Version, q.IncludeSynonyms = version, synonyms
	x := kmsg.NewDescribeConfigsRequestResource()
	x.ResourceType, x.ResourceName, x.ConfigNames = kmsg.ConfigResourceType(kind), name, keys
	q.Resources = append(q.Resources, x)
	for _, r := range a.ask(q).(*kmsg.DescribeConfigsResponse).Resources {
		what := fmt.Sprintf("DescribeConfigs %d/%s %v v%d", kind, name, keys, version)
		a.say(what, fmt.Sprintf("%d %s", r.ErrorCode, orNull(r.ErrorMessage)))
		slices.SortFunc(r.Configs, func(x, y kmsg.DescribeConfigsResponseResourceConfig) int { return strings.Compare(x.Name, y.Name) })
		for _, c := range r.Configs {
			var syn []string
			for _, s := range c.ConfigSynonyms {
				syn = append(syn, fmt.Sprintf("%s=%s(%d)", s.Name, orNull(s.Value), s.Source))
			}
			a.say("  "+c.Name, fmt.Sprintf("%s source %d type %d readonly %v sensitive %v default %v %v", orNull(c.Value), c.Source, c.ConfigType, c.ReadOnly, c.IsSensitive, c.IsDefault, syn))
		}
	}
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return fmt.Sprintf("%q", *s)
}

func (a *asker) groupSettings() {
	const kind, g = 32, "g1"
	a.settings(4, true, kind, g)
	a.settings(1, false, kind, "never-seen")
	a.settings(4, true, kind, "")
	a.settings(4, true, kind, g, "consumer.session.timeout.ms", "unknown")
	a.incremental(false, kind, "", put("consumer.session.timeout.ms", "46000"))
	a.incremental(false, kind, "bad name / with: signs", put("consumer.session.timeout.ms", "46000"))
	for _, s := range []setting{
		put("consumer.session.timeout.ms", "44999"), put("consumer.session.timeout.ms", "60001"), put("consumer.session.timeout.ms", "x"),
		put("consumer.session.timeout.ms", "0"), put("consumer.session.timeout.ms", ""), put("consumer.session.timeout.ms", " 45001 "),
		put("consumer.heartbeat.interval.ms", "4999"), put("consumer.heartbeat.interval.ms", "15001"), put("consumer.heartbeat.interval.ms", "-1"),
		put("consumer.assignment.interval.ms", "-1"), put("consumer.assignment.interval.ms", "15001"), put("consumer.assignment.interval.ms", "15000"),
		put("share.session.timeout.ms", "44999"), put("share.session.timeout.ms", "60001"), put("share.heartbeat.interval.ms", "4999"),
		put("share.heartbeat.interval.ms", "15001"), put("share.record.lock.duration.ms", "14999"), put("share.record.lock.duration.ms", "60001"),
		put("share.delivery.count.limit", "1"), put("share.delivery.count.limit", "11"), put("share.delivery.count.limit", "10"),
		put("share.partition.max.record.locks", "99"), put("share.partition.max.record.locks", "4001"), put("share.auto.offset.reset", "earliest"),
		put("share.auto.offset.reset", "none"), put("share.auto.offset.reset", "by_duration:PT1H"), put("share.auto.offset.reset", "by_duration:-PT1H"),
		put("share.auto.offset.reset", "by_duration:"), put("share.auto.offset.reset", "by_duration"), put("share.auto.offset.reset", "Latest"),
		put("share.isolation.level", "read_committed"), put("share.isolation.level", "READ_COMMITTED"), put("share.isolation.level", "x"),
		put("share.renew.acknowledge.enable", "no"), put("share.renew.acknowledge.enable", "FALSE"), put("share.assignment.interval.ms", "15001"),
		put("streams.session.timeout.ms", "44999"), put("streams.session.timeout.ms", "60001"), put("streams.heartbeat.interval.ms", "4999"),
		put("streams.heartbeat.interval.ms", "15001"), put("streams.num.standby.replicas", "-1"), put("streams.num.standby.replicas", "3"),
		put("streams.num.standby.replicas", "2"), put("streams.initial.rebalance.delay.ms", "-1"), put("streams.initial.rebalance.delay.ms", "0"),
		put("streams.assignment.interval.ms", "15001"), put("retention.ms", "1"), put("", "1"),
		appended("consumer.session.timeout.ms", "1"), subtracted("share.auto.offset.reset", "x"), appended("unknown", "1"), unset("unknown"),
		unset("consumer.session.timeout.ms"), {0, "consumer.session.timeout.ms", nil}, {7, "consumer.session.timeout.ms", nil},
	} {
		a.incremental(true, kind, g, s)
	}
	a.incremental(true, kind, g, put("consumer.session.timeout.ms", "46000"), put("consumer.session.timeout.ms", "46001"))
	a.incremental(true, kind, g, put("consumer.session.timeout.ms", "46000"), put("unknown", "46001"))
	a.incremental(false, kind, g, put("consumer.heartbeat.interval.ms", "6000"), put("share.isolation.level", "read_committed"), put("consumer.session.timeout.ms", " 45001 "))
	a.settings(4, true, kind, g)
	a.settings(3, false, kind, g, "consumer.heartbeat.interval.ms", "consumer.session.timeout.ms")
	a.alter(kind, g, put("share.heartbeat.interval.ms", "7000"))
	a.settings(3, true, kind, g, "share.heartbeat.interval.ms", "consumer.heartbeat.interval.ms")
	a.alter(kind, g, put("share.heartbeat.interval.ms", "1"))
	a.alter(kind, g, setting{0, "share.heartbeat.interval.ms", nil})
	a.alter(kind, g)
	a.settings(3, true, kind, g, "share.heartbeat.interval.ms", "consumer.heartbeat.interval.ms")
	a.listed(1, kind)
	a.incremental(false, kind, g, unset("share.heartbeat.interval.ms"))
}

func (a *asker) metricsSettings() {
	const kind, name = 16, "cm"
	a.settings(4, true, kind, name)
	a.settings(4, true, kind, "never-seen")
	a.settings(4, true, kind, "")
	a.incremental(false, kind, "", put("interval.ms", "200"))
	for _, s := range []setting{
		put("interval.ms", "99"), put("interval.ms", "100"), put("interval.ms", "3600000"), put("interval.ms", "3600001"), put("interval.ms", "x"),
		put("interval.ms", ""), put("metrics", ""), put("metrics", "*"), put("metrics", "org.apache.kafka.producer.,a"), put("metrics", "a,,b"), put("metrics", "a,a"),
		put("match", ""), put("match", "client_id=a"), put("match", "client_id=a,client_source_port=9.*"), put("match", "client_id"),
		put("match", "client_id=a=b"), put("match", "client_id="), put("match", "=a"), put("match", "what=a"), put("match", "client_id=["), put("match", " client_id = (a|b) "),
		put("match", "client_id=a,client_id=b"), put("match", "client_instance_id=.*+"), put("unknown", "1"), unset("unknown"), unset("interval.ms"),
		appended("metrics", "b"), appended("interval.ms", "1"), subtracted("match", "client_id=a"), {0, "metrics", nil},
	} {
		a.incremental(true, kind, name, s)
	}
	a.incremental(false, kind, name, appended("match", "client_id=a,client_software_name=x.*"))
	a.incremental(false, kind, name, subtracted("match", "client_id=a"))
	a.settings(4, true, kind, name)
	a.settings(4, true, kind, name, "metrics")
	a.alter(kind, name, put("metrics", "z"))
	a.settings(4, true, kind, name)
	a.alter(kind, name)
	a.listed(0)
	a.settings(4, true, kind, name)
}

func (a *asker) loggers() {
	const kind = 8
	a.settings(4, true, kind, "1", "root")
	a.settings(4, true, kind, "1", "nobody")
	a.settings(4, true, kind, "")
	a.settings(4, true, kind, "2")
	a.settings(4, true, kind, "x")
	for _, s := range []setting{
		put("root", "INFO"), put("root", "info"), put("root", "LOUD"), put("root", ""), put("nobody", "INFO"), put("nobody", "LOUD"), unset("nobody"), unset("root"),
		appended("root", "INFO"), subtracted("root", "INFO"), {0, "root", nil}, {7, "root", nil}, put("root", "OFF"), put("root", "FATAL"), put("root", "TRACE"), put("root", "DEBUG"),
	} {
		a.incremental(true, kind, "1", s)
	}
	a.incremental(true, kind, "2", put("root", "INFO"))
	a.incremental(true, kind, "", put("root", "INFO"))
	a.incremental(true, kind, "x", put("root", "INFO"))
	a.incremental(false, kind, "1", put("root", "WARN"))
	a.settings(4, true, kind, "1", "root")
	a.incremental(false, kind, "1", put("root", "INFO"))
	a.settings(1, false, kind, "1", "root")
	a.alter(kind, "1", put("root", "INFO"))
	for _, k := range []int8{0, 1, 64} {
		a.settings(4, false, k, "x")
		a.incremental(true, k, "x", put("root", "INFO"))
		a.alter(k, "x", put("root", "INFO"))
	}
}

func (a *asker) security() {
	for v := int16(1); v <= 3; v++ {
		d := kmsg.NewPtrDescribeACLsRequest()
		d.ResourceType, d.ResourcePatternType, d.Operation, d.PermissionType = 1, 1, 1, 1
		a.shown("DescribeAcls", v, d)
		c := kmsg.NewPtrCreateACLsRequest()
		a.shown("CreateAcls of none", v, c)
		for _, name := range []string{"t", "u"} {
			x := kmsg.NewCreateACLsRequestCreation()
			x.ResourceType, x.ResourceName, x.ResourcePatternType, x.Principal, x.Host, x.Operation, x.PermissionType = 2, name, 3, "User:a", "*", 3, 3
			c.Creations = append(c.Creations, x)
		}
		a.shown("CreateAcls of two", v, c)
		e := kmsg.NewPtrDeleteACLsRequest()
		a.shown("DeleteAcls of none", v, e)
		f := kmsg.NewDeleteACLsRequestFilter()
		f.ResourceType, f.ResourcePatternType, f.Operation, f.PermissionType = 1, 1, 1, 1
		e.Filters = append(e.Filters, f, f)
		a.shown("DeleteAcls of two", v, e)
		a.shown("DescribeDelegationToken", v, kmsg.NewPtrDescribeDelegationTokenRequest())
		n := kmsg.NewPtrCreateDelegationTokenRequest()
		n.MaxLifetimeMillis = 1000
		a.shown("CreateDelegationToken", v, n)
		owner := "a"
		n.OwnerPrincipalName, n.OwnerPrincipalType = &owner, &owner
		n.Renewers = append(n.Renewers, kmsg.CreateDelegationTokenRequestRenewer{PrincipalType: "User", PrincipalName: "b"})
		a.shown("CreateDelegationToken for another", v, n)
		if v < 3 {
			a.shown("RenewDelegationToken", v, &kmsg.RenewDelegationTokenRequest{HMAC: []byte("x"), RenewTimeMillis: 1})
			a.shown("ExpireDelegationToken", v, &kmsg.ExpireDelegationTokenRequest{HMAC: []byte("x"), ExpiryPeriodMillis: 1})
		}
	}
}
