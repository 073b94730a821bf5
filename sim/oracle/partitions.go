package oracle

import (
	"strings"

	"github.com/seedlog/seedlog/sim/history"
)

// eachTouched calls f for each partition, on nodes that are up, whose state may have changed in the last step.
func eachTouched(v View, p *Partition, f func(node int, p *Partition) error) error {
	for n := 0; n < v.Nodes(); n++ {
		if !v.Up(n) {
			continue
		}
		touched, all := v.Touched(n)
		if all {
			for i := 0; i < v.Partitions(n); i++ {
				v.Partition(n, i, p)
				if err := f(n, p); err != nil {
					return err
				}
			}
			continue
		}
		for _, i := range touched {
			v.Partition(n, i, p)
			if err := f(n, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachPartition calls f for each partition of a node.
func eachPartition(v View, node int, p *Partition, f func(p *Partition) error) error {
	for i := 0; i < v.Partitions(node); i++ {
		v.Partition(node, i, p)
		if err := f(p); err != nil {
			return err
		}
	}
	return nil
}

func keyOf(p *Partition) string { return history.Key(p.Topic, p.Partition) }

// hasRetention says whether settings let a topic lose records by itself.
func hasRetention(settings string) bool {
	for _, s := range strings.Split(settings, ",") {
		k, v, _ := strings.Cut(s, "=")
		if (k == "retention.bytes" || k == "retention.ms") && v != "-1" {
			return true
		}
	}
	return false
}
