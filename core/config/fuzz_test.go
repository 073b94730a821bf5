package config

import "testing"

// Values of settings come from clients (AlterConfigs) and from the metadata log. Whatever is not refused resolves, and is described, without a panic.
func FuzzValues(f *testing.F) {
	node, _, err := Load(Args{Data: "data"})
	if err != nil {
		f.Fatal(err)
	}
	for _, kv := range [][2]string{{"retention.ms", "-1"}, {"cleanup.policy", "compact, delete"}, {"min.cleanable.dirty.ratio", "5e-1"}, {"compression.type", "gzip"},
		{"follower.replication.throttled.replicas", "0:1,1:2"}, {"share.auto.offset.reset", "by_duration:PT1H"}, {"consumer.session.timeout.ms", "45000"}, {"match", "client_id=a.*"},
		{"min.cleanable.dirty.ratio", "1e-9999999"}, {"log.retention.ms", "9223372036854775808"}, {"interval.ms", "100"}, {"metrics", "*"}, {"leader.replication.throttled.rate", "0x1p4"}} {
		f.Add(kv[0], kv[1])
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		p := Pairs{{Key: name, Value: value}}
		for _, s := range []*Setting{ForTopic(name), Broker(name), ForGroup(name)} {
			if s == nil || s.Check(value) != nil {
				continue
			}
			if s.Kind != Password {
				again := s.canonical(value)
				if err := s.Check(again); err != nil {
					t.Fatalf("%s=%q is printed as %q, which is refused: %v", name, value, again, err)
				}
			}
		}
		_ = Validate(name, value)
		if ValidateTopic(node, p) == nil {
			Resolve(node, p)
		}
		if ValidateGroup(node, p) == nil {
			ResolveGroup(node, p)
			DescribeGroup(node, p, nil)
		}
		if ValidateClientMetrics("x", p) == nil {
			DescribeClientMetrics(p, nil)
		}
		node.With(p, nil)
	})
}

// What stands in listeners and their protocols comes from whoever starts the broker.
func FuzzListeners(f *testing.F) {
	f.Add("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://[::1]:9093")
	f.Add("listener.security.protocol.map", "A:PLAINTEXT,B:SSL")
	f.Add("controller.quorum.bootstrap.servers", "a:1,b:2")
	f.Add("log.dirs", "a,,b")
	f.Add("process.roles", "broker,controller")
	f.Fuzz(func(t *testing.T, name, value string) {
		node, _, err := Load(Args{Data: "data", Set: []string{name + "=" + value}})
		if (node == nil) == (err == nil) {
			t.Fatalf("%s=%q: %v, %v", name, value, node, err)
		}
	})
}
