package config

import "testing"

func loaded(t *testing.T, set ...string) *Node {
	t.Helper()
	n, _, err := Load(Args{Set: set})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAGroupGetsWhatTheBrokerSaysWhereItSaysNothing(t *testing.T) {
	n := loaded(t, "group.consumer.session.timeout.ms=50000")
	if g := ResolveGroup(n, nil); g != (Group{50_000, 5000, 1000}) {
		t.Errorf("%+v", g)
	}
	own := Pairs{{"consumer.heartbeat.interval.ms", " 6000 "}, {"consumer.session.timeout.ms", "46000"}}
	if g := ResolveGroup(n, own); g != (Group{46_000, 6000, 1000}) {
		t.Errorf("%+v", g)
	}
	n = n.With(Pairs{{"group.consumer.assignment.interval.ms", "7"}}, nil)
	if g := ResolveGroup(n, nil); g.ConsumerAssignmentIntervalMS != 7 {
		t.Errorf("%+v", g)
	}
}

func TestAGroupsValueBeyondTheBrokersBoundsCountsAsTheBound(t *testing.T) {
	n := loaded(t, "group.consumer.min.heartbeat.interval.ms=500", "group.consumer.max.session.timeout.ms=47000")
	own := Pairs{{"consumer.assignment.interval.ms", "no number"}, {"consumer.heartbeat.interval.ms", "400"}, {"consumer.session.timeout.ms", "48000"}}
	if g := ResolveGroup(n, own); g != (Group{47_000, 500, 1000}) {
		t.Errorf("%+v", g)
	}
}

func TestASessionMustOutlastAHeartbeatsInterval(t *testing.T) {
	n := loaded(t, "group.consumer.max.heartbeat.interval.ms=100000")
	for value, want := range map[string]string{
		"44999": "",
		"45000": "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms",
	} {
		got := ""
		if err := ValidateGroup(n, Pairs{{"consumer.heartbeat.interval.ms", value}}); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}

// What java.time.Duration.parse takes, was asked of it.
func TestDurationsAreReadAsJavaReadsThem(t *testing.T) {
	for v, want := range map[string]bool{
		"PT1H": true, "P1D": true, "P1DT2H3M4.5S": true, "pt0s": true, "PT1.123456789S": true, "PT1,5S": true, "PT+1S": true, "PT1.S": true, "+PT1H": true, "P+1D": true,
		"": false, "P": false, "PT": false, "P1DT": false, "T1H": false, "PT1": false, "P1H": false, "PT1M1H": false, "PT1.1234567890S": false, "PT.5S": false,
		"PT1.5H": false, "P1W": false, "PT1HX": false, "-PT1H": false, "PT-1H": false,
	} {
		if got := isDuration(v); got != want {
			t.Errorf("%q: %v", v, got)
		}
	}
}

func TestEveryGroupSettingIsTheBrokersOrItsOwn(t *testing.T) {
	own := map[string]bool{"share.auto.offset.reset": true, "share.isolation.level": true, "share.renew.acknowledge.enable": true}
	for _, s := range allGroup {
		b := Broker("group." + s.Name)
		if own[s.Name] != (b == nil) {
			t.Errorf("%s has no broker setting", s.Name)
		}
		if b != nil && (b.Kind != s.Kind || b.Default != s.Default) {
			t.Errorf("%s: %v %q, the broker's is %v %q", s.Name, s.Kind, s.Default, b.Kind, b.Default)
		}
	}
}
