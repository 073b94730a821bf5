package controller

import "fmt"

// wrong says which rule that depends on settings the image breaks, "" if none: while an ISR has its required size there is no ELR beside it
// (I:I9). The rules that do not depend on them are the image's own (metadata.Image.Wrong).
func (c *Context) wrong() string {
	for _, t := range c.Image.Topics() {
		min := c.topic(t).MinInsyncReplicas
		for n := range t.Partitions {
			p := &t.Partitions[n]
			if len(p.ISR) >= p.RequiredISR(min) && len(p.ELR)+len(p.LastKnownELR) > 0 {
				return fmt.Sprintf("%s-%d: the ISR has %d members, and there is an ELR: %+v", t.Name, n, p.RequiredISR(min), *p)
			}
		}
	}
	return ""
}
